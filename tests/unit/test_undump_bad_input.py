"""What undump says to files that are no cores that it can read: one sentence each."""

import gzip
import os
import struct
import subprocess

import pytest

import cores
import matrix
import undump
from cores import EM_X86_64, PAGE, R, W, core, ehdr
from rememberme import elf

MEMORY = [(0x10000000, b"a" * PAGE, PAGE, R | W), (0x10002000, b"b" * PAGE, PAGE, R)]
AARCH64, RISCV, I386 = 183, 243, 3


def elf32(machine=I386):
    return ehdr(1, machine=machine, elf_class=1)


def with_segment(*segment, **header):
    """MEMORY, and one more program header as it is given: flags, offset, address,
    size in the file, size in memory."""
    data = bytearray(core(MEMORY + [(0, b"", 0, 0)], **header))
    at = 64 + 3 * 56
    data[at:at + 56] = cores.phdr(cores.PT_LOAD, *segment)
    return bytes(data)


def with_notes(notes):
    return core(MEMORY, notes=notes)


CASES = {
    "text": (b"Process 4711 (python3) of user 1000 dumped core.\n", "not-a-core", "ELF header"),
    "empty": (b"", "not-a-core", "is empty"),
    "magic only": (b"\x7fELF", "not-a-core", "ELF header"),
    "half a header": (ehdr(2)[:40], "damaged-core", "40 bytes"),
    "header without the end": (ehdr(2)[:63], "damaged-core", "63 bytes"),
    "library": (ehdr(2, type=3) + bytes(200), "not-a-core", "an ELF shared library"),
    "program": (ehdr(2, type=2) + bytes(200), "not-a-core", "an ELF program"),
    "object": (ehdr(2, type=1) + bytes(200), "not-a-core", "an ELF object file"),
    "32 bits": (elf32(), "unsupported-core", "32-bit"),
    "x32": (elf32(EM_X86_64), "unsupported-core", "32-bit"),
    "aarch64": (ehdr(2, machine=AARCH64), "unsupported-core", "AArch64"),
    "riscv": (ehdr(2, machine=RISCV), "unsupported-core", "RISC-V"),
    "big-endian": (ehdr(2, type=0x0400, machine=0x1600, data=2), "unsupported-core",
                   "another CPU"),
    "zstd": (b"\x28\xb5\x2f\xfd" + bytes(100), "compressed-core", "zstd -dc"),
    "gzip": (gzip.compress(core(MEMORY)), "compressed-core", "gzip -dc"),
    "lz4": (b"\x04\x22\x4d\x18" + bytes(100), "compressed-core", "lz4 -dc"),
    "xz": (b"\xfd7zXZ\0" + bytes(100), "compressed-core", "xz -dc"),
    "bzip2": (b"BZh91AY&SY" + bytes(100), "compressed-core", "bzip2 -dc"),
    "zero headers": (ehdr(0) + bytes(4096), "damaged-core", "no program headers"),
    "headers cut": (core(MEMORY)[:100], "damaged-core", "inside its program headers"),
    "headers elsewhere": (ehdr(3, phoff=1 << 62) + bytes(4096), "damaged-core",
                          "inside its program headers"),
    "wrong size of headers": (ehdr(2, phentsize=32) + bytes(4096), "damaged-core", "32 bytes"),
    "notes cut": (core(MEMORY)[:64 + 3 * 56 + 100], "damaged-core", "threads and files"),
    "no thread": (with_notes(cores.prpsinfo(1)), "damaged-core", "no thread"),
    "no notes": (with_notes(b""), "damaged-core", "no thread"),
    "notes of zeros": (with_notes(bytes(64)), "damaged-core", "no thread"),
    "note longer than the notes": (with_notes(struct.pack("<III", 5, 1 << 30, 1) + b"CORE\0\0\0\0"),
                                   "damaged-core", "no thread"),
    "kernel address": (with_segment(R, 0, 0xffff888000000000, 0, PAGE), "damaged-core",
                       "0xffff888000000000"),
    "across the end of user space": (with_segment(R, 0, 0x7ffffffff000, 0, 2 * PAGE),
                                     "damaged-core", "0x7ffffffff000"),
    "around the end of numbers": (with_segment(R, 0, 0xfffffffffffff000, 0, 2 * PAGE),
                                  "damaged-core", "0xfffffffffffff000"),
    "huge": (with_segment(R | W, 0x3000, 0x20000000, 1 << 62, 1 << 62), "damaged-core",
             "0x4000000000000000"),
    "more in the file than in memory": (with_segment(R, 0x3000, 0x20000000, 2 * PAGE, PAGE),
                                        "damaged-core", "0x20"),
    "offset around the end of numbers": (
        with_segment(R, (1 << 64) - PAGE, 0x20000000, 2 * PAGE, 2 * PAGE), "damaged-core",
        "0xfffffffffffff000"),
    "same memory twice": (with_segment(R, 0x3000, 0x10000000, 0, PAGE), "damaged-core",
                          "0x10000000 twice"),
    "overlapping memory": (with_segment(R, 0x3000, 0x0ffff000, 0, 3 * PAGE), "damaged-core",
                           "twice"),
    "same bytes of the file": (with_segment(R, 0x1000, 0x20000000, PAGE, PAGE), "damaged-core",
                               "same piece of the file"),
    "more files than note": (with_notes(cores.THREAD + cores.files([], count=1 << 60)),
                             "damaged-core", "list of files"),
    "files backwards": (
        with_notes(cores.THREAD + cores.files([(0x10002000, 0x10003000, 0, "/a"),
                                               (0x10000000, 0x10001000, 0, "/b")])),
        "damaged-core", "list of files"),
    "file without a name": (
        with_notes(cores.THREAD + cores.note(cores.NT_FILE, struct.pack(
            "<5Q", 1, PAGE, 0x10000000, 0x10001000, 0))), "damaged-core", "list of files"),
    "file of no size": (with_notes(cores.THREAD + cores.files([(0x10000000, 0x10000000, 0, "/a")])),
                        "damaged-core", "list of files"),
    "file of the kernel": (
        with_notes(cores.THREAD + cores.files([(0xffff888000000000, 0xffff888000001000, 0, "/a")])),
        "damaged-core", "list of files"),
    "file at an odd offset": (
        with_notes(cores.THREAD + cores.files([(0x10000000, 0x10001000, 7, "/a")], unit=1)),
        "damaged-core", "list of files"),
    "unit of zero": (
        with_notes(cores.THREAD + cores.files([(0x10000000, 0x10001000, 0, "/a")], unit=0)),
        "damaged-core", "list of files"),
}


