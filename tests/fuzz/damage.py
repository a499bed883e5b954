"""One process that overwrites words of its own objects, and asks the helper about them in a
snapshot, as the plugins do. Prints a verdict per question: fuzz.py reads them. The objects that
are damaged are held by nothing that this program uses."""

import ctypes
import gc
import os
import random
import struct
import sys
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "oracle"))
import helper  # noqa: E402
from rememberme import request  # noqa: E402

HANG = 10000  # milliseconds


class Plain:
    pass


def make():
    plain = Plain()
    plain.me, plain.list = plain, [1, 2, 3]
    return [plain, [object() for _ in range(50)], {("k", i): bytearray(i) for i in range(50)},
            set(range(100)), "h\u00e9" * 20, b"abc" * 100, (1, (2, (3, plain))), 10 ** 300,
            (x for x in range(3)), ValueError("x"), {"a": 1, "b": [2], "c": {"d": plain}},
            frozenset("abcdef"), type("T", (), {"x": [1]}), lambda: plain]


def damage(rnd, things):
    for _ in range(rnd.choice([1, 1, 2, 5])):
        at = id(rnd.choice(things))
        if rnd.random() < 0.4:  # what it refers to
            inner, = struct.unpack("<Q", ctypes.string_at(at + 8 * rnd.randrange(2, 6), 8))
            if any(inner == id(each) for each in things):
                at = inner
        word = rnd.choice([0, 1, 8, (1 << 64) - 1, 1 << 60, 1 << 62, (1 << 47) - 8, 0xdeadbeef,
                           id(rnd.choice(things)), rnd.getrandbits(64)])
        ctypes.memmove(at + 8 * rnd.randrange(1, 5), struct.pack("<Q", word), 8)


def main():
    rnd = random.Random(int(sys.argv[1]))
    library = helper.from_environment()
    start = library.entry("rme_start", (ctypes.c_void_p, ctypes.c_uint64))
    stop = library.entry("rme_stop")
    roots = make()
    addresses = [hex(id(each)) for each in roots]
    root = hex(id(roots))
    gc.disable()  # it would look at what is damaged
    damage(rnd, roots)

    def call(block):
        start(block, HANG)
        stop(block)
        return 0

    verdicts = []
    for query in (request.MEMORY, request.TREE, request.TYPES, request.RETAINED,
                  request.DOMINATORS, request.REFERRERS, request.SUMMARY):
        exprs = [root] if query in (request.TREE, request.REFERRERS) else (
            addresses if query == request.MEMORY else [])
        try:
            reply = library.ask(query, exprs, call=call, flags=0, limit=10, depth=3,
                                threads=[(1, os.getpid(), 0, 0)])
        except ValueError as error:
            verdicts.append("BAD-JSON %s" % error)
            continue
        if reply is None:
            state = library.block["state"]
            verdicts.append("%s query %d, state %d, status %d" % (
                "HANG" if state == request.RUNNING else "CRASH", query, state,
                library.block["status"]))
        elif "error" in reply:
            verdicts.append("refused")
        elif reply.get("caveats"):
            verdicts.append("answer-with-a-caveat")
        else:
            verdicts.append("NONSENSE query %d" % query
                            if (reply.get("size") or 0) > 1 << 40 else "answer")
    print("\n".join(verdicts), flush=True)
    os._exit(0)  # nothing of what is damaged is to be taken down


try:
    main()
except BaseException:
    traceback.print_exc()
    os._exit(1)
