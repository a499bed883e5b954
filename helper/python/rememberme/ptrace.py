"""Calls functions on a stopped thread that this very process traces (Linux, x86-64).
Knows no debugger and nothing of what it calls.

Why not the debugger's own calls: gdb 13 cannot restore the registers after one on a
CPU with AMX (PTRACE_SETREGSET wants more than its buffer has) and ruins the process;
and for every debugger a call is an event, with breakpoints inserted, hooks run and
the stop's reason forgotten. Here the debugger does not notice: the thread is set
running and is stopped again in exactly the state that it was in, registers, signal
mask and the signal it is stopped at included.

ptrace must be called by the thread that traces. gdb's Python runs on it.
"""

import contextlib
import ctypes
import os
import signal
import struct
import time

from .errors import CallFailed, Ended, Unreadable

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
_ARGUMENTS = ("rdi", "rsi", "rdx", "rcx", "r8", "r9")
_CS_64 = 0x33
_EFLAGS_CLEARED = 0x100 | 0x400 | 0x10000  # trap, direction, resume
_XSTATE_MAX = 1 << 16
_RED_ZONE = 128
_PAGE = 4096

# Where a call returns to: nothing is mapped there, so the thread stops with SIGSEGV
_RETURN_TO = 0

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


class StoppedThread(object):
    """A thread of process `pid` that is in a ptrace stop. `read(address, size)` and
    `write(address, bytes)` reach its memory."""

    def __init__(self, pid, lwp, read, write):
        self._pid = pid
        self._lwp = lwp
        self._read = read
        self._write = write
        self._ended = None  # or the Ended that tells how

    def call(self, address, *arguments):
        """rax of the function at `address`, called with up to six integers. Raises
        CallFailed when it did not return. The thread is as it was in both cases. To be
        called under sigint_held(): half a call would leave registers of ours."""
        if self._ended:
            raise self._ended
        saved = _Saved(self._lwp)
        saved.check()
        registers = dict(zip(_NAMES, _REGISTERS.unpack(saved.registers)))
        saved_rsp = registers["rsp"]
        stack = return_slot(saved_rsp)
        registers.update(zip(_ARGUMENTS, (value & (1 << 64) - 1 for value in arguments)))
        registers.update(
            rip=address, rsp=stack, rax=0,
            orig_rax=(1 << 64) - 1,  # no system call is to be restarted
            eflags=registers["eflags"] & ~_EFLAGS_CLEARED)
        try:
            borrowed = borrowed_stack(saved_rsp, self._read)
            self._write(stack, struct.pack("<Q", _RETURN_TO))
        except Unreadable:
            raise CallFailed("the thread has no stack left; `py-config inject off` needs none.")
        try:
            _set_registers(self._lwp, _REGISTERS.pack(*[registers[name] for name in _NAMES]))
            _set_mask(self._lwp, struct.pack("<Q", _MASK))
            return self._run()
        finally:
            if not self._ended:
                self._write(*borrowed)
                self._restore(saved)

    def _run(self):
        while True:
            _ptrace(_CONT, self._lwp, None, None)
            number = self._wait()
            now = dict(zip(_NAMES, _REGISTERS.unpack(_registers(self._lwp))))
            if number == signal.SIGSEGV and now["rip"] == _RETURN_TO:
                return now["rax"]
            if number == signal.SIGTRAP and _code(_siginfo(self._lwp)) == _TRAP_HWBKPT:
                continue  # a watchpoint of the debugger: not the program's doing
            raise CallFailed("it was stopped by %s at 0x%x; `py-config inject off` calls nothing."
                             % (signal_name(number), now["rip"]))

    def _wait(self):
        """The number of the signal that the thread stops with."""
        end = time.time() + _TIME_LIMIT
        nap = 0.00005
        while True:
            # Peek: the death of the process is for the debugger to see
            found = os.waitid(os.P_PID, self._lwp, os.WEXITED | os.WSTOPPED | os.WNOHANG
                              | os.WNOWAIT | _WALL)
            if found is not None:
                if found.si_code in (os.CLD_EXITED, os.CLD_KILLED, os.CLD_DUMPED):
                    self._ended = Ended(self._pid, " by " + signal_name(found.si_status)
                                        if found.si_code != os.CLD_EXITED else "")
                    raise self._ended
                _, status = os.waitpid(self._lwp, _WALL)
                return os.WSTOPSIG(status)
            if time.time() > end:
                end += _TIME_LIMIT
                self._signal(signal.SIGSTOP)
            time.sleep(nap)
            nap = min(nap * 2, 0.002)

    def _signal(self, number):
        _libc.syscall(_SYS_TGKILL, self._pid, self._lwp, number)

    def _restore(self, saved):
        _set_registers(self._lwp, saved.registers)
        if saved.xstate is not None:
            _set_regset(self._lwp, _NT_X86_XSTATE, saved.xstate)
        _set_mask(self._lwp, saved.mask)
        if saved.siginfo:
            _ptrace(_SETSIGINFO, self._lwp, None, saved.siginfo)


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
        self.mask = mask.raw

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


def return_slot(rsp):
    """Where on the stack the return address goes: below the red zone, aligned as the
    ABI wants it. Not in another page than rsp's, which need not be there yet: a stack
    grows by accesses of its thread only. There it may take what is in use, and a call
    what is below it: borrowed_stack() tells what to put back."""
    return max(((rsp - _RED_ZONE) & ~15) - 8, (rsp & -_PAGE) + 8)


def borrowed_stack(rsp, read):
    """(address, bytes) of what a call with its return address at return_slot(rsp) may
    overwrite although it is in use: the slot, and the red zone where it is below that."""
    slot = return_slot(rsp)
    low = min(slot - 8, rsp - _RED_ZONE)
    try:
        return low, read(low, slot + 8 - low)
    except Unreadable:  # the page below is not there yet, so nothing of it is in use
        return slot - 8, read(slot - 8, 16)


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
    _ptrace(_SETSIGMASK, lwp, 8, ctypes.create_string_buffer(mask, 8))


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
