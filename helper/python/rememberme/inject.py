"""The way into a live process: map the helper, write it, have it make a snapshot of the process,
and take everything out again. The snapshot is an image (snapshot.py).

The library lies in a private mapping that is never writable and executable at once
(services under systemd's MemoryDenyWriteExecute refuse those); the debugger writes
it all the same.

Where the memory of the snapshot cannot be reached through /proc, behind a gdbserver above all,
or where the process itself would have to reap it, the process is visited for each question:
block, request and reply lie in a mapping that it shares with its snapshot, until the reply is read.
"""

import errno
import os
import re
import struct
import time

from . import elf, library, request as _request
from .adapter import RESULT
from .errors import CallFailed, Failure
from .progress import Progress
from .reply import decode
from .snapshot import Snapshot, clock

_PAGE = 4096
_PROT_RX, _PROT_RW = 5, 3
_PRIVATE, _SHARED = 0x22, 0x21  # with MAP_ANONYMOUS
_FAILED = (1 << 64) - _PAGE  # from here up: MAP_FAILED, or -errno

# Only the pages that are written cost memory
_REPLY_CAPACITIES = (8 << 20, 1 << 30)
_REQUEST_CAPACITY = 64 << 20

_LEASE = 600       # seconds that a snapshot waits for a question

_SHORTEST_POLL, _POLL = 0.0005, 0.02  # seconds between two looks at the block
_CHECK = 0.5       # seconds without progress after which the snapshot may be dead
_CANCEL_TIME = 0.3 # seconds that a cancelled walk gets to say so
_ATTEMPTS = 3      # at each call that takes the helper out again

_LIBC = re.compile(r"/(libc[-.]|libc\.musl|ld-musl)[^/]*$")


def mappings_of(adapter, target):
    """The debuggee's memory map, from /proc where that is its own."""
    if not target.local:
        return adapter.mappings()
    try:
        with open("/proc/%d/maps" % target.pid, "rb") as maps:
            return elf.parse_maps(os.fsdecode(maps.read()))
    except OSError as error:
        raise Failure("no-process", "The memory map of process %d cannot be read: %s."
                      % (target.pid, error.strerror))


def make(adapter, settings, target):
    """An image of the process."""
    _refuse_strict_seccomp(target)
    helper = _Helper(adapter, target)
    if target.local:
        image = _snapshot(adapter, settings, target, helper)
        if image is not None:
            return image
    return _Visits(helper)


class _Helper(object):
    """The library as it is written into the process, and what must be known for that."""

    def __init__(self, adapter, target):
        self.pid = target.pid
        self.mappings = mappings_of(adapter, target)
        images = elf.images(self.mappings, adapter.read)
        _require_python(adapter.read, target, images)
        self.pairs = [(image.base, image.end) for image in images]
        path = library.find(library.LIBRARY)
        try:
            with open(path, "rb") as opened:
                self.data = elf.flatten(opened.read())
            elf.relocate(self.data, 0)
        except (elf.NotElf, struct.error):
            raise Failure("no-library", "%s is not the helper library, or is damaged: build it "
                          "again." % path)
        self._entries = elf.Symbols(lambda offset, size: self.data[offset:offset + size], 0)
        libc_first = sorted(images, key=lambda image: not _LIBC.search(image.path))
        self.mmap, self.munmap = (self._function(adapter, libc_first, name)
                                  for name in ("mmap", "munmap"))

    def _function(self, adapter, images, name):
        found = elf.find_symbol(adapter.read, images, name) or adapter.symbol(name)
        if not found:
            raise Failure("no-libc", "Process %d has no function %s that could be called (looked "
                          "in the dynamic symbols of %d files); `py-config inject off` answers "
                          "without a call." % (self.pid, name, len(images)))
        return found

    def entry(self, name):
        offset = self._entries.lookup(name)
        if offset is None:
            raise Failure("no-library", "%s exports no %s; build it again."
                          % (library.LIBRARY, name))
        return offset