@pytest.mark.parametrize("name", CASES)
def test_one_sentence(name, tmp_path):
    data, kind, words = CASES[name]
    path = tmp_path / "core"
    path.write_bytes(data)
    answer = undump.ask(path, undump.request(undump.TABLES))
    assert answer.kind == kind, answer.output
    assert words in answer.message and "\n" not in answer.message
    assert str(path) in answer.message
    assert answer.errors == ""
    assert list(answer.json) == ["error"]


def test_the_sound_one(tmp_path):
    """What the cases above are made from is read."""
    path = tmp_path / "core"
    path.write_bytes(core(MEMORY))
    answer = undump.ask(path, undump.request(undump.TABLES))
    assert answer.kind is None, answer.output
    assert answer.json["threads"] == [[1, 100, 0x7000, 0]]
    assert answer.json["undump"]["pid"] == 100 and answer.json["undump"]["signal"] == 11
    assert [c["kind"] for c in answer.json["undump"]["caveats"]] == ["no-file-list"]
    assert undump.words(path, [0x10000000, 0x10002ff8]) == [0x6161616161616161,
                                                            0x6262626262626262]


@pytest.mark.parametrize("path, kind", [("/nonexistent/core", "no-such-file"),
                                        ("/", "not-a-core"), ("/dev/zero", "not-a-core")])
def test_no_file(path, kind):
    assert undump.ask(path, undump.request(undump.TABLES)).kind == kind


@pytest.mark.parametrize("pid, kind", [(2 ** 22 + 1, "no-process"), (2, "no-process")])
def test_no_process(pid, kind):
    answer = undump.ask(pid, undump.request(undump.TABLES, thread_pointer=1))
    assert answer.kind in (kind, "system"), answer.output


