"""A snapshot of a process of this machine, as an image: its memory is reached through /proc, so
nothing of ours is in the process any more.

What the process says is not believed. The pid that it names is that of a process with the
very rights, program and namespaces of the debuggee, which began when we called: nobody gains
anything by having us write to another one. What is in the memory of that one, addresses
and the reply, rules only what is read from there and written there.
"""

import os
import signal
import struct
import time

from . import limits, request as _request
from .errors import Failure
from .progress import Progress
from .reply import decode

_READY_TIME = 10.0   # seconds that a snapshot gets to be ready
_CANCEL_TIME = 1.0   # seconds that a cancelled walk gets to say so
_SHORTEST_NAP, _LONGEST_NAP = 0.0001, 0.02
_MOST_REPLY = 1 << 30
_RECENT = 300        # of so many pids a new process is one, as a rule
_SAME = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")

_U32, _U64 = struct.Struct("<I"), struct.Struct("<Q")


def clock():
    """Now, as /proc/PID/stat counts: when a process begins is never before."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))


class Snapshot(object):
    """The snapshot whose number in the namespace of process `parent` is `inner`, made after
    `since`. Its block is at address `block`; `images` and `mappings` are those of the request."""

    stays = True

    def __init__(self, parent, inner, since, block, images, mappings):
        self._block = block
        self._images = images
        self._mappings = mappings
        self._pidfd = None
        self._pid = _pid_here(parent, inner)
        _require_ours(parent, self._pid, since)
        if hasattr(os, "pidfd_open"):
            try:
                self._pidfd = os.pidfd_open(self._pid)
            except OSError:
                pass
        try:
            self._memory = os.open("/proc/%d/mem" % self._pid, os.O_RDWR | os.O_CLOEXEC)
        except PermissionError:
            self._kill()
            raise  # it can be reached another way: inject.py
        except OSError as error:
            self._kill()
            raise Failure("no-snapshot", "The memory of the snapshot cannot be reached (%s)."
                          % error.strerror)
        self.ended = False
        _require_ours(parent, self._pid, since)  # and so it was when its memory was opened
        limits.move_here(self._pid)

    def ask(self, adapter, settings, question):
        encoded = question.encode(self._images, mappings=self._mappings)
        with Progress(adapter) as progress:
            try:
                self._begin(settings, encoded)
                self._wait(adapter, progress)
            except KeyboardInterrupt:
                self._cancel()
                raise
            except (OSError, OverflowError):
                self._died()
        block = self._look()
        if not 0 < block.reply_size <= min(block.reply_capacity, _MOST_REPLY):
            raise Failure("bad-reply", "The helper's reply claims %d bytes." % block.reply_size)
        try:
            data = self._read(block.reply, block.reply_size)
        except (OSError, OverflowError):  # it is where nothing is
            self._died()
        return decode(data)

    def _begin(self, settings, encoded):
        end = time.time() + _READY_TIME
        block = self._look()
        while not block.request:
            if time.time() > end:
                self._died()
            time.sleep(_SHORTEST_NAP)
            block = self._look()
        if block.magic != _request.MAGIC or len(encoded) > block.request_capacity:
            raise Failure("bad-request", "The question is too large for the helper.")
        self._write(block.request, encoded)
        self._set(_U64, request_size=len(encoded), reply_size=0, progress_objects=0,
                  progress_bytes=0)
        self._set(_U32, cancel=0)
        self._set(_U32, state=_request.RUNNING)
        self._wake()

    def _wait(self, adapter, progress):
        nap = _SHORTEST_NAP
        while True:
            block = self._look()
            if block.state != _request.RUNNING:
                return
            if adapter.interrupted():
                raise KeyboardInterrupt()
            progress.update(block.progress_objects, block.progress_bytes)
            time.sleep(nap)
            nap = min(nap * 1.3, _LONGEST_NAP)

    def _cancel(self):
        """Lets the walk end by itself, and the image live; or ends both."""
        try:
            self._set(_U32, cancel=1)
            end = time.time() + _CANCEL_TIME
            while time.time() < end:
                if self._look().state != _request.RUNNING:
                    return
                time.sleep(_LONGEST_NAP)
        except (OSError, Failure):
            pass
        self.close()

    def _died(self):
        self.close()
        raise Failure("died", "The snapshot that analysed the process ended without an answer: it "
                      "was killed, perhaps because memory was short, or code of a type ended it; "
                      "`py-config inject off` analyses the process from outside.")

    def close(self):
        """Ends the snapshot. Its init reaps it."""
        if self.ended:
            return
        self.ended = True
        self._kill()
        os.close(self._memory)

    def _kill(self):
        try:
            if self._pidfd is None:
                os.kill(self._pid, signal.SIGKILL)
            else:
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
                os.close(self._pidfd)
        except OSError:
            pass

    def _wake(self):
        try:
            if self._pidfd is None:
                os.kill(self._pid, signal.SIGURG)
            else:
                signal.pidfd_send_signal(self._pidfd, signal.SIGURG)
        except ProcessLookupError:
            pass  # _wait() tells

    def _look(self):
        return _request.decode_block(self._read(self._block, _request.BLOCK_SIZE))

    def _read(self, address, size):
        data = os.pread(self._memory, size, address)
        while 0 < len(data) < size:
            more = os.pread(self._memory, size - len(data), address + len(data))
            if not more:
                break
            data += more
        if len(data) != size:
            self._died()
        return data

    def _write(self, address, data):
        while data:
            written = os.pwrite(self._memory, data, address)
            if not written:
                self._died()
            address, data = address + written, data[written:]

    def _set(self, size, **fields):
        for name, value in fields.items():
            self._write(self._block + _request.BLOCK_OFFSETS[name], size.pack(value))


def _pid_here(parent, inner):
    """The pid of the process whose number in the pid namespace of process `parent` is `inner`."""
    space = _link(parent, "ns/pid")
    if space is not None and space == _link("self", "ns/pid"):
        return inner
    with open("/proc/loadavg") as loadavg:
        last = int(loadavg.read().split()[-1])
    everything = (int(name) for name in os.listdir("/proc") if name.isdigit())
    for candidates in (range(last, max(last - _RECENT, 0), -1), everything):
        for pid in candidates:
            if (_link(pid, "ns/pid") == space
                    and _status(pid).get("NSpid", "").split()[-1:] == [str(inner)]):
                return pid
    raise Failure("no-snapshot", "The snapshot of process %d was not found." % parent)


def _require_ours(parent, pid, since):
    for what, one, other in (
            ("rights", _rights(parent), _rights(pid)),
            ("program", _file(parent, "exe"), _file(pid, "exe")),
            ("namespaces", [_link(parent, "ns/" + name) for name in ("user", "pid", "mnt")],
             [_link(pid, "ns/" + name) for name in ("user", "pid", "mnt")])):
        if one is None or one != other:
            if (_status(pid) or {"State": "Z"}).get("State", "").startswith("Z"):
                raise Failure("no-snapshot", "The snapshot of process %d ended at once, as where it "
                              "gets no memory; `py-config inject off` answers without one." % parent)
            raise Failure("no-snapshot", "Process %d named process %d as its snapshot, whose %s "
                          "are others: nothing was written there." % (parent, pid, what))
    if _started(pid) < since:
        raise Failure("no-snapshot", "Process %d named process %d as its snapshot, which is older: "
                      "nothing was written there." % (parent, pid))


def _rights(pid):
    status = _status(pid)
    if not status:
        return None
    found = [status.get(name) for name in _SAME]
    try:
        found.append(os.stat("/proc/%d/mem" % pid).st_uid)  # root where it is not dumpable
        with open("/proc/%d/attr/current" % pid, "rb") as label:
            found.append(label.read())
    except OSError:
        pass  # no security module
    return found


def _file(pid, name):
    try:
        found = os.stat("/proc/%d/%s" % (pid, name))
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _started(pid):
    try:
        with open("/proc/%d/stat" % pid, errors="replace") as stat:
            return int(stat.read().rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return -1


def _status(pid):
    try:
        with open("/proc/%d/status" % pid, errors="replace") as status:
            return {name: value.strip() for name, _, value in
                    (line.partition(":") for line in status)}
    except OSError:
        return {}


def _link(pid, name):
    try:
        return os.readlink("/proc/%s/%s" % (pid, name))
    except OSError:
        return None
