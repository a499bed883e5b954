"""The request and the block, byte by byte as the C header declares them."""

import pathlib
import struct
import subprocess

import pytest

from rememberme import expr, request
from rememberme.adapter import Thread

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Prints "name value" for what the plugin must agree with the header about
PROGRAM = r"""
#include <stddef.h>
#include <stdio.h>
#include "rememberme.h"
#define O(type, member) printf(#type "." #member " %zu\n", offsetof(struct type, member));
#define V(name) printf(#name " %lld\n", (long long)name);
int main(void)
{
	O(rme_block, state) O(rme_block, cancel) O(rme_block, pid) O(rme_block, status)
	O(rme_block, progress_objects) O(rme_block, progress_bytes) O(rme_block, request)
	O(rme_block, request_size) O(rme_block, reply) O(rme_block, reply_capacity)
	O(rme_block, reply_size) O(rme_block, pieces) O(rme_block, answer)
	O(rme_request, query) O(rme_request, flags) O(rme_request, limit) O(rme_request, depth)
	O(rme_request, frame) O(rme_request, eval_depth) O(rme_request, lwp)
	O(rme_request, thread_pointer) O(rme_request, runtime) O(rme_request, images)
	O(rme_request, code) O(rme_request, threads) O(rme_request, exprs)
	O(rme_request, missing) O(rme_request, keep_from) O(rme_request, kept)
	printf("block %zu\nrequest %zu\n", sizeof(struct rme_block), sizeof(struct rme_request));
	printf("kept %zu\n", sizeof(struct rme_kept));
	V(RME_MAGIC) V(RME_ABI) V(RME_RUNNING) V(RME_DONE) V(RME_DIED)
	V(RME_OFFERED) V(RME_WANTED) V(RME_ANSWER_DONE) V(RME_ANSWER_NO) V(RME_ANSWER_WAIT)
	V(RME_QUERY_MEMORY) V(RME_QUERY_TOP) V(RME_QUERY_TREE) V(RME_QUERY_FRAMES)
	V(RME_QUERY_NAMES) V(RME_TRAVERSE_ONLY) V(RME_NO_CLASSES) V(RME_ALL_THREADS)
	V(RME_STEP_NAME) V(RME_STEP_MODULE) V(RME_STEP_ADDRESS) V(RME_STEP_ATTRIBUTE)
	V(RME_STEP_KEY_STR) V(RME_STEP_KEY_INT) V(RME_STEP_KEY_BYTES) V(RME_STEP_KEY_NONE)
	return 0;
}
"""


@pytest.fixture(scope="module")
def header(tmp_path_factory):
    folder = tmp_path_factory.mktemp("header")
    (folder / "print.c").write_text(PROGRAM)
    subprocess.run(["cc", "-I", str(ROOT / "helper" / "include"), "-o", str(folder / "print"),
                    str(folder / "print.c")], check=True)
    lines = subprocess.run([str(folder / "print")], stdout=subprocess.PIPE, check=True).stdout
    return {name: int(value) for name, value in map(str.split, lines.decode().splitlines())}


def test_numbers(header):
    for module in (request, expr):
        for name in dir(module):
            for known in ("RME_" + name, "RME_QUERY_" + name, "RME_STEP_" + name):
                if known in header:
                    assert getattr(module, name) == header.pop(known), name
    assert not [name for name in header if name.startswith("RME_")]
    assert request.BLOCK_SIZE == header["block"]
    assert request.STATE_OFFSET == header["rme_block.state"]
    assert request.CANCEL_OFFSET == header["rme_block.cancel"]
    assert request.PIECES_OFFSET == header["rme_block.pieces"]
    assert request.ANSWER_OFFSET == header["rme_block.answer"]
    assert request.KEPT.size == header["kept"]


def word(data, offset):
    return struct.unpack_from("<Q", data, offset)[0]


def test_block(header):
    block = request.encode_block(0x1000, 96, 0x2000, 4096)
    assert len(block) == header["block"]
    assert struct.unpack_from("<II", block) == (request.MAGIC, request.ABI)
    for member, value in (("request", 0x1000), ("request_size", 96), ("reply", 0x2000),
                          ("reply_capacity", 4096), ("reply_size", 0)):
        assert word(block, header["rme_block." + member]) == value
    filled = bytearray(block)
    struct.pack_into("<Q", filled, header["rme_block.reply_size"], 77)
    struct.pack_into("<IIiiQQ", filled, header["rme_block.state"], 2, 0, 5, 9, 11, 12)
    assert request.decode_reply_size(bytes(filled)) == 77
    assert request.STATE.unpack_from(filled, request.STATE_OFFSET) == (2, 0, 5, 9, 11, 12)


def test_request(header):
    thread = Thread(3, 1234, 0x7f0000000000)
    exprs = [expr.parse(text, None) for text in ("a", "b.c")]
    asked = request.Request(request.TREE, flags=5, limit=10, depth=4, frame=2, eval_depth=1,
                            thread=thread, threads=[Thread(1, 1000, 0), thread], exprs=exprs,
                            keep_from=7, kept=b"a head of kept b")
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
    assert member("keep_from", "Q") == (7,)
    assert member("code", "II") == member("missing", "II") == (0, 0)
    offset, count = member("images", "II")
    assert (offset % 8, count) == (0, 1)
    assert struct.unpack_from("<QQ", data, offset) == (0x400000, 0x500000)
    offset, count = member("threads", "II")
    assert (offset % 8, count) == (0, 2)
    assert struct.unpack_from("<6Q", data, offset) == (1, 1000, 0, 3, 1234, 0x7f0000000000)
    offset, count = member("exprs", "II")
    assert (offset % 8, count) == (0, 2)
    kept = member("kept", "II")
    assert data[offset:kept[0]] == b"".join(map(expr.encode, exprs))
    assert (kept[0] % 8, data[kept[0]:], kept[1]) == (0, b"a head of kept b", 16)


def test_smallest_request(header):
    data = request.Request(request.FRAMES).encode()
    assert len(data) == header["request"]
    assert struct.unpack_from("<i", data, header["rme_request.frame"]) == (-1,)
