"""Asks every question again and again, in this very interpreter, of the library that
RME_LIBRARY names. Run by tests/support/fault_guards.c, which makes loads fault. What is answered
is not looked at: it must be answered, or refused."""

import array
import ctypes
import os
import signal
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import helper  # noqa: E402
from rememberme import request  # noqa: E402

ROUNDS = 12
INSPECT = 6  # enum rme_query


class Node:
    def __init__(self, below):
        self.below = below
        self.table = {"a": [below], 1: (below,)}


NUMBERS = array.array("d", [1.0] * 10)
SYMBOLS = ["held by a function"]


def make(thing):
    def questions_of(it):
        return thing, it
    questions_of.held = SYMBOLS
    return questions_of


def questions(thing):
    questions_of = make(thing)
    address = hex(id(thing))
    everything = request.ALLOCATED
    threads = [(1, threading.get_native_id(), 0, 0)]
    yield helper.MEMORY, [address], {"flags": everything}
    yield helper.MEMORY, ["thing"], {"flags": 0}
    yield helper.MEMORY, ["__main__:Node"], {"flags": 0}
    yield helper.MEMORY, [], {"flags": request.ALL_THREADS, "frame": 1}
    yield helper.TREE, [address, "thing.below"], {"limit": 3, "depth": 3, "flags": 0}
    yield helper.TREE, [], {"limit": 3, "depth": 2, "flags": 0}
    yield helper.TOP, [], {"limit": 5, "flags": everything}
    yield helper.TOP, [address], {"limit": 5, "flags": 0}
    yield helper.FRAMES, [], {"flags": request.ALL_THREADS}
    yield helper.NAMES, [], {"flags": 0}
    for query in request.WHOLE_HEAP:
        exprs = [address] if query in (request.WHY, request.REFERRERS) else []
        yield query, exprs, {"limit": 4, "depth": 3, "flags": 0, "threads": threads}
    yield request.RETAINED, [address], {"limit": 4, "flags": 0, "threads": threads}
    yield request.DOMINATORS, [address], {"limit": 4, "flags": 0, "threads": threads}
    yield helper.TOP, [], {"limit": 5, "flags": request.ALL_THREADS, "threads": threads}
    of_cell = [hex(id(cell)) for cell in questions_of.__closure__]
    for held in [hex(id(thing.__dict__)), hex(id(questions_of.__dict__)), hex(id(SYMBOLS))] + of_cell:
        yield request.REFERRERS, [held], {"limit": 4, "flags": 0, "threads": threads}
        yield request.WHY, [held], {"limit": 4, "flags": 0, "threads": threads}
    yield helper.MEMORY, [hex(id(NUMBERS))], {"flags": everything}
    yield INSPECT, [address, hex(id(NUMBERS))], {"flags": 0}
    yield request.TYPES, [], {"limit": 4, "flags": 0, "options": request.BY_LENGTH,
                              "threads": threads}


def main():
    library = helper.from_environment()
    base = min(start for start, end in library.images
               if start <= ctypes.cast(library.library.rme_run, ctypes.c_void_p).value < end)
    with open(sys.argv[1], "w") as out:
        out.write("%x" % base)
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])  # one thread of the helper
    thing = None
    for _ in range(30):
        thing = Node(thing)
    only_here = [bytearray(10000) for _ in range(3000)]
    a = b = c = d = e = f = g = h = [[[i]] for i in range(300)]
    one, two, three, four = [a, 1], [b, 2], [c, 3], [d, 4]
    five, six, seven, eight = [e, 5], [f, 6], [g, 7], [h, 8]
    os.kill(os.getpid(), signal.SIGSTOP)
    for _ in range(ROUNDS):
        for query, exprs, options in questions(thing):
            for layouts in (0, helper.LAYOUTS_ONLY):
                asked = dict(options, flags=options["flags"] | layouts)
                try:
                    library.ask(query, exprs, **asked)
                except ValueError:
                    pass  # a name cut in the middle of a character


main()
