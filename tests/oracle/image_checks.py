"""Checks of an image that answers many questions, inside one interpreter: `python
image_checks.py NAME` prints a JSON list of what is wrong. Runs on Python 3.8 and later.
tests/unit/test_image.py runs them in every interpreter."""

import json
import os
import re
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import helper  # noqa: E402
from helper import requests  # noqa: E402

CHECKS = {}


def check(function):
    CHECKS[function.__name__] = function
    return function


NODES = []


class Node:
    def __init__(self, i):
        self.number = i
        self.row = [i, str(i), (i, [i])]


class Image:
    """A snapshot of this interpreter, and questions about addresses."""

    def __init__(self, flags=0, **block):
        self.helper = helper.from_environment()
        self.flags = flags
        self.image = helper.Image(self.helper, **block)

    def ask(self, query, *addresses, **options):
        options = dict({"flags": self.flags, "limit": 5, "depth": 3}, **options)
        return self.image.ask(query, ["%#x" % a for a in addresses], **options)

    def close(self):
        self.image.close()


def alone(flags, query, *addresses, **options):
    """The answer of an image that was asked nothing before."""
    image = Image(flags)
    try:
        return image.ask(query, *addresses, **options)
    finally:
        image.close()


def questions(node):
    return [(requests.WHY, id(node.row)), (requests.REFERRERS, id(node.row)),
            (requests.RETAINED, id(node)), (requests.RETAINED, id(node), id(node.row)),
            (requests.DOMINATORS, id(node)), (requests.RETAINED,), (requests.DOMINATORS,),
            (requests.SUMMARY,)]


def without(reply, *names):
    # Each image's memory is a mapping of its own.
    reply = dict(reply, caveats=[c for c in reply["caveats"] if c["kind"] != "anonymous-mapping"])
    return {name: value for name, value in reply.items() if name not in names}


@check
def same_answers():
    """What a question finds about a part of the heap that stays as it is: not in a frame. Each
    question after all the others, and after itself."""
    NODES[:] = [Node(i) for i in range(2000)]
    wrong = []
    for flags in (0, helper.LAYOUTS_ONLY):
        image = Image(flags)
        graphs = []
        asked = questions(NODES[7])[:5] + [(requests.MEMORY, id(NODES)), (requests.TREE, id(NODES)),
                                           (requests.TOP, id(NODES[3])), (requests.TYPES, id(NODES))]
        replies = [image.ask(*question) for question in asked + asked[::-1] + asked]
        for question, reply in zip(asked + asked[::-1] + asked, replies):
            fresh = alone(flags, *question)
            graphs.append(reply.pop("graph", None))
            if fresh.pop("graph", None) not in (None, "built"):
                wrong.append("%d: not built" % question[0])
            # A figure of those is of the heap in between
            names = ["size", "objects"] if question[0] == requests.DOMINATORS else []
            if flags:
                names.append("caveats")
            if without(fresh, *names) != without(reply, *names):
                wrong.append("%d: %s, alone %s" % (question[0], reply, fresh))
        if graphs[:5] + graphs[-9:-4] != ["built"] + ["kept"] * 9:
            wrong.append("graphs: %s" % graphs)
        image.close()
    return wrong


@check
def same_whole():
    """Figures of the whole heap are those of the walk that built the graph."""
    nodes = [Node(i) for i in range(2000)]
    image = Image()
    wrong = []
    asked = questions(nodes[7])
    for question in asked:
        first, again = image.ask(*question), image.ask(*question)
        first.pop("graph"), again.pop("graph")
        if first != again:
            wrong.append("%s: %s, then %s" % (question[0], first, again))
    listed, drawn, summed, counted = (image.ask(query) for query in (
        requests.RETAINED, requests.DOMINATORS, requests.SUMMARY, requests.TYPES))
    if not listed["size"] == drawn["size"] == summed["size"] == counted["size"]:
        wrong.append("%s, %s, %s, %s" % tuple(
            reply["size"] for reply in (listed, drawn, summed, counted)))
    image.close()
    return wrong


