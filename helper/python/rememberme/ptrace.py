"""Calls functions on a stopped thread that this very process traces (Linux, x86-64).
Knows no debugger and nothing of what it calls.

Why not the debugger's own calls: gdb 13 cannot restore the registers after one on a
CPU with AMX (PTRACE_SETREGSET wants more than its buffer has) and ruins the process;
and for every debugger a call is an event, with breakpoints inserted, hooks run and
the stop's reason forgotten. Here the debugger does not notice: the thread is sent
on a detour (detour.py) and then is again in exactly the state that it was in, registers,
signal mask and the signal it is stopped at included.

At each moment in between, the thread would get there by itself: whoever ends this process
ends nothing else. Hence the order of what is done here.

ptrace must be called by the thread that traces. gdb's Python runs on it.
"""

import contextlib
import ctypes
import os
import signal
import struct
import time

from .detour import Detour, Traveller, resumption
from .errors import CallFailed, Ended

_CONT, _GETSIGINFO, _SETSIGINFO = 7, 0x4202, 0x4203
_GETREGSET, _SETREGSET = 0x4204, 0x4205
_GETSIGMASK, _SETSIGMASK = 0x420a, 0x420b
_GET_SYSCALL_INFO, _SYSCALL_ENTRY = 0x420e, 1
_NT_PRSTATUS, _NT_X86_XSTATE = 1, 0x202
_WALL = 0x40000000
_SYS_TGKILL = 234

# struct user_regs_struct
_NAMES = ("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss "
          "fs_base gs_base ds es fs gs").split()
_REGISTERS = struct.Struct("<27Q")
_CS_64 = 0x33
_EFLAGS_CLEARED = 0x100 | 0x400 | 0x10000  # trap, direction, resume
_XSTATE_MAX = 1 << 16
# What a fault raises must not be blocked: the kernel would reset its handler.
# Everything else waits, as it waits while the thread is stopped.
_FAULTS = (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP,
           signal.SIGSYS)
_MASK = (1 << 64) - 1 & ~sum(1 << number - 1 for number in _FAULTS)
_TRAP_HWBKPT = 4

_TIME_LIMIT = 20.0  # seconds for one call

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


class _Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]


def _ptrace(request, lwp, address, data):
    result = _libc.ptrace(request, lwp, address, data)
    if result < 0:
        error = ctypes.get_errno()
        raise CallFailed("ptrace request 0x%x on thread %d: %s."
                         % (request, lwp, os.strerror(error)))
    return result


class StoppedThread(Traveller):
    """A thread of process `pid` that is in a ptrace stop. `read(address, size)` and
    `write(address, bytes)` reach its memory. Calls are to be made under sigint_held(): half of
    one would leave registers of ours."""

    def __init__(self, pid, lwp, read, write):
        Traveller.__init__(self, pid, lwp, read, write)
        self._later = []  # signals that came on the way
        self._runs = False
        self._late = False  # whether a call was ended because of the time that it took

    def _set_out(self, address, arguments):
        saved = _Saved(self._lwp)
        saved.check()
        registers = dict(zip(_NAMES, _REGISTERS.unpack(saved.registers)))
        detour = Detour(self._pid, self._lwp, registers["rsp"], self._read, self._write,
                        lambda *_: True)
        self._back = resumption(registers["rip"], registers["rax"], registers["orig_rax"])
        registers.update(
            rip=detour.entry, eflags=registers["eflags"] & ~_EFLAGS_CLEARED,
            orig_rax=(1 << 64) - 1)  # no system call is to be begun again
        self._tell(detour, address, arguments)
        self._detour, self._saved = detour, saved
        _set_registers(self._lwp, _REGISTERS.pack(*[registers[name] for name in _NAMES]))
        # Only now: on the way back it is set to what it was
        _set_mask(self._lwp, _MASK & ~(1 << detour.signal - 1))

    def _return(self):
        if self._runs and self._detour is not None:
            self._settle()
        if self._detour is not None:
            self._peek()  # it may have been killed
        detour, saved = self._detour, self._saved
        self._detour = self._saved = None
        if detour is None or self._ended:
            return
        _set_mask(self._lwp, saved.mask)
        if saved.xstate is not None:
            _set_regset(self._lwp, _NT_X86_XSTATE, saved.xstate)
        _set_registers(self._lwp, saved.registers)
        if saved.siginfo:
            _ptrace(_SETSIGINFO, self._lwp, None, saved.siginfo)
        detour.remove()
        for number in self._later:
            self._signal(number)
        self._later = []

    def _run(self):
        self._late = False
        while True:
            self._runs = True
            _ptrace(_CONT, self._lwp, None, None)
            number = self._settle()
            now = dict(zip(_NAMES, _REGISTERS.unpack(_registers(self._lwp))))
            if number == self._detour.signal and now["rip"] == self._detour.stop:
                return now["r13"]
            # Another's; gdb leaves a SIGSTOP pending in a process that it found stopped
            if number in (self._detour.signal, signal.SIGSTOP) and not self._late:
                self._later.append(number)
                continue
            if number == signal.SIGTRAP and _code(_siginfo(self._lwp)) == _TRAP_HWBKPT:
                continue  # a watchpoint of the debugger: not the program's doing
            raise CallFailed("it was stopped by %s at 0x%x; `py-config inject off` calls nothing."
                             % (signal_name(number), now["rip"]))

    def _result(self):
        if self._runs:
            self._settle()
        now = dict(zip(_NAMES, _REGISTERS.unpack(_registers(self._lwp))))
        if now["rip"] != self._detour.stop:
            raise CallFailed("it was interrupted.")
        return now["r13"]

    def _settle(self):
        """As _wait(). gdb interrupts Python when it is to end by a SIGTERM; it does that at
        its own next step."""
        while True:
            try:
                number = self._wait()
                self._runs = False
                return number
            except KeyboardInterrupt:
                pass

    def _wait(self):
        """The number of the signal that the thread stops with."""
        end = time.time() + _TIME_LIMIT
        nap = 0.00005
        while True:
            if self._peek():
                _, status = os.waitpid(self._lwp, _WALL)
                return os.WSTOPSIG(status)
            if time.time() > end:
                end += _TIME_LIMIT
                self._late = True
                self._signal(signal.SIGSTOP)
            time.sleep(nap)
            nap = min(nap * 2, 0.002)

    def _peek(self):
        """Whether the thread has stopped; raises Ended. The death of the process is left for
        the debugger to see."""
        found = os.waitid(os.P_PID, self._lwp, os.WEXITED | os.WSTOPPED | os.WNOHANG
                          | os.WNOWAIT | _WALL)
        if found is None:
            return False
        if found.si_code in (os.CLD_EXITED, os.CLD_KILLED, os.CLD_DUMPED):
            self._ended = Ended(self._pid, " by " + signal_name(found.si_status)
                                if found.si_code != os.CLD_EXITED else "")
            raise self._ended
        return True

    def _signal(self, number):
        _libc.syscall(_SYS_TGKILL, self._pid, self._lwp, number)