class _Stay(object):
    """The helper in the process: a context manager, inside adapter.calls()."""

    def __init__(self, adapter, helper):
        self._adapter = adapter
        self._helper = helper
        self._mapped = []
        self.code = None

    def __enter__(self):
        return self

    def map(self, size, protection, flags):
        address = self._adapter.call(self._helper.mmap, 0, size, protection, flags, -1, 0,
                                     undo=(self._helper.munmap, RESULT, size))
        if address >= _FAILED:
            raise Failure("no-memory", "The process was refused %d bytes of address space for the "
                          "helper (a limit, or a seccomp filter); `py-config inject off` "
                          "answers without them." % size)
        self._mapped.append((address, size))
        return address

    def call(self, name, *arguments, undo=None):
        """What an entry of the helper returns, as a signed number. `undo` is (name, argument) of
        another that cleans up after it."""
        if undo is not None:
            undo = (self.code + self._helper.entry(undo[0]),) + undo[1:]
        value = self._adapter.call(self.code + self._helper.entry(name), *arguments, undo=undo)
        return value - (1 << 64) if value >> 63 else value

    def __exit__(self, *_):
        """Whatever happened, nothing of ours stays in the debuggee. A Ctrl-C in here
        waits until that is done."""
        persist([(self._adapter.call, (self._helper.munmap,) + piece)
                 for piece in reversed(self._mapped)])


def persist(steps):
    """Makes calls that have to be made, and then lets the interruption through."""
    interruption = None
    for function, arguments in steps:
        for attempt in range(_ATTEMPTS):
            try:
                function(*arguments)
                break
            except (KeyboardInterrupt, CallFailed) as error:
                interruption = error
                if attempt == _ATTEMPTS - 1:
                    raise Failure("call-failed", "The helper could not be taken out of the "
                                  "process: %s" % error)
    if interruption:
        raise interruption


def _no_snapshot(code):
    return Failure("no-snapshot", "No snapshot of the process could be made (%s); "
                   "`py-config inject off` answers without one."
                   % errno.errorcode.get(-code, code))


def _snapshot(adapter, settings, target, helper):
    """A Snapshot, whose process is no child of the debuggee; None where there can be none."""
    at = (len(helper.data) + _PAGE - 1) & -_PAGE  # of the block, behind the library
    block = _request.encode_block(
        request_capacity=_REQUEST_CAPACITY, reply_capacity=_REPLY_CAPACITIES[-1],
        lease_s=_LEASE, debugger=_own_pid(target.pid), object_ms=1000 * settings.watchdog)
    with adapter.calls(), _Stay(adapter, helper) as stay:
        stay.code = stay.map(at + _PAGE, _PROT_RX, _PRIVATE)
        adapter.write(stay.code, elf.relocate(helper.data, stay.code))
        adapter.write(stay.code + at, block)
        since = clock()
        pid = stay.call("rme_snapshot", stay.code + at)
    if pid == -errno.ECHILD:
        return None
    if pid < 0:
        raise _no_snapshot(pid)
    try:
        return Snapshot(target.pid, pid, since, stay.code + at, helper.pairs,
                        helper.mappings)
    except PermissionError:
        return None


def _own_pid(pid):
    """Of this debugger, where process `pid` sees it by the same number; else 0."""
    try:
        same = os.readlink("/proc/%d/ns/pid" % pid) == os.readlink("/proc/self/ns/pid")
    except OSError:
        same = False
    return os.getpid() if same else 0


class _Visits(object):
    """An image that is made for each question: the helper visits the process."""

    stays = False
    ended = False

    def __init__(self, helper):
        self._helper = helper

    def ask(self, adapter, settings, question):
        encoded = question.encode(self._helper.pairs, mappings=self._helper.mappings)
        for capacity in _REPLY_CAPACITIES:
            try:
                with adapter.calls(), _Stay(adapter, self._helper) as stay:
                    return _Visit(adapter, stay, len(encoded), capacity).ask(
                        self._helper.data, encoded, 1000 * settings.watchdog)
            except Failure as failure:
                if failure.kind != "reply-too-large" or capacity == _REPLY_CAPACITIES[-1]:
                    raise

    def close(self):
        pass


