"""A process with a bit of everything in its memory, for tests of undump: several
threads, mappings without access, data and code at known addresses."""

import ctypes
import mmap
import os
import sys
import threading

import stage


def address_of(function):
    return ctypes.cast(function, ctypes.c_void_p).value


def mapped(size):
    area = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return area, ctypes.addressof(ctypes.c_char.from_buffer(area))


def in_thread(event):
    event.wait()


def many_mappings(count):
    """`count` mappings that the kernel cannot join: every other page is read-only."""
    libc = ctypes.CDLL(None, use_errno=True)
    area, start = mapped(count * mmap.PAGESIZE)
    for i in range(0, count, 2):
        ctypes.c_uint64.from_address(start + i * mmap.PAGESIZE).value = i
        result = libc.mprotect(ctypes.c_void_p(start + i * mmap.PAGESIZE),
                               ctypes.c_size_t(mmap.PAGESIZE), 1)
        assert result == 0, os.strerror(ctypes.get_errno())
    return area, start


def main(count):
    event = threading.Event()
    for _ in range(3):
        threading.Thread(target=in_thread, args=(event,), daemon=True).start()
    # mov $42, %eax; ret
    machine_code, code_at = mapped(mmap.PAGESIZE)
    machine_code.write(b"\xb8\x2a\0\0\0\xc3")
    numbers, numbers_at = mapped(1 << 24)
    for i in range(0, 1 << 24, mmap.PAGESIZE):
        numbers[i:i + 8] = (i + 1).to_bytes(8, "little")
    keep = many_mappings(count) if count else None
    stage.wait(code=code_at, numbers=numbers_at, many=keep and keep[1],
               function=address_of(ctypes.pythonapi.Py_IsInitialized),
               data=id(numbers))


main(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
