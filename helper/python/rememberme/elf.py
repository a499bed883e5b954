"""Loaded ELF images: where they are, and what their dynamic symbols are. Reads
memory only (never a file), so it works for deleted files, in containers and over
a remote connection. Knows nothing of Python.

x86-64, little-endian. Everything read is bounded: the debuggee is not trusted.
"""

import collections
import re
import struct

from .adapter import Mapping
from .errors import Unreadable

PT_LOAD, PT_DYNAMIC = 1, 2
DT_HASH, DT_STRTAB, DT_SYMTAB, DT_GNU_HASH = 4, 5, 6, 0x6ffffef5
DT_RELA, DT_RELASZ, DT_RELAENT, DT_REL, DT_JMPREL, DT_RELR = 7, 8, 9, 17, 23, 36
R_X86_64_RELATIVE = 8
EM_X86_64 = 62
STT_NOTYPE, STT_OBJECT, STT_FUNC = 0, 1, 2

# Where an ELF file is mapped: its header at `base`; `end` is that of the last
# mapping of the file.
Image = collections.namedtuple("Image", "base end path")

_LONGEST_CHAIN = 10000  # of a hash table
_MOST_READS = 100000    # for one symbol: thousands of files with crafted tables must not cost hours

Segment = collections.namedtuple("Segment", "kind flags offset vaddr filesz memsz")


class NotElf(Exception):
    pass


def segments(read, base):
    """The program headers of the x86-64 ELF whose header is at `base`."""
    header = read(base, 64)
    machine = struct.unpack_from("<H", header, 18)[0]
    if header[:6] != b"\x7fELF\x02\x01" or machine != EM_X86_64:
        raise NotElf()
    phoff, = struct.unpack_from("<Q", header, 32)
    phentsize, phnum = struct.unpack_from("<HH", header, 54)
    if phentsize != 56 or not 0 < phnum < 256 or phoff > 1 << 20:
        raise NotElf()
    table = read(base + phoff, 56 * phnum)
    result = []
    for i in range(phnum):
        kind, flags, offset, vaddr, _, filesz, memsz, _ = struct.unpack_from(
            "<IIQQQQQQ", table, 56 * i)
        result.append(Segment(kind, flags, offset, vaddr, filesz, memsz))
    return result


def extent(parts):
    """(lowest, highest) page-rounded address that PT_LOAD segments cover."""
    loads = [part for part in parts if part.kind == PT_LOAD]
    if not loads:
        raise NotElf()
    return (min(part.vaddr for part in loads) & ~0xfff,
            max(part.vaddr + part.memsz + 0xfff for part in loads) & ~0xfff)


def images(mappings, read):
    """Every x86-64 ELF file that is mapped with its header, as a list of Image."""
    result = []
    limit = 0  # where the image found last ends, by its program headers
    for mapping in mappings:
        if not mapping.path.startswith("/"):
            continue
        last = result[-1] if result else None
        if last is not None and mapping.path == last.path and mapping.start < limit:
            result[-1] = last._replace(end=max(last.end, mapping.end))
            continue
        if mapping.offset != 0 or "r" not in mapping.flags:
            continue
        try:
            low, high = extent(segments(read, mapping.start))
        except (NotElf, Unreadable):
            continue
        limit = mapping.start + high - low
        result.append(Image(mapping.start, mapping.end, mapping.path))
    return result


def parse_maps(text):
    """The lines of /proc/PID/maps as a list of Mapping."""
    result = []
    for line in text.split("\n"):  # a name may hold other line ends
        match = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S{4}) ([0-9a-f]+) \S+ \d+\s*(.*)", line)
        if match:
            start, end, flags, offset, path = match.groups()
            result.append(
                Mapping(int(start, 16), int(end, 16), flags, int(offset, 16), path))
    return result


