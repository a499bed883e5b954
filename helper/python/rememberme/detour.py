"""The way of a stopped thread of a process of this machine through calls of ours, from which
it comes back by itself if the debugger is gone: a copy of rme_detour
(helper/runtime/arch/x86_64/detour.c) in a part of a page of code that nothing uses, and the
job behind it.
Knows neither a debugger nor how a thread is made to run. Linux, x86-64."""

import os
import struct

from . import elf, library
from .adapter import RESULT
from .errors import CallFailed, Unreadable

_PAGE = 4096
_MASK = (1 << 64) - 1
_ENTRY = 2      # behind the two bytes that a system call is begun again by
_ALIGNMENT = 16
_X = 1          # PF_X

# Number, function, arguments; pid, tid and signal for the stop; the thread's signal mask, its
# rip and its rax afterwards; what to undo: function and two arguments each, until no function.
# Not for the code: the thread's stack pointer outside of it
_JOB = struct.Struct("<Q Q 6Q 2I Q Q 2Q 13Q Q")
_WORD = struct.Struct("<Q")
_UNDO = 4
_DEEPEST = 1 << 20  # bytes of stack that what is called on the way may take

# Those whose default is to be ignored, the least used first
_SIGNALS = (23, 28, 17)  # URG, WINCH, CHLD

# What a system call returns when it is to be begun again: -ERESTARTSYS, …NOINTR, …NOHAND and
# …_RESTARTBLOCK, which is by restart_syscall
_AGAIN, _BY_BLOCK, _SYS_RESTART = (-512, -513, -514), -516, 219
_EINTR = (1 << 64) - 4


class Detour(object):
    """`read(address, size)` and `write(address, bytes)` reach the memory of process `pid`,
    of which thread `lwp` is stopped, with this `rsp`; `usable` are the signals that its tracer is told of,
    whatever the thread blocks."""

    def __init__(self, pid, lwp, rsp, read, write, usable):
        self._rsp = rsp
        self._write = write
        status = _status(pid, lwp)
        self._ids = [int(text.split()[-1]) for text in (
            _status(pid, pid).get("NSpid", str(pid)), status.get("NSpid", str(lwp)))]
        self.blocked = int(status["SigBlk"], 16)
        caught = int(status["SigCgt"], 16)
        signals = [number for number in _SIGNALS if usable(number, self.blocked)]
        signals.sort(key=lambda number: caught >> number - 1 & 1)
        if not signals:
            raise CallFailed("the thread blocks each of the signals that a call ends by; `py-config "
                             "inject off` calls nothing.")
        self.signal = signals[0]
        code, self._stop, self._job = _code()
        self._at = _room(pid, read, code)
        self._code = code
        self._number = 0

    @property
    def entry(self):
        """Where the thread's rip is to be set to, once there is a job."""
        return self._at + _ENTRY

    @property
    def stop(self):
        """Where its rip is when a call has been made; r13 is what that returned."""
        return self._at + self._stop

    def tell(self, back, function, arguments, undo):
        """Sets the job: a call, and what is to be undone when there is no further one, each
        (function, at most two arguments). `back` is what resumption() says. In one piece: the debugger may be ended at
        any moment."""
        if len(undo) > _UNDO:
            raise CallFailed("too much is to be undone.")
        self._number += 1
        words = [0] * 13
        for index, (what, *given) in enumerate(reversed(undo)):  # the last first
            words[3 * index:3 * index + 3] = [what] + [
                _MASK if value is RESULT else value & _MASK for value in (given + [0, 0])[:2]]
        arguments = [value & _MASK for value in arguments] + [0] * (6 - len(arguments))
        job = _JOB.pack(self._number, function, *arguments, *self._ids, self.signal, self.blocked,
                        *back, *words, self._rsp)
        if self._number == 1:
            self._write(self._at, self._code + job)
        else:
            self._write(self._at + self._job, job)

    def remove(self):
        """When the thread is back."""
        self._write(self._at, bytes(len(self._code) + _JOB.size))