@check
def nothing_leaks_into_the_next():
    """Modes and tallies of one question are not the next one's; errors neither."""
    nodes = [Node(i) for i in range(500)]
    image = Image()
    wrong = []
    for flags in (0, helper.TRAVERSE_ONLY, helper.NO_CLASSES, requests.ALLOCATED):
        plain = alone(flags, requests.MEMORY, id(nodes))
        for before in ((requests.SUMMARY,), (requests.WHY, 4096), (requests.TREE, id(nodes)),
                       (requests.TYPES,), (99,)):
            image.ask(*before)
            reply = image.ask(requests.MEMORY, id(nodes), flags=flags)
            if without(reply) != without(plain):
                wrong.append("%s after %s: %s, alone %s" % (flags, before, reply, plain))
    image.close()
    return wrong


@check
def of_something_else():
    """By other rules, with other threads: another graph."""
    node = Node(1)
    image = Image()
    wrong = []

    def expect(what, graph, **options):
        reply = image.ask(requests.WHY, id(node.row), **options)
        if reply.get("graph") != graph:
            wrong.append("%s: %s" % (what, str(reply)[:200]))

    class Thread:
        number, lwp, thread_pointer, stack_pointer = 1, threading.get_native_id(), 4096, 0

        def __iter__(self):
            return iter((self.number, self.lwp, self.thread_pointer, self.stack_pointer))

    expect("first", "built")
    expect("itself", "kept")
    expect("by layouts", "built", flags=helper.LAYOUTS_ONLY)
    expect("by layouts again", "kept", flags=helper.LAYOUTS_ONLY)
    expect("other threads", "built", threads=[Thread()])
    expect("as at first", "built")
    image.close()
    return wrong


@check
def no_room():
    """With little address space: an answer or a sentence, and what is kept gives way."""
    node = Node(1)
    wrong = []
    for size in (1 << 26, 1 << 29, 3 << 29, 1 << 31, 1 << 33, 1 << 34):
        image = Image(arena_size=size)
        for question in questions(node) + [(requests.MEMORY, id(node))] + questions(node)[::-1]:
            reply = image.ask(*question)
            fresh = Image(arena_size=size)
            kind = fresh.ask(*question).get("error", {}).get("kind")
            fresh.close()
            if reply is None or reply.get("error", {}).get("kind") != kind or kind not in (
                    None, "out-of-memory", "too-large"):
                wrong.append("%d, %s: %s, not %s" % (size, question[0], str(reply)[:200], kind))
        image.close()
    return wrong


@check
def cancelled():
    """Whatever a cancelled question has left, the next one is answered."""
    NODES[:] = [Node(i) for i in range(20000)]
    wrong = []
    image = Image()
    for question in questions(NODES[7]) + questions(NODES[7]):
        kind = image.ask(*question, cancel=1).get("error", {}).get("kind")
        if kind != "cancelled":
            wrong.append("%d: %s" % (question[0], kind))
        reply, fresh = image.ask(*question), alone(0, *question)
        reply.pop("graph"), fresh.pop("graph")
        if question[0] not in (requests.SUMMARY,) and question[1:] and \
                without(reply, "size", "objects") != without(fresh, "size", "objects"):
            wrong.append("%d: %s, alone %s" % (question[0], reply, fresh))
    image.close()
    return wrong


@check
def memory_is_given_back():
    """However many questions: what the snapshot has stays as it was."""
    nodes = [Node(i) for i in range(50000)]
    image = Image()
    sizes = []
    for _ in range(4):
        for question in questions(nodes[7]) + [(requests.MEMORY, id(nodes)),
                                               (requests.TOP, id(nodes))]:
            image.ask(*question)
        time.sleep(0.2)
        with open("/proc/%d/smaps_rollup" % image.image.block().pid) as rollup:
            sizes.append(int(re.search(r"Private_Dirty:\s+(\d+)", rollup.read()).group(1)))
    image.close()
    return [] if max(sizes[1:]) <= 1.1 * sizes[0] else [str(sizes)]


@check
def lease():
    """A snapshot that nobody asks ends."""
    image = Image(lease_s=1)
    image.ask(requests.FRAMES)
    pid = image.image.block().pid
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with open("/proc/%d/stat" % pid) as stat:
            if stat.read().rpartition(")")[2].split()[0] == "Z":
                break
        time.sleep(0.05)
    reply = image.ask(requests.FRAMES, seconds=1)
    image.close()
    return [] if reply is None else ["it answers: %s" % reply]


def main():
    print(json.dumps(CHECKS[sys.argv[1]]()))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
