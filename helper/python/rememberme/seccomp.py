"""What a seccomp filter would do to the system calls that an injection makes. The filters
are read by ptrace (from the process that traces, with CAP_SYS_ADMIN), and their classic BPF
is followed on every path that an argument which is not known here may take. Knows no
debugger and nothing of Python."""

import ctypes
import re
import struct

ALLOW = 0x7fff0000
_ARCHITECTURE = 0xc000003e  # AUDIT_ARCH_X86_64
_GET_FILTER = 0x420c
_STEPS = 200000  # of all paths through one filter
_WORD = 0xffffffff

# Every system call that is made in the debuggee or in its snapshot: number, and what is
# known of its arguments by their position
_MMAP = [{2: 5, 3: 0x22}, {2: 3, 3: 0x21}, {2: 3, 3: 0x32}, {2: 3, 3: 0x4022}]
CALLS = {
    "read": (0, [{}]), "write": (1, [{}]), "close": (3, [{}]), "mmap": (9, _MMAP),
    "mprotect": (10, [{}]), "munmap": (11, [{}]), "rt_sigaction": (13, [{3: 8}]), "rt_sigprocmask": (14, [{3: 8}]),
    "rt_sigreturn": (15, [{}]), "sched_yield": (24, [{}]), "madvise": (28, [{}]),
    "getpid": (39, [{}]),
    "clone": (56, [{0: 0x800000}, {0: 0x800100}, {0: 0xa50f00}]), "exit": (60, [{}]), "wait4": (61, [{}]),
    "kill": (62, [{}]), "sigaltstack": (131, [{}]), "prctl": (157, [{0: option} for option in (1, 15, 22, 37, 38)]),
    "rt_sigtimedwait": (128, [{}]), "arch_prctl": (158, [{0: 0x1002}]), "clock_gettime": (228, [{}]),
    "futex": (202, [{1: 0}, {1: 1}]), "sched_getaffinity": (204, [{}]), "exit_group": (231, [{}]),
    "tgkill": (234, [{}]), "openat": (257, [{}]), "gettid": (186, [{}]),
    "timer_create": (222, [{0: 3}]), "timer_settime": (223, [{}]), "timer_delete": (226, [{}]),
    "prlimit64": (302, [{}]),
    "close_range": (436, [{}]),
}

# What is done otherwise where it fails
_MAY_FAIL = ("close_range",)

# Those that the debuggee itself makes; the others are its snapshot's
IN_THE_PROCESS = ("mmap", "munmap", "clone", "getpid", "prctl", "rt_sigprocmask", "tgkill", "wait4",
                  "kill", "futex", "rt_sigreturn", "exit_group")


def mode(status):
    """0 (none), 1 (strict) or 2 (filter), of the text of /proc/PID/task/LWP/status."""
    found = re.search(r"^Seccomp:\s*(\d+)$", status, re.MULTILINE)
    return int(found.group(1)) if found else 0


def filters(lwp):
    """The programs of the filters of a thread, or None when they cannot be read."""
    ptrace = ctypes.CDLL(None, use_errno=True).ptrace
    ptrace.restype = ctypes.c_long
    ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    programs = []
    while True:
        n = ptrace(_GET_FILTER, lwp, len(programs), None)
        if n < 0:
            ended = ctypes.get_errno() == 2  # ENOENT: there is no further one
            return programs if ended and programs else None
        program = ctypes.create_string_buffer(8 * n)
        if ptrace(_GET_FILTER, lwp, len(programs), program) != n:
            return None
        programs.append(program.raw)


def refused(programs):
    """{name: action} of the calls that are not certain to be allowed."""
    found = {}
    for name, (number, variants) in CALLS.items():
        actions = set()
        for known in variants:
            for program in programs:
                actions |= outcomes(program, number, known)
        if name in _MAY_FAIL:
            actions = {ALLOW} | {action for action in actions if kills(action)}
        if actions != {ALLOW}:
            found[name] = min(actions - {ALLOW}, key=_severity)
    return found