class Symbols(object):
    """The dynamic symbols of one image."""

    def __init__(self, read, base):
        self._read = read
        parts = segments(read, base)
        self._bias = base - extent(parts)[0]
        self._base = base
        self._tables = {}
        for part in parts:
            if part.kind == PT_DYNAMIC and part.memsz < 1 << 16:
                self._read_dynamic(self._bias + part.vaddr, part.memsz // 16)

    def _read_dynamic(self, address, n):
        data = self._read(address, 16 * n)
        for i in range(n):
            tag, value = struct.unpack_from("<qQ", data, 16 * i)
            if tag == 0:
                break
            if tag in (DT_HASH, DT_STRTAB, DT_SYMTAB, DT_GNU_HASH):
                # glibc relocates these in place, musl does not
                self._tables[tag] = value if value >= self._base else value + self._bias

    def lookup(self, name):
        """The address of the data or function symbol `name`, or None."""
        if DT_SYMTAB not in self._tables or DT_STRTAB not in self._tables:
            return None
        wanted = name.encode() + b"\0"
        if DT_GNU_HASH in self._tables:
            indices = self._gnu_candidates(wanted[:-1])
        elif DT_HASH in self._tables:
            indices = self._sysv_candidates(wanted[:-1])
        else:
            return None
        for index in indices:
            entry = self._read(self._tables[DT_SYMTAB] + 24 * index, 24)
            offset, info, _, section, value = struct.unpack_from("<IBBHQ", entry)
            if section == 0 or info & 15 not in (STT_NOTYPE, STT_OBJECT, STT_FUNC):
                continue
            if self._read(self._tables[DT_STRTAB] + offset, len(wanted)) == wanted:
                return self._bias + value
        return None

    def _words(self, address, n):
        return struct.unpack("<%dI" % n, self._read(address, 4 * n))

    def _gnu_candidates(self, name):
        code = 5381
        for byte in name:
            code = (code * 33 + byte) & 0xffffffff
        table = self._tables[DT_GNU_HASH]
        n_buckets, first, n_bloom, _ = self._words(table, 4)
        buckets = table + 16 + 8 * n_bloom
        if not n_buckets:
            return
        begin = self._words(buckets + 4 * (code % n_buckets), 1)[0]
        if begin < first:
            return
        for index in range(begin, begin + _LONGEST_CHAIN):
            chain = self._words(buckets + 4 * n_buckets + 4 * (index - first), 1)[0]
            if chain | 1 == code | 1:
                yield index
            if chain & 1:
                return

    def _sysv_candidates(self, name):
        code = 0
        for byte in name:
            code = (code << 4) + byte
            high = code & 0xf0000000
            code = (code ^ (high >> 24)) & 0x0fffffff
        table = self._tables[DT_HASH]
        n_buckets, n_chains = self._words(table, 2)
        if not n_buckets:
            return
        index = self._words(table + 8 + 4 * (code % n_buckets), 1)[0]
        for _ in range(_LONGEST_CHAIN):
            if not 0 < index < n_chains:
                return
            yield index
            index = self._words(table + 8 + 4 * n_buckets + 4 * index, 1)[0]


def find_symbol(read, candidates, name):
    """The address of `name` in the first of the images that defines it, or None."""
    left = _MOST_READS

    def counted(address, size):
        nonlocal left
        left -= 1
        return read(address, size)

    for image in candidates:
        if left <= 0:
            return None
        try:
            address = Symbols(counted, image.base).lookup(name)
        except (NotElf, Unreadable):
            continue
        if address is not None:
            return address
    return None


def flatten(content):
    """A shared library's file content as it lies in memory when loaded at 0, not relocated."""
    def read(offset, size):
        return content[offset:offset + size]
    parts = segments(read, 0)
    low, high = extent(parts)
    if low != 0:
        raise NotElf()
    memory = bytearray(high)
    for part in parts:
        if part.kind == PT_LOAD:
            data = content[part.offset:part.offset + part.filesz]
            memory[part.vaddr:part.vaddr + len(data)] = data
    return bytes(memory)


def relocate(memory, base):
    """What flatten() gave, for where `base` is its address. The only relocation that needs no
    dynamic linker is R_X86_64_RELATIVE: a word that is the address of something in the library.
    The build lets no other through; NotElf where there is one."""
    def read(offset, size):
        if offset + size > len(memory):
            raise NotElf()
        return memory[offset:offset + size]
    moved = bytearray(memory)
    for part in segments(read, 0):
        if part.kind != PT_DYNAMIC:
            continue
        tags = dict(struct.iter_unpack("<QQ", read(part.vaddr, part.memsz & -16)))
        if tags.keys() & {DT_REL, DT_JMPREL, DT_RELR} or tags.get(DT_RELAENT, 24) != 24:
            raise NotElf()
        table = read(tags.get(DT_RELA, 0), tags.get(DT_RELASZ, 0) // 24 * 24)
        for offset, info, addend in struct.iter_unpack("<QQq", table):
            if info != R_X86_64_RELATIVE or not 0 <= addend < len(memory):
                raise NotElf()
            read(offset, 8)
            struct.pack_into("<Q", moved, offset, base + addend)
    return bytes(moved)