class Traveller(object):
    """A stopped thread that makes calls on a detour: what does not depend on who traces it. The
    tracer's side has _set_out(address, arguments), which sets self._detour and self._back and
    brings the thread into it, _run(), which returns when a call has, _result(), which tells
    again what that was, and _return(), which puts the thread back. `_ended` is None or an
    errors.Ended."""

    def __init__(self, pid, lwp, read, write):
        self._pid = pid
        self._lwp = lwp
        self._read = read
        self._write = write
        self._ended = None
        self._detour = self._saved = self._back = None  # while the thread is away
        self._undo = []   # what stays to be undone: (function, arguments…)

    def call(self, address, *arguments, undo=None):
        """rax of the function at `address`, called with up to six integers; `undo` as of
        Adapter.call. Raises CallFailed when it did not return. The thread is away then
        until finish()."""
        if self._ended:
            raise self._ended
        self._undo = [step for step in self._undo if step != (address,) + arguments]
        if undo:
            self._undo.append(undo)
        try:
            if self._detour is None:
                self._set_out(address, arguments)
            else:
                self._tell(self._detour, address, arguments)
            result = self._run()
        except CallFailed:
            self._undo = [step for step in self._undo if RESULT not in step]
            self._return()
            raise
        self._undo = [tuple(result if value is RESULT else value for value in step)
                      for step in self._undo]
        return result

    def _tell(self, detour, address, arguments):
        try:
            detour.tell(self._back, address, arguments, self._undo)
        except Unreadable as error:
            raise CallFailed("%s `py-config inject off` writes nothing." % error.message)

    def finish(self):
        """Undoes what is left to be undone, and puts the thread back to where it was before the
        first call."""
        try:
            for step in reversed(self._undo):
                if RESULT in step:  # the call may have been made, and then came an interruption
                    if self._detour is None:
                        continue
                    result = self._result()
                    step = tuple(result if value is RESULT else value for value in step)
                    self._undo.remove(next(each for each in self._undo if RESULT in each))
                self.call(*step)
        finally:
            self._return()


def resumption(rip, rax, orig_rax):
    """(rip, rax) with which a thread goes on that is stopped with these registers: the kernel
    may be about to begin a system call again. `orig_rax` is None where it is not known."""
    code = rax - (1 << 64) if rax >> 63 else rax
    if orig_rax is None and (code in _AGAIN or code == _BY_BLOCK):
        return rip, _EINTR
    if orig_rax is not None and orig_rax >> 63 == 0:
        if code in _AGAIN:
            return rip - 2, orig_rax
        if code == _BY_BLOCK:
            return rip - 2, _SYS_RESTART
    return rip, rax


_cached = None


def _code():
    """(the code, where the thread stops in it, where the job is)."""
    global _cached
    path = library.find(library.LIBRARY)
    if _cached is None or _cached[0] != path:
        with open(path, "rb") as opened:
            flat = elf.flatten(opened.read())
        symbols = elf.Symbols(lambda offset, size: flat[offset:offset + size], 0)
        begin, stop, job = [symbols.lookup("rme_detour" + part) for part in ("", "_stop", "_job")]
        _cached = path, (flat[begin:job], stop - begin, job - begin)
    return _cached[1]


def _room(pid, read, code):
    """The address of room for the code and a job in a page of code, behind what is executed
    there: zeros, so that nobody else is there, or a copy that no thread is in any more."""
    size = len(code) + _JOB.size
    with open("/proc/%d/maps" % pid, encoding="utf-8", errors="surrogateescape") as maps:
        mappings = elf.parse_maps(maps.read())
    text = [mapping for mapping in mappings if mapping.flags == "r-xp"]
    for image in elf.images(mappings, read):
        try:
            parts = elf.segments(read, image.base)
            low, _ = elf.extent(parts)
            for part in parts:
                end = image.base - low + part.vaddr + part.memsz
                at = (end + _ALIGNMENT - 1) & -_ALIGNMENT
                if (part.kind != elf.PT_LOAD or not part.flags & _X or part.filesz != part.memsz
                        or at + size > (end + _PAGE - 1) & -_PAGE
                        or not any(m.start <= end - 1 and at + size <= m.end for m in text)):
                    continue
                found = read(at, size)
                if not any(found) or found[:len(code)] == code and _is_left(
                        pid, read, range(at, at + size), _JOB.unpack(found[len(code):])[-1]):
                    return at
        except (elf.NotElf, Unreadable):
            continue
    raise CallFailed("no page of code has %d bytes to spare; `py-config inject off` needs none."
                     % size)


def _is_left(pid, read, place, rsp):
    """Whether no thread of a stopped process is on a detour at this place, which began with
    this stack pointer: neither is its rip there, nor will it return to there."""
    for lwp in os.listdir("/proc/%d/task" % pid):
        try:
            with open("/proc/%d/task/%s/syscall" % (pid, lwp)) as syscall:
                sp, pc = [int(word, 16) for word in syscall.read().split()[-2:]]
        except (OSError, ValueError):
            return False  # it runs, or this kernel does not tell
        if pc in place:
            return False
        if sp < rsp <= sp + _DEEPEST and any(
                word in place for word, in _WORD.iter_unpack(read(sp, (rsp - sp) & -8))):
            return False
    return True


def _status(pid, lwp):
    with open("/proc/%d/task/%d/status" % (pid, lwp), errors="replace") as status:
        return {name: value.strip() for name, _, value in
                (line.partition(":") for line in status)}
