"""Counts for ever, in a file that it shares, and in between waits in each way that C has; none of
them may end early: waits.py FILE."""

import ctypes
import mmap
import struct
import sys
import threading
import time

libc = ctypes.CDLL(None, use_errno=True)
SHORT = (ctypes.c_long * 2)(0, 4000000)
MICRO = (ctypes.c_long * 2)(0, 4000)


def waits(lock):
    yield "nanosleep", libc.nanosleep(SHORT, None)
    yield "clock_nanosleep", libc.clock_nanosleep(1, 0, SHORT, None)
    yield "poll", libc.poll(None, 0, 4)
    yield "ppoll", libc.ppoll(None, 0, SHORT, None)
    yield "select", libc.select(0, None, None, None, (ctypes.c_long * 2)(*MICRO))
    yield "usleep", libc.usleep(4000)
    yield "lock", int(lock.acquire(timeout=0.004))
    time.sleep(0.004)


def main():
    with open(sys.argv[1], "r+b") as file:
        shared = mmap.mmap(file.fileno(), 8)
    lock = threading.Lock()
    lock.acquire()
    n = 0
    while True:
        started = time.monotonic()
        for name, result in waits(lock):
            if result:
                sys.exit("%s ended with %d, errno %d" % (name, result, ctypes.get_errno()))
        if time.monotonic() - started < 0.03:
            sys.exit("a wait ended early")
        n += 1
        shared[:] = struct.pack("<Q", n)


main()