class _Visit(object):
    """One question, through memory that the process shares with its snapshot."""

    def __init__(self, adapter, stay, size, capacity):
        self._adapter = adapter
        self._stay = stay
        self._capacity = capacity
        self._reply_at = (_request.BLOCK_SIZE + size + 63) & -64
        stay.code = self._block = 0

    def ask(self, helper, encoded, object_ms):
        stay = self._stay
        stay.code = stay.map(len(helper), _PROT_RX, _PRIVATE)
        self._block = stay.map((self._reply_at + self._capacity + _PAGE - 1) & -_PAGE, _PROT_RW,
                               _SHARED)
        self._adapter.write(stay.code, elf.relocate(helper, stay.code))
        self._adapter.write(self._block, _request.encode_block(
            request=self._block + _request.BLOCK_SIZE, request_size=len(encoded),
            reply=self._block + self._reply_at, reply_capacity=self._capacity,
            object_ms=object_ms) + encoded)
        try:
            with Progress(self._adapter) as progress:
                try:
                    self._run(progress)
                except (KeyboardInterrupt, CallFailed):
                    self._cancel()
                    raise
            return self._reply()
        finally:
            persist([(stay.call, ("rme_stop", self._block))])

    def _run(self, progress):
        state = self._stay.call("rme_start", self._block, 0, undo=("rme_stop", self._block))
        if state < 0:
            raise _no_snapshot(state)
        seen, since = None, time.time()
        nap = _SHORTEST_POLL
        while state == _request.RUNNING:
            if self._adapter.interrupted():
                raise KeyboardInterrupt()
            time.sleep(nap)
            nap = min(2 * nap, _POLL)
            block = self._look()
            state = block.state
            progress.update(block.progress_objects, block.progress_bytes)
            if block.progress_objects != seen:
                seen, since = block.progress_objects, time.time()
            elif state == _request.RUNNING and time.time() - since > _CHECK:
                # tells whether it has died
                state = self._stay.call("rme_wait", self._block, 0)
                since = time.time()

    def _look(self):
        return _request.decode_block(self._adapter.read(self._block, _request.BLOCK_SIZE))

    def _cancel(self):
        """Lets the walk end by itself; rme_stop ends it if it does not."""
        self._adapter.write(self._block + _request.BLOCK_OFFSETS["cancel"], b"\1\0\0\0")
        end = time.time() + _CANCEL_TIME
        while time.time() < end and self._look().state == _request.RUNNING:
            time.sleep(_POLL)

    def _reply(self):
        block = self._look()
        if block.state != _request.DONE:
            raise Failure("died", _obituary(block.status))
        if block.reply_size > self._capacity:
            raise Failure("bad-reply", "The helper's reply claims %d bytes." % block.reply_size)
        # not where the block says: that is the process's to write
        return decode(self._adapter.read(self._block + self._reply_at, block.reply_size))


def _refuse_strict_seccomp(target):
    """In strict mode the kernel kills a process for its first mmap."""
    if not target.local:
        return
    try:
        with open("/proc/%d/status" % target.pid, errors="replace") as status:
            strict = re.search(r"^Seccomp:\s*1$", status.read(), re.MULTILINE)
    except OSError:
        return
    if strict:
        raise Failure("seccomp", "Process %d runs under seccomp's strict mode, which would kill it "
                      "for a call; use `py-config inject off`." % target.pid)


def _require_python(read, target, images):
    """Nothing is executed in a process that is plainly no Python."""
    for name in ("_PyRuntime", "PyType_Type"):  # from 3.7, and before
        if elf.find_symbol(read, images, name):
            return
    if elf.find_symbol(read, images, "pypy_setup_home"):  # what libpypy exports to embedders
        raise Failure("not-python", "Process %d runs PyPy, whose objects are others than CPython's: "
                      "it cannot be measured here; only CPython can." % target.pid)
    raise Failure("not-python", "Process %d is not a Python program: none of its %d files exports "
                  "_PyRuntime or PyType_Type." % (target.pid, len(images)))


def _obituary(status):
    signal = status & 0x7f
    if signal == 9:
        return ("The snapshot that analysed the process was killed, probably because memory was "
                "short; `py-config inject off` needs less of it.")
    return ("The snapshot that analysed the process ended without an answer (%s); "
            "`py-config inject off` analyses it from outside."
            % ("signal %d" % signal if signal else "status %d" % (status >> 8)))
