"""Counts for ever, in a file that it shares and by no system call but a sleep, under a seccomp
filter that does something about one call: filtered.py FILE NUMBER ACTION."""

import ctypes
import mmap
import struct
import sys
import time

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, FILTER, ALLOW = 22, 38, 2, 0x7fff0000


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]


def confine(number, action):
    code = b"".join(struct.pack("<HBBI", *step) for step in (
        (0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, action), (0x06, 0, 0, ALLOW)))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    buffer = ctypes.create_string_buffer(code, len(code))
    program = Program(len(code) // 8, ctypes.addressof(buffer))
    assert prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    assert prctl(PR_SET_SECCOMP, FILTER, ctypes.byref(program), 0, 0) == 0


def main():
    with open(sys.argv[1], "r+b") as file:
        shared = mmap.mmap(file.fileno(), 8)
    data = [bytearray(1000) for _ in range(10)]
    if len(sys.argv) > 2:
        confine(int(sys.argv[2]), int(sys.argv[3]))
    n = 0
    while data:
        n += 1
        shared[:] = struct.pack("<Q", n)
        time.sleep(0.005)


main()
