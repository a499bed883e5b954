"""Cores to read: made up byte by byte, and of processes (a gcore, the kernel's).

Knows the format as the kernel (fs/binfmt_elf.c) and gdb write it."""

import ctypes
import os
import signal
import struct
import subprocess
import time

import matrix
import target as targets

ET_CORE, EM_X86_64 = 4, 62
PT_LOAD, PT_NOTE = 1, 4
R, W, X = 4, 2, 1
NT_PRSTATUS, NT_PRPSINFO, NT_FILE = 1, 3, 0x46494C45
PN_XNUM = 0xffff
PAGE = 4096
TGKILL = 234

_EHDR = struct.Struct("<16sHHIQQQIHHHHHH")
_PHDR = struct.Struct("<IIQQQQQQ")
_SHDR = struct.Struct("<IIQQQQIIQQ")


def ehdr(phnum, type=ET_CORE, machine=EM_X86_64, elf_class=2, data=1, phoff=64, shoff=0, shnum=0,
         phentsize=56):
    ident = b"\x7fELF" + bytes([elf_class, data, 1, 0]) + bytes(8)
    return _EHDR.pack(ident, type, machine, 1, 0, phoff, shoff, 0, 64, phentsize, phnum,
                      64 if shnum else 0, shnum, 0)


def phdr(type, flags, offset, vaddr, filesz, memsz, align=PAGE):
    return _PHDR.pack(type, flags, offset, vaddr, 0, filesz, memsz, align)


def note(type, desc, name=b"CORE\0"):
    pad = lambda data: data + bytes(-len(data) % 4)  # noqa: E731
    return struct.pack("<III", len(name), len(desc), type) + pad(name) + pad(desc)


def prstatus(lwp, thread_pointer=0x7000, signal=0):
    desc = bytearray(336)
    struct.pack_into("<H", desc, 12, signal)
    struct.pack_into("<I", desc, 32, lwp)
    struct.pack_into("<Q", desc, 112 + 21 * 8, thread_pointer)
    return note(NT_PRSTATUS, bytes(desc))


def prpsinfo(pid):
    desc = bytearray(136)
    struct.pack_into("<I", desc, 24, pid)
    return note(NT_PRPSINFO, bytes(desc))


def files(mappings, unit=PAGE, count=None):
    """`mappings`: (start, end, offset in units, path)."""
    desc = struct.pack("<QQ", len(mappings) if count is None else count, unit)
    desc += b"".join(struct.pack("<QQQ", *m[:3]) for m in mappings)
    desc += b"".join(m[3].encode() + b"\0" for m in mappings)
    return note(NT_FILE, desc)


THREAD = prpsinfo(100) + prstatus(100, signal=11)


def core(segments, notes=THREAD, unaligned=0, extended=False, **header):
    """`segments`: (address, content, size in memory, flags). The file as the kernel
    writes it, or with offsets as gdb does (`unaligned`)."""
    n = len(segments) + 1
    notes_at = 64 + n * 56
    at = -(-(notes_at + len(notes)) // PAGE) * PAGE + unaligned
    headers = bytearray(phdr(PT_NOTE, 0, notes_at, 0, len(notes), 0, 4))
    body = bytearray()
    for address, content, memsz, flags in segments:
        headers += phdr(PT_LOAD, flags, at + len(body), address, len(content), memsz)
        body += content
    data = bytes(headers) + notes
    data += bytes(at - 64 - len(data)) + body
    if not extended:
        return ehdr(n, **header) + data
    tail = _SHDR.pack(0, 0, 0, 0, 0, 0, 0, n, 0, 0)  # sh_info has the count
    return ehdr(PN_XNUM, shoff=64 + len(data), shnum=1, **header) + data + tail


def gcore(pid, directory):
    subprocess.run(["gcore", "-o", str(directory / "gcore"), str(pid)], check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                   env=matrix.ENVIRONMENT)
    return directory / ("gcore.%d" % pid)


def freeze(target):
    """Stops the process, as a debugger would."""
    os.kill(target.pid, signal.SIGSTOP)
    while thread_state(target.pid) not in "Tt":
        time.sleep(0.005)


def thread_state(pid):
    with open("/proc/%d/stat" % pid) as file:
        return file.read().rpartition(")")[2].split()[0]


def kernel_core(target, number=signal.SIGSEGV):
    """As target.kernel_core; a frozen process runs not one instruction before it dies."""
    if target.process.poll() is None:
        # To the main thread: a signal to the process may take another one.
        ctypes.CDLL(None).syscall(TGKILL, target.pid, target.pid, int(number))
        os.kill(target.pid, signal.SIGCONT)
        target.process.wait(60)
    return targets.kernel_core(target, number)


def thread_pointer(pid, lwp=None):
    """The fs base, as a debugger reads it."""
    done = subprocess.run(
        ["gdb", "-nx", "-batch", "-p", str(lwp or pid), "-ex", "printf \"fs=%lu\\n\", $fs_base"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env=matrix.ENVIRONMENT, check=True)
    return int(done.stdout.decode().rpartition("fs=")[2].split()[0])


class Mapping:
    def __init__(self, line):
        fields = line.split(None, 5)
        self.start, self.end = (int(word, 16) for word in fields[0].split("-"))
        self.permissions = fields[1]
        self.offset = int(fields[2], 16)
        self.path = fields[5].rstrip("\n") if len(fields) > 5 else ""


def mappings(pid):
    with open("/proc/%d/maps" % pid) as file:
        return [Mapping(line) for line in file]


def relocations(library):
    """Where the entries of .rela.dyn are in the content of a shared library."""
    at, size, count = struct.unpack_from("<Q", library, 40)[0], *struct.unpack_from("<HH", library, 58)
    for i in range(count):
        kind, offset, length = (struct.unpack_from("<I", library, at + i * size + 4)
                                + struct.unpack_from("<QQ", library, at + i * size + 24))
        if kind == 4:  # SHT_RELA
            return range(offset, offset + length, 24)
    return ()