def kills(action):
    """Whether the action ends the process for the call, a handler for SIGSYS apart."""
    return action & 0xffff0000 in (0x80000000, 0x00000000, 0x00030000)


def _severity(action):
    """The kernel's order: as signed numbers, the smaller one wins."""
    return action - (1 << 32) if action & 0x80000000 else action


def outcomes(program, number, known):
    """The set of what a filter may return for a call, whose arguments are known by position
    or not at all. A program that is not understood kills."""
    code = [struct.unpack_from("<HBBI", program, at) for at in range(0, len(program), 8)]
    data = {0: number, 4: _ARCHITECTURE}
    for position, value in known.items():
        data[16 + 8 * position] = value & _WORD
        data[20 + 8 * position] = value >> 32 & _WORD
    found, seen, waiting = set(), set(), [(0, 0, 0, ())]
    while waiting:
        state = waiting.pop()
        if state in seen:
            continue
        seen.add(state)
        if len(seen) > _STEPS or state[0] >= len(code):
            return {0}
        following = _step(code[state[0]], state, data)
        if following is None:
            return {0}
        for step in following:
            if isinstance(step, int):
                found.add(step & 0xffff0000)
            else:
                waiting.append(step)
    return found


def _step(instruction, state, data):
    """The states after an instruction, (where, A, X, memory), or what it returns; None for
    one that is not understood. A value that is not known is None."""
    code, if_true, if_false, k = instruction
    pc, a, x, memory = state
    kind = code & 7
    if kind in (0, 1):  # load into A, or into X
        cells = dict(memory)
        size_or_memory = {0x00: k, 0x60: cells.get(k, 0), 0x80: 64}
        if code & 0xf8 == 0x20 and kind == 0:
            value = data.get(k)
        elif code & 0xf8 in size_or_memory:
            value = size_or_memory[code & 0xf8]
        else:
            return None
        return [(pc + 1, value, x, memory) if kind == 0 else (pc + 1, a, value, memory)]
    if kind in (2, 3):  # store
        cells = dict(memory)
        cells[k] = a if kind == 2 else x
        return [(pc + 1, a, x, tuple(sorted(cells.items(), key=lambda cell: cell[0])))]
    operand = x if code & 8 else k
    if kind == 4:
        return _arithmetic(code & 0xf0, a, operand, (pc + 1, x, memory))
    if kind == 5:
        return [(pc + 1 + jump, a, x, memory)
                for jump in _jumps(code & 0xf0, a, operand, (if_true, if_false, k))]
    if kind == 6:
        value = a if code & 0x18 == 0x10 else k
        return [0 if value is None else value]
    return {0x07: [(pc + 1, a, a, memory)], 0x87: [(pc + 1, x, x, memory)]}.get(code)


def _arithmetic(operation, a, operand, rest):
    pc, x, memory = rest
    if operation == 0x50 and 0 in (a, operand):  # and with nothing: known all the same
        return [(pc, 0, x, memory)]
    if a is None or operand is None:
        return [(pc, None, x, memory)]
    if operation == 0x30 and not operand:
        return [0]  # the kernel ends the program with 0
    value = {0x00: lambda: a + operand, 0x10: lambda: a - operand, 0x20: lambda: a * operand,
             0x30: lambda: a // operand, 0x40: lambda: a | operand, 0x50: lambda: a & operand,
             0x60: lambda: a << (operand & 31), 0x70: lambda: a >> (operand & 31),
             0x80: lambda: -a, 0xa0: lambda: a ^ operand}.get(operation)
    return None if value is None else [(pc, value() & _WORD, x, memory)]


def _jumps(operation, a, operand, offsets):
    if_true, if_false, k = offsets
    if operation == 0:
        return [k]
    if a is None or operand is None:
        return [if_true, if_false]
    holds = {0x10: a == operand, 0x20: a > operand, 0x30: a >= operand,
             0x40: bool(a & operand)}.get(operation)
    return [if_true, if_false] if holds is None else [if_true if holds else if_false]
