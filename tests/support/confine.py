"""Runs a command under a seccomp filter like those that containers and units have:

    confine.py docker|systemd|deny-prctl [--user UID] COMMAND…

docker   what Docker's default profile refuses, with EPERM
systemd  what SystemCallFilter=@system-service leaves out: the call ends the process (SIGSYS), as
         without SystemCallErrorNumber=
deny-prctl  the same as docker, and no further filter either
"""

import ctypes
import os
import struct
import sys

# By number on x86-64 (asm/unistd_64.h)
_ADMINISTRATION = {
    "acct": 163, "bpf": 321, "clock_adjtime": 305, "clock_settime": 227, "delete_module": 176,
    "finit_module": 313, "init_module": 175, "ioperm": 173, "iopl": 172, "kexec_file_load": 320,
    "kexec_load": 246, "mount": 165, "open_by_handle_at": 304, "pivot_root": 155, "quotactl": 179,
    "reboot": 169, "setns": 308, "settimeofday": 164, "swapoff": 168, "swapon": 167,
    "umount2": 166, "unshare": 272, "vhangup": 153, "fsopen": 430, "move_mount": 429,
    "perf_event_open": 298, "lookup_dcookie": 212, "userfaultfd": 323, "fanotify_init": 300,
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
}
_DOCKER = dict(_ADMINISTRATION, add_key=248, keyctl=250, request_key=249, get_mempolicy=239,
               mbind=237, set_mempolicy=238, move_pages=279)
_SYSTEMD = dict(_ADMINISTRATION, ptrace=101, kcmp=312, process_vm_readv=310,
                process_vm_writev=311, pidfd_getfd=438, chroot=161, personality_vm86=135)

_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _EPERM, _ENOSYS, _KILL = 0x7fff0000, 0x00050001, 0x00050026, 0x80000000
_CLONE3, _PRCTL, _SECCOMP = 435, 157, 317
_SET_SECCOMP = 22


def _filter(numbers, action, extra=()):
    program = [(_LOAD, 0, 0, 0)]
    for number in numbers:
        program += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, action)]
    program += [(_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, _ENOSYS)]
    return b"".join(struct.pack("<HBBI", *line) for line in program + list(extra)
                    + [(_RETURN, 0, 0, _ALLOW)])


_NO_FILTERS = [(_EQUAL, 0, 1, _SECCOMP), (_RETURN, 0, 0, _EPERM),
               (_EQUAL, 0, 3, _PRCTL), (_LOAD, 0, 0, 16),
               (_EQUAL, 0, 1, _SET_SECCOMP), (_RETURN, 0, 0, _EPERM)]

FILTERS = {
    "docker": _filter(_DOCKER.values(), _EPERM),
    "systemd": _filter(_SYSTEMD.values(), _KILL),
    "deny-prctl": _filter(_DOCKER.values(), _EPERM, _NO_FILTERS),
}


class _Program(ctypes.Structure):
    _fields_ = [("n", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def main(name, *command):
    libc = ctypes.CDLL(None, use_errno=True)
    if command[0] == "--user":
        os.setgroups([])
        os.setresgid(*[int(command[1])] * 3)
        os.setresuid(*[int(command[1])] * 3)
        command = command[2:]
    code = FILTERS[name]
    program = _Program(len(code) // 8, ctypes.cast(code, ctypes.c_void_p))
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(_SET_SECCOMP, 2, ctypes.byref(program), 0, 0):
        sys.exit("no filter: %s" % os.strerror(ctypes.get_errno()))
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