class _Saved(object):
    """The state of a stopped thread."""

    def __init__(self, lwp):
        self._lwp = lwp
        self.registers = _registers(lwp)
        try:
            self.xstate = _regset(lwp, _NT_X86_XSTATE, _XSTATE_MAX)
        except CallFailed:
            self.xstate = None  # a CPU without xsave
        try:
            self.siginfo = _siginfo(lwp)
        except CallFailed:
            self.siginfo = None  # a group stop has none
        mask = ctypes.create_string_buffer(8)
        _ptrace(_GETSIGMASK, lwp, 8, mask)
        self.mask = struct.unpack("<Q", mask.raw)[0]

    def check(self):
        """Refuses the stops from which a detour loses something: the kernel is in the
        middle of a system call that cannot be begun again."""
        cs = _REGISTERS.unpack(self.registers)[_NAMES.index("cs")]
        if cs != _CS_64:
            raise CallFailed("the thread is not in 64-bit code.")
        if self.siginfo is None:
            return
        number, code = struct.unpack_from("<i", self.siginfo)[0], _code(self.siginfo)
        if number != signal.SIGTRAP or code <= 0:
            return
        info = ctypes.create_string_buffer(96)
        is_entry = False
        if code & 0x80:
            size = _libc.ptrace(_GET_SYSCALL_INFO, self._lwp, len(info), info)
            is_entry = size > 0 and info.raw[0] == _SYSCALL_ENTRY
        if code >> 8 or is_entry:
            raise CallFailed("the thread is stopped by a catchpoint inside a system call; `stepi` "
                             "leads out of it, or use `py-config inject off`.")


def _registers(lwp):
    return _regset(lwp, _NT_PRSTATUS, _REGISTERS.size)


def _set_registers(lwp, data):
    _set_regset(lwp, _NT_PRSTATUS, data)


def _regset(lwp, kind, size):
    data = ctypes.create_string_buffer(size)
    vector = _Vector(ctypes.addressof(data), size)
    _ptrace(_GETREGSET, lwp, kind, ctypes.addressof(vector))
    return data.raw[:vector.size]


def _set_regset(lwp, kind, content):
    data = ctypes.create_string_buffer(content, len(content))
    vector = _Vector(ctypes.addressof(data), len(content))
    _ptrace(_SETREGSET, lwp, kind, ctypes.addressof(vector))


def _siginfo(lwp):
    data = ctypes.create_string_buffer(128)
    _ptrace(_GETSIGINFO, lwp, None, data)
    return data.raw


def _code(siginfo):
    return struct.unpack_from("<i", siginfo, 8)[0]


def _set_mask(lwp, mask):
    _ptrace(_SETSIGMASK, lwp, 8, ctypes.create_string_buffer(struct.pack("<Q", mask), 8))


def signal_name(number):
    try:
        return signal.Signals(number).name
    except ValueError:
        return "signal %d" % number


def sigint_pending():
    """Whether Ctrl-C was pressed under sigint_held()."""
    return signal.SIGINT in signal.sigpending()


@contextlib.contextmanager
def sigint_held():
    """Holds Ctrl-C back; when it came, the end of this raises KeyboardInterrupt."""
    former = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    came = False
    try:
        yield
    finally:
        if sigint_pending():
            came = signal.sigtimedwait([signal.SIGINT], 0) is not None
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
        if came:
            raise KeyboardInterrupt()
