"""Calls functions on a stopped thread through the lldb-server of this machine that
traces it (Linux, x86-64). Knows no debugger but the packets of its protocol, and
nothing of what it calls. The counterpart of ptrace.py, where the tracer is another
process.

Why not the debugger's own expressions: the first one makes lldb map up to four pages
in the debuggee, one of them writable and executable, which it never takes out again;
and while a signal is pending, lldb 14 and 16 fail to map them and from then on fail at
every expression. Here the debugger does not notice: registers are saved and
restored as for an expression of its own (QSaveRegisterState), and nothing is mapped.

When lldb ends, lldb-server lets the process go on as it is; so one packet, which sets rip, sends the
thread on a detour (detour.py) from which it comes back by itself.
"""

import contextlib
import ctypes
import os
import re
import signal
import struct
import threading

from .detour import Detour, Traveller, resumption
from .errors import CallFailed, Ended
from .ptrace import signal_name

_NEEDED = {"rax", "rip", "rsp", "r13"}
_LAST_REGISTER = 64  # the general ones come first
_WORD = struct.Struct("<Q")

_FAULTS = (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP,
           signal.SIGSYS)
_FIRST_REAL_TIME = 32
_SYS_TGKILL = 234
_TIME_LIMIT = 10.0  # seconds for one call; lldb itself waits 20 for an answer


class StoppedThread(Traveller):
    """A thread of process `pid` that lldb-server has stopped. `send(packet)` returns the
    answer to a packet; `read(address, size)` and `write(address, bytes)` reach memory. Of the
    signals in `silent` lldb-server tells nothing."""

    def __init__(self, pid, lwp, send, read, write, silent=()):
        Traveller.__init__(self, pid, lwp, read, write)
        self._send = send
        self._silent = silent
        self._later = set()  # signals that came on the way
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

    def _set_out(self, address, arguments):
        detour = Detour(self._pid, self._lwp, self._get("rsp"), self._read, self._write,
                        lambda number, blocked: not blocked >> number - 1 & 1
                        and number not in self._silent)
        self._back = resumption(self._get("rip"), self._get("rax"), self._system_call())
        self._tell(detour, address, arguments)
        self._saved = self._threaded("QSaveRegisterState", "[0-9]+")
        self._detour = detour
        self._set("rip", detour.entry)

    def _system_call(self):
        """The number of the system call that the thread is in, or -1, as orig_rax has it; or
        None."""
        try:
            with open("/proc/%d/task/%d/syscall" % (self._pid, self._lwp)) as syscall:
                return int(syscall.read().split()[0]) & (1 << 64) - 1
        except (OSError, ValueError):
            return None

    def _return(self):
        detour, saved = self._detour, self._saved
        self._detour = self._saved = None
        if detour is None or self._ended:
            return
        self._threaded("QRestoreRegisterState:" + saved, "OK")
        detour.remove()
        for number in sorted(self._later):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, number)
        self._later = set()

    def _run(self):
        """Lets the thread run until the call returns. A signal that reaches it on the way
        is put aside, to be pending again afterwards. Only a real-time signal is
        handled at once: glibc's own tell each other who has sent them."""
        watch = threading.Timer(_TIME_LIMIT, self._signal, (signal.SIGSTOP,))
        watch.daemon = True
        watch.start()
        try:
            action = "c"
            while True:
                number = self._continue(action)
                place = self._get("rip")
                action = "c"
                if number == self._detour.signal and place == self._detour.stop:
                    return self._get("r13")
                if number == signal.SIGSTOP and watch.finished.is_set():
                    raise CallFailed("it did not return in %d seconds." % _TIME_LIMIT)
                if number in _FAULTS:
                    raise CallFailed("it was stopped by %s at 0x%x; `py-config inject off` calls "
                                     "nothing." % (signal_name(number), place))
                if number >= _FIRST_REAL_TIME:
                    action = "C%02x" % number
                else:
                    self._later.add(number)
        finally:
            watch.cancel()

    def _result(self):
        if self._get("rip") != self._detour.stop:
            raise CallFailed("it was interrupted.")
        return self._get("r13")

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

    def _signal(self, number):
        ctypes.CDLL(None).syscall(_SYS_TGKILL, self._pid, self._lwp, int(number))

