"""Images and dynamic symbols, read from the memory of this very process."""

import ctypes
import os

import pytest

import matrix
from rememberme import elf
from rememberme.errors import Unreadable


class Memory:
    def __init__(self, pid):
        self._file = open("/proc/%d/mem" % pid, "rb", buffering=0)

    def read(self, address, size):
        try:
            data = os.pread(self._file.fileno(), size, address)
        except (OSError, OverflowError):
            data = b""
        if len(data) != size:
            raise Unreadable(address, size)
        return data


@pytest.fixture(scope="module")
def process():
    with open("/proc/self/maps") as maps:
        mappings = elf.parse_maps(maps.read())
    read = Memory(os.getpid()).read
    return read, mappings, elf.images(mappings, read)


def test_parse_maps():
    found = elf.parse_maps(
        "00400000-00452000 r-xp 00001000 08:02 173521      /usr/bin/a b (deleted)\n"
        "7ffc0000-7ffd0000 rw-p 00000000 00:00 0 \n"
        "not a mapping\n")
    assert found == [(0x400000, 0x452000, "r-xp", 0x1000, "/usr/bin/a b (deleted)"),
                     (0x7ffc0000, 0x7ffd0000, "rw-p", 0, "")]


def test_every_library_is_one_image(process):
    read, mappings, images = process
    paths = [image.path for image in images]
    assert len(paths) == len(set(paths))
    assert os.path.realpath("/proc/self/exe") in paths
    for image in images:
        low, high = elf.extent(elf.segments(read, image.base))
        # libffi maps a part of its own file once more, elsewhere
        mine = [mapping for mapping in mappings if mapping.path == image.path
                and image.base <= mapping.start < image.base + high - low]
        assert image.base == min(mapping.start for mapping in mine)
        assert image.end == max(mapping.end for mapping in mine)
        assert read(image.base, 4) == b"\x7fELF"


def address_of(name):
    return ctypes.cast(getattr(ctypes.CDLL(None), name), ctypes.c_void_p).value


@pytest.mark.parametrize("name", ["mmap", "munmap", "_PyRuntime", "PyType_Type", "Py_Version"])
def test_symbols_are_those_of_the_linker(process, name):
    read, _, images = process
    libc = [image for image in images if "/libc" in image.path]
    wanted = libc if name.endswith("map") else images
    assert elf.find_symbol(read, wanted, name) == address_of(name)


def test_unknown_and_undefined_symbols(process):
    read, _, images = process
    assert elf.find_symbol(read, images, "no_such_symbol") is None
    program = [image for image in images if image.path == os.path.realpath("/proc/self/exe")]
    assert elf.find_symbol(read, program, "malloc") is None  # imported only


def test_damaged_tables_end(process):
    """A hash chain that never ends, sizes that lie: no endless loop, no traceback."""
    path = [image.path for image in process[2] if "/libc.so" in image.path][0]
    with open(path, "rb") as opened:
        content = opened.read()
    flat = bytearray(elf.flatten(content))
    parts = elf.segments(lambda offset, size: bytes(flat[offset:offset + size]), 0)
    dynamic = [part for part in parts if part.kind == elf.PT_DYNAMIC][0]
    for fill in (b"\xff", b"\0", b"\x7f"):
        broken = bytearray(flat)
        broken[dynamic.vaddr + 8::16] = fill * len(broken[dynamic.vaddr + 8::16])

        def read(offset, size, memory=broken):
            data = bytes(memory[offset:offset + size])
            if len(data) != size:
                raise Unreadable(offset, size)
            return data

        assert elf.find_symbol(read, [elf.Image(0, len(broken), "/x")], "mmap") is None


def test_flatten_is_what_the_loader_maps():
    path = str(matrix.helper_library())
    with open(path, "rb") as opened:
        flat = elf.flatten(opened.read())
    ctypes.CDLL(path)
    read = Memory(os.getpid()).read
    with open("/proc/self/maps") as maps:
        images = elf.images(elf.parse_maps(maps.read()), read)
    base = [image.base for image in images if image.path == os.path.realpath(path)][0]
    symbols = elf.Symbols(lambda offset, size: flat[offset:offset + size], 0)
    entry = symbols.lookup("rme_start")
    assert entry and read(base + entry, 64) == flat[entry:entry + 64]
    moved = elf.relocate(flat, base)
    words = [at for at in range(0, len(flat), 8) if flat[at:at + 8] != moved[at:at + 8]]
    assert words  # the table in query/answer.c
    for at in words:
        assert read(base + at, 8) == moved[at:at + 8]
    assert elf.relocate(flat, 0) != moved and len(moved) == len(flat)


def test_not_elf():
    with pytest.raises(elf.NotElf):
        elf.flatten(b"#!/bin/sh\n" + bytes(100))
