"""The request and the block, byte by byte as the C header declares them."""

import pathlib
import re
import struct
import subprocess

import pytest

import replies
from rememberme import contract, expr, request
from rememberme.adapter import Thread
from rememberme.structure import Structure

ROOT = pathlib.Path(__file__).resolve().parents[2]

def program():
    """C that prints "name value" for all that contract.py says of the header."""
    names = [name for _, values in replies.GENERATE.numbers(replies.GENERATE.HEADER.read_text())
             for name, _ in values]
    lines = ['printf("%s %%lld\\n", (long long)RME_%s);' % (name, name) for name in names]
    for name, structure in STRUCTURES.items():
        lines.append('printf("rme_%s %%zu\\n", sizeof(struct rme_%s));' % (name, name))
        lines += ['printf("rme_%s.%s %%zu\\n", offsetof(struct rme_%s, %s));'
                  % (name, member, name, member) for member, _ in structure.members]
    return ("#include <stddef.h>\n#include <stdio.h>\n#include \"rememberme.h\"\n"
            "int main(void)\n{\n%s\nreturn 0;\n}\n" % "\n".join(lines))


STRUCTURES = {name.lower(): value for name, value in vars(contract).items()
              if isinstance(value, Structure)}


@pytest.fixture(scope="module")
def header(tmp_path_factory):
    folder = tmp_path_factory.mktemp("header")
    (folder / "print.c").write_text(program())
    subprocess.run(["cc", "-I", str(ROOT / "helper" / "include"), "-o", str(folder / "print"),
                    str(folder / "print.c")], check=True)
    lines = subprocess.run([str(folder / "print")], stdout=subprocess.PIPE, check=True).stdout
    return {name: int(value) for name, value in map(str.split, lines.decode().splitlines())}


def test_as_the_compiler_sees_it(header):
    assert len(STRUCTURES) >= 8
    for name, value in header.items():
        structure, _, member = name.partition(".")
        if not name.startswith("rme_"):
            assert getattr(contract, name) == value, name
        elif member:
            assert STRUCTURES[structure[4:]].offsets[member] == value, name
        else:
            assert STRUCTURES[structure[4:]].size == value, name
    text = (ROOT / "helper" / "include" / "rememberme.h").read_text()
    for name in re.findall(r"\bRME_\w+(?= = )|(?<=struct )rme_\w+(?= \{)", text):
        assert name.replace("RME_", "", 1) in header, name


def word(data, offset):
    return struct.unpack_from("<Q", data, offset)[0]


def test_block(header):
    block = request.encode_block(request=0x1000, request_size=96, reply=0x2000,
                                 reply_capacity=4096, lease_s=7, debugger=8, object_ms=9)
    assert len(block) == header["rme_block"]
    assert struct.unpack_from("<II", block) == (request.MAGIC, request.ABI)
    for member, value in (("request", 0x1000), ("request_size", 96), ("reply", 0x2000),
                          ("reply_capacity", 4096), ("reply_size", 0)):
        assert word(block, header["rme_block." + member]) == value
    filled = bytearray(block)
    struct.pack_into("<Q", filled, header["rme_block.reply_size"], 77)
    struct.pack_into("<IIiiQQ", filled, header["rme_block.state"], 2, 0, 5, 9, 11, 12)
    decoded = request.decode_block(bytes(filled))
    assert decoded.reply_size == 77 and decoded.request_size == 96
    assert decoded[2:8] == (2, 0, 5, 9, 11, 12)
    for member, value in (("lease_s", 7), ("debugger", 8), ("object_ms", 9)):
        assert struct.unpack_from("<I", block, header["rme_block." + member]) == (value,)


def test_request(header):
    thread = Thread(3, 1234, 0x7f0000000000, 0x7ffd0000)
    exprs = [expr.parse(text, None) for text in ("a", "b.c")]
    asked = request.Request(request.TREE, flags=5, limit=10, depth=4, frame=2, eval_depth=1,
                            thread=thread, threads=[Thread(1, 1000, 0, 0), thread], exprs=exprs)
    data = asked.encode(images=[(0x400000, 0x500000)], runtime=0x99)

    def member(name, kind="I"):
        return struct.unpack_from("<" + kind, data, header["rme_request." + name])

    for name, value in (("query", 3), ("flags", 5), ("limit", 10), ("depth", 4),
                        ("eval_depth", 1)):
        assert member(name) == (value,)
    assert member("frame", "i") == (2,)
    assert member("lwp", "Q") == (1234,)
    assert member("thread_pointer", "Q") == (0x7f0000000000,)
    assert member("runtime", "Q") == (0x99,)
    assert member("code", "II") == member("missing", "II") == (0, 0)
    offset, count = member("images", "II")
    assert (offset % 8, count) == (0, 1)
    assert struct.unpack_from("<QQ", data, offset) == (0x400000, 0x500000)
    offset, count = member("threads", "II")
    assert (offset % 8, count) == (0, 2)
    assert struct.unpack_from("<8Q", data, offset) == (
        1, 1000, 0, 0, 3, 1234, 0x7f0000000000, 0x7ffd0000)
    offset, count = member("exprs", "II")
    assert (offset % 8, count) == (0, 2)
    assert data[offset:] == b"".join(map(expr.encode, exprs))


def test_smallest_request(header):
    data = request.Request(request.FRAMES).encode()
    assert len(data) == header["rme_request"]
    assert struct.unpack_from("<i", data, header["rme_request.frame"]) == (-1,)