def test_process_that_runs():
    process = subprocess.Popen(["sleep", "100"], stdin=subprocess.DEVNULL)
    try:
        answer = undump.ask(process.pid, undump.request(undump.TABLES, thread_pointer=1))
        assert answer.kind == "no-process" and "running" in answer.message
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("options", [
    [], ["--library", "x"], ["--nonsense"], ["--core"],
    ["--library", "x", "--request", "y"],
    ["--library", "x", "--request", "y", "--core", "c", "--pid", "1"],
    ["--library", "x", "--request", "y", "--pid", "0"],
    ["--library", "x", "--request", "y", "--pid", "one"],
    ["--library", "x", "--request", "y", "--core", "c", "--lwp", "-1"],
    ["--library", "x", "--request", "y", "--core", "c", "--map", "no equals sign"],
    ["--library", "x", "--request", "y", "--core", "c", "--serve"],
    ["--library", "x", "--request", "y", "--core", "c", "more"]])
def test_command_line(options):
    done = subprocess.run([undump.PROGRAM] + options, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20)
    answer = undump.Answer(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert done.returncode == 2 and answer.json["error"]["kind"] == "usage"
    assert answer.message in answer.errors


REQUEST = undump.request(undump.TABLES)
BAD_REQUESTS = {
    "empty": b"",
    "short": REQUEST[:-1],
    "another version": struct.pack("<I", 99) + REQUEST[4:],
    "threads outside": undump.request(undump.TABLES, threads=[(1, 2, 3)])[:-1],
    "exprs outside": undump.request(undump.TABLES, [1])[:-9],
    "many threads": REQUEST[:80] + struct.pack("<II", 112, 0xffffffff) + REQUEST[88:],
    "table at an odd place": REQUEST[:80] + struct.pack("<II", 113, 1) + REQUEST[88:] + bytes(100),
    "table inside the header": REQUEST[:80] + struct.pack("<II", 0, 1) + REQUEST[88:],
}


@pytest.mark.parametrize("name", BAD_REQUESTS)
def test_bad_request(name, tmp_path):
    path = tmp_path / "core"
    path.write_bytes(core(MEMORY))
    assert undump.ask(path, BAD_REQUESTS[name]).kind == "bad-request"


@pytest.mark.parametrize("library, words", [
    ("/nonexistent.so", "cannot be opened"), ("/etc/passwd", "no 64-bit"),
    ("/bin/true", "needs a dynamic linker"), ("/", "no 64-bit")])
def test_bad_library(library, words, tmp_path):
    path = tmp_path / "core"
    path.write_bytes(core(MEMORY))
    answer = undump.ask(path, REQUEST, library=library)
    assert answer.kind == "bad-library" and words in answer.message, answer.output


@pytest.mark.parametrize("damage", ["type", "symbol", "offset", "addend", "negative"])
def test_library_with_a_relocation_that_is_not_applied(damage, tmp_path):
    """Of the helper's own, the last one damaged; nothing outside it is ever written."""
    content = bytearray(matrix.helper_library().read_bytes())
    at = cores.relocations(content)[-1]
    offset, info, addend = struct.unpack_from("<QQq", content, at)
    damaged = {"type": (offset, 6, addend), "symbol": (offset, 8 | 1 << 32, addend),
               "offset": (len(content) * 4, info, addend), "addend": (offset, info, 1 << 40),
               "negative": (offset, info, -8)}[damage]
    struct.pack_into("<QQq", content, at, *damaged)
    library, path = tmp_path / "library.so", tmp_path / "core"
    library.write_bytes(content)
    path.write_bytes(core(MEMORY))
    answer = undump.ask(path, REQUEST, library=library)
    assert answer.kind == "bad-library" and "dynamic linker" in answer.message, answer.output
    with pytest.raises(elf.NotElf):
        elf.relocate(elf.flatten(bytes(content)), 0x10000)


def test_not_python(tmp_path):
    """The helper says so, and undump says which files it used."""
    process = subprocess.Popen(["sleep", "100"], stdin=subprocess.DEVNULL)
    try:
        path = cores.gcore(process.pid, tmp_path)
    finally:
        process.kill()
        process.wait()
    answer = undump.ask(path, undump.request(undump.FRAMES), library=matrix.helper_library())
    assert answer.kind == "not-python", answer.output
    assert answer.json["undump"]["binaries"][0]["status"] == "used"


def test_unreadable_core(tmp_path):
    path = tmp_path / "core"
    path.write_bytes(core(MEMORY))
    path.chmod(0)
    if os.getuid() == 0:
        pytest.skip("root may read everything")
    assert undump.ask(path, REQUEST).kind == "no-such-file"
