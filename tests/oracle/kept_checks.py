"""Checks of the graph that is kept for a later question, inside one interpreter: `python
kept_checks.py NAME` prints a JSON list of what is wrong. Runs on Python 3.8 and later.
tests/unit/test_kept.py runs them in every interpreter."""

import json
import os
import random
import struct
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import helper  # noqa: E402
from helper import requests  # noqa: E402

CHECKS = {}
ROUNDS = int(os.environ.get("RME_ROUNDS", "200"))


def check(function):
    CHECKS[function.__name__] = function
    return function


NODES = []


class Node:
    def __init__(self, i):
        self.number = i
        self.row = [i, str(i), (i, [i])]


class Kept:
    """The graph of this interpreter, kept in a file as undump keeps it."""

    def __init__(self, flags=0, keep_from=1):
        self.helper = helper.from_environment()
        self.flags = flags
        self.file = tempfile.TemporaryFile(buffering=0)
        self.first = self.ask(requests.SUMMARY, keep_from=keep_from, limit=3)
        self.head = b""
        if os.fstat(self.file.fileno()).st_size:
            _, size, total = struct.unpack("<IIQ", os.pread(self.file.fileno(), 16, 0))
            self.head = os.pread(self.file.fileno(), size, 0)
            self.total = total

    def size(self):
        return os.fstat(self.file.fileno()).st_size

    def ask(self, query, *addresses, **options):
        options.setdefault("flags", self.flags)
        return self.helper.ask(query, ["%#x" % a for a in addresses],
                               kept_fd=self.file.fileno(), **options)

    def again(self, query, *addresses, head=None, **options):
        """From what is kept."""
        head = self.head if head is None else head
        os.lseek(self.file.fileno(), len(head), os.SEEK_SET)
        return self.ask(query, *addresses, kept=head, limit=5, depth=3, **options)


def questions(node):
    return [(requests.WHY, id(node.row)), (requests.REFERRERS, id(node.row)),
            (requests.RETAINED, id(node)), (requests.RETAINED, id(node), id(node.row)),
            (requests.DOMINATORS, id(node)), (requests.RETAINED,), (requests.DOMINATORS,),
            (requests.SUMMARY,)]


def without(reply, *names):
    # Each question's memory is a mapping of its own.
    reply = dict(reply, caveats=[c for c in reply["caveats"] if c["kind"] != "anonymous-mapping"])
    return {name: value for name, value in reply.items() if name not in names}


@check
def same_answers():
    """What a question finds about a part of the heap that stays as it is: not in a frame."""
    NODES[:] = [Node(i) for i in range(2000)]
    wrong = []
    for flags in (0, helper.LAYOUTS_ONLY):
        kept = Kept(flags)
        if kept.size() != len(kept.head) + kept.total:
            wrong.append("%d bytes are kept of %d" % (kept.size(), len(kept.head) + kept.total))
        for query, *addresses in questions(NODES[7])[:5]:
            built = kept.ask(query, *addresses, limit=5, depth=3)
            again = kept.again(query, *addresses)
            if (built.pop("graph"), again.pop("graph")) != ("built", "kept"):
                wrong.append("%d was not kept" % query)
            # A figure of those is of the heap in between
            names = ["size", "objects"] if query == requests.DOMINATORS else []
            if flags:
                names.append("caveats")
            if without(built, *names) != without(again, *names):
                wrong.append("%d: %s, again %s" % (query, built, again))
    return wrong


@check
def same_whole():
    """Figures of the whole heap are those of the walk that built the graph."""
    nodes = [Node(i) for i in range(2000)]
    kept = Kept()
    again = [kept.again(requests.SUMMARY) for _ in range(2)]
    wrong = []
    for reply in again:
        for name in ("size", "objects", "types", "caveats", "references", "classes"):
            if reply[name] != kept.first[name]:
                wrong.append("%s: %s, then %s" % (name, kept.first[name], reply[name]))
    listed = kept.again(requests.RETAINED)
    drawn = kept.again(requests.DOMINATORS)
    if not listed["size"] == drawn["size"] == kept.first["size"]:
        wrong.append("%s, %s, %s" % (listed["size"], drawn["size"], kept.first["size"]))
    if listed["types"] != kept.again(requests.RETAINED)["types"]:
        wrong.append("other classes")
    del nodes
    return wrong


@check
def only_when_it_is_large():
    return ["it was kept"] if Kept(keep_from=1 << 40).size() or Kept(keep_from=0).size() else []


@check
def of_something_else():
    """A head of another helper, other threads, or other rules: built anew."""
    node = Node(1)
    kept = Kept()
    wrong = []

    def expect(what, graph, **options):
        reply = kept.again(requests.WHY, id(node.row), **options)
        if reply.get("graph") != graph:
            wrong.append("%s: %s" % (what, str(reply)[:200]))

    expect("itself", "kept")
    expect("no magic", "built", head=b"XXXX" + kept.head[4:])
    expect("short", "built", head=kept.head[:-8])
    expect("long", "built", head=kept.head + bytes(8))
    expect("other total", "built", head=kept.head[:8] + bytes(8) + kept.head[16:])
    expect("by layouts", "built", flags=helper.LAYOUTS_ONLY)

    class Thread:
        number, lwp, thread_pointer = 1, threading.get_native_id(), 4096

        def __iter__(self):
            return iter((self.number, self.lwp, self.thread_pointer))

    expect("other threads", "built", threads=[Thread()])
    os.truncate(kept.file.fileno(), kept.size() - 1)
    expect("cut off", "built")
    return wrong


@check
def no_room():
    node = Node(1)
    kept = Kept()
    wrong = []
    for size in (1 << 26, 1 << 29, 3 << 29, 1 << 31, 1 << 33, 1 << 34):
        reply = kept.again(requests.RETAINED, id(node), arena_size=size)
        if reply.get("error", {}).get("kind") not in (None, "out-of-memory", "too-large"):
            wrong.append("%d: %s" % (size, reply))
    return wrong


@check
def cannot_be_written():
    """A full disk is no reason not to answer."""
    kept = Kept()
    kept.file = open("/dev/full", "wb", buffering=0)
    reply = kept.ask(requests.WHY, id(kept), keep_from=1)
    return [] if reply.get("graph") == "built" else [str(reply)[:200]]


@check
def damaged():
    """Whatever is in the file: an answer, never a fault outside of the guards."""
    nodes = [Node(i) for i in range(100)]
    random.seed(5)
    kept = Kept()
    data = os.pread(kept.file.fileno(), kept.size(), 0)
    wrong = []
    graphs = set()
    for i in range(ROUNDS):
        copy = bytearray(data)
        for _ in range(random.choice((1, 3, 100))):
            # Half of the damage hits the head, whose numbers rule the rest
            at = random.randrange(16, len(kept.head) if i % 2 else len(copy)) & ~3
            struct.pack_into("<I", copy, at, random.choice(
                (0, 1, 0xffffffff, 0x80000000, random.getrandbits(32), random.getrandbits(12))))
        kept.file.seek(0)
        kept.file.write(copy)
        query, *addresses = random.choice(questions(nodes[7]))
        reply = kept.again(query, *addresses, head=bytes(copy[:len(kept.head)]))
        graphs.add(reply.get("graph"))
        if reply is None or reply.get("error", {}).get("kind") not in (
                None, "no-object", "out-of-memory", "too-large", "reply-too-large"):
            wrong.append("round %d, %d: %s" % (i, query, reply))
    if not {"built", "kept"} <= graphs:
        wrong.append("only %s" % graphs)
    return wrong


def main():
    print(json.dumps(CHECKS[sys.argv[1]]()))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
