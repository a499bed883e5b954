"""Calls functions on a stopped thread through the lldb-server of this machine that
traces it (Linux, x86-64). Knows no debugger but the packets of its protocol, and
nothing of what it calls. The counterpart of ptrace.py, where the tracer is another
process.

Why not the debugger's own expressions: the first one makes lldb map up to four pages
in the debuggee, one of them writable and executable, which it never takes out again;
and while a signal is pending, lldb 14 and 16 fail to map them and from then on fail at
every expression. Here the debugger does not notice: registers are saved, set and
restored as for an expression of its own (QSaveRegisterState), and nothing is mapped.
"""

import contextlib
import ctypes
import os
import re
import signal
import struct
import threading

from .errors import CallFailed, Ended, Unreadable
from .ptrace import borrowed_stack, return_slot, signal_name

_ARGUMENTS = ("rdi", "rsi", "rdx", "rcx", "r8", "r9")
_NEEDED = set(_ARGUMENTS) | {"rax", "rsp", "rip", "rflags"}
_LAST_REGISTER = 64  # the general ones come first
_FLAGS_CLEARED = 0x100 | 0x400 | 0x10000  # trap, direction, resume
_WORD = struct.Struct("<Q")

_PAGE = 4096
_TEXT_PAGES = 64  # to look for an int3 in
_INT3 = b"\xcc"

_FAULTS = (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP,
           signal.SIGSYS)
_FIRST_REAL_TIME = 32
_SYS_TGKILL = 234
_TIME_LIMIT = 10.0  # seconds for one call; lldb itself waits 20 for an answer


class StoppedThread(object):
    """A thread of process `pid` that lldb-server has stopped. `send(packet)` returns the
    answer to a packet; `read(address, size)` and `write(address, bytes)` reach memory."""

    def __init__(self, pid, lwp, send, read, write):
        self._pid = pid
        self._lwp = lwp
        self._send = send
        self._read = read
        self._write = write
        self._ended = None  # or the Ended that tells how
        self._numbers = self._register_numbers()

    def _register_numbers(self):
        numbers = {}
        for number in range(_LAST_REGISTER):
            found = re.match(r"name:(\w+);", self._send("qRegisterInfo%x" % number))
            if not found:
                break
            numbers[found.group(1)] = number
            if _NEEDED.issubset(numbers):
                return numbers
        raise CallFailed("lldb-server does not tell the registers.")

    def call(self, address, *arguments):
        """rax of the function at `address`, called with up to six integers. Raises
        CallFailed when it did not return. The thread is as it was in both cases."""
        if self._ended:
            raise self._ended
        blocked, own = self._signals()
        return_to = self._return_address(address, blocked)
        saved = self._threaded("QSaveRegisterState", "[0-9]+")
        later = set()
        try:
            rsp = self._get("rsp")
            stack = return_slot(rsp)
            try:
                borrowed = borrowed_stack(rsp, self._read)
                self._write(stack, _WORD.pack(return_to))
            except Unreadable:
                raise CallFailed("the thread has no stack left; `py-config inject off` needs none.")
            try:
                for name, value in zip(_ARGUMENTS, arguments):
                    self._set(name, value)
                self._set("rflags", self._get("rflags") & ~_FLAGS_CLEARED)
                self._set("rsp", stack)
                self._set("rip", address)
                # No error number of a system call, so none is begun again
                self._set("rax", 0)
                return self._run(return_to, later)
            finally:
                if not self._ended:
                    self._write(*borrowed)
        finally:
            if not self._ended:
                self._threaded("QRestoreRegisterState:" + saved, "OK")
            for number in sorted(later):
                with contextlib.suppress(ProcessLookupError):
                    if own >> number - 1 & 1:
                        self._signal(number)
                    else:
                        os.kill(self._pid, number)

    def _return_address(self, address, blocked):
        """Where a call returns to, and stops at once: 0, where nothing is mapped, or in a
        thread that blocks SIGSEGV an int3 somewhere near the function. (Of a fault that
        is blocked the kernel resets the handler: programs have one for SIGSEGV, if any.)"""
        if not blocked >> signal.SIGSEGV - 1 & 1:
            return 0
        start = address & -_PAGE
        for page in range(start, start + _TEXT_PAGES * _PAGE, _PAGE):
            with contextlib.suppress(Unreadable):
                found = self._read(page, _PAGE).find(_INT3)
                if found >= 0:
                    return page + found
        raise CallFailed("the thread blocks SIGSEGV; `py-config inject off` calls nothing.")

    def _run(self, return_to, later):
        """Lets the thread run until the call returns. A signal that reaches it on the way
        is put into `later`, to be pending again afterwards. Only a real-time signal is
        handled at once: glibc's own tell each other who has sent them."""
        watch = threading.Timer(_TIME_LIMIT, self._signal, (signal.SIGSTOP,))
        watch.daemon = True
        watch.start()
        try:
            action = "c"
            while True:
                number = self._continue(action)
                place = self._get("rip")
                if number in (signal.SIGSEGV, signal.SIGTRAP) and place - return_to in (0, 1):
                    return self._get("rax")
                if number == signal.SIGSTOP and watch.finished.is_set():
                    raise CallFailed("it did not return in %d seconds." % _TIME_LIMIT)
                if number in _FAULTS:
                    raise CallFailed("it was stopped by %s at 0x%x; `py-config inject off` calls "
                                     "nothing." % (signal_name(number), place))
                if number >= _FIRST_REAL_TIME:
                    action = "C%02x" % number
                else:
                    later.add(number)
                    action = "c"
        finally:
            watch.cancel()

    def _continue(self, action):
        """The signal that the thread stops with next; no other thread runs."""
        answer = self._send("vCont;%s:%x" % (action, self._lwp))
        stop = re.match("[TS]([0-9a-f]{2})", answer)
        if not stop:
            end = re.match("([WX])([0-9a-f]{2})", answer)
            if end:
                self._ended = Ended(self._pid, " by " + signal_name(int(end.group(2), 16))
                                    if end.group(1) == "X" else "")
                raise self._ended
            raise CallFailed("lldb-server answered `%s` to a continuation." % answer)
        return int(stop.group(1), 16)

    def _threaded(self, packet, expected):
        answer = self._send("%s;thread:%x;" % (packet, self._lwp))
        if not re.match(expected + "$", answer):
            raise CallFailed("lldb-server answered `%s` to %s." % (answer, packet))
        return answer

    def _get(self, name):
        return _WORD.unpack(bytes.fromhex(
            self._threaded("p%x" % self._numbers[name], "[0-9a-f]{16}")))[0]

    def _set(self, name, value):
        packed = _WORD.pack(value & (1 << 64) - 1).hex()
        self._threaded("P%x=%s" % (self._numbers[name], packed), "OK")

    def _signals(self):
        """The signals that the thread blocks, and those that are pending for it alone."""
        with open("/proc/%d/task/%d/status" % (self._pid, self._lwp), errors="replace") as status:
            fields = dict(line.split(":", 1) for line in status if ":" in line)
        return int(fields["SigBlk"], 16), int(fields["SigPnd"], 16)

    def _signal(self, number):
        ctypes.CDLL(None).syscall(_SYS_TGKILL, self._pid, self._lwp, int(number))

