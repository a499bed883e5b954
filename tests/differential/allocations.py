"""How much many objects of one kind make this process grow, by the allocators' own word, and
what the helper says of them. Prints {kind: {"grown", "allocated", "size", "resident", "count",
"caveats"}}.

    python allocations.py LIBRARY COUNT     (objects of the commonest kinds; fewer of the others)
"""

import collections
import ctypes
import dataclasses
import gc
import json
import os
import re
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "oracle"))
import helper as helpers  # noqa: E402

MANY = int(sys.argv[2]) if len(sys.argv) > 2 else 300000
NO_CLASSES, ALLOCATED = 2, 1 << 6


class Mallinfo(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks",
        "fordblks", "keepcost")]


libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Mallinfo


def in_blocks():
    """Bytes in blocks that pymalloc and malloc have given out."""
    with tempfile.TemporaryFile() as out:
        sys.stderr.flush()
        saved = os.dup(2)
        os.dup2(out.fileno(), 2)
        sys._debugmallocstats()
        os.dup2(saved, 2)
        os.close(saved)
        out.seek(0)
        text = out.read().decode()
    small = re.search(r"# bytes in allocated blocks\s*=\s*([\d,]+)", text)  # none: no pymalloc
    large = libc.mallinfo2()
    return int(small.group(1).replace(",", "") if small else 0) + large.uordblks + large.hblkhd


def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")


class Plain:
    def __init__(self, i):
        self.number, self.nothing, self.truth = i, None, True


class One:
    def __init__(self):
        self.nothing = None


class Slots:
    __slots__ = ("number", "nothing")

    def __init__(self, i):
        self.number, self.nothing = i, None


@dataclasses.dataclass
class Data:
    number: int
    ratio: float = 1.5
    text: str = "x"


class Wide:
    def __init__(self):
        for i in range(40):
            setattr(self, "attribute%d" % i, None)


class TextSub(str):
    pass


class TupleSub(tuple):
    pass


class DictSub(dict):
    pass


class IntSub(int):
    pass


class ListSub(list):
    def __init__(self, items):
        self.attribute = None
        list.__init__(self, items)


def materialised(i):
    one = Plain(i)
    one.__dict__
    return one


def replaced(i):
    one = Plain(i)
    one.__dict__ = {"other": 1}
    return one


LARGE = 10 ** 100


def a_class(i, base):
    class Class(base):
        def __init__(self):
            self.attribute = None
    return Class


def classes(make):
    """Of a base of their own, whose table of subclasses grows with them."""
    base = type("Base", (), {"__slots__": ()})
    return lambda i: make(i, base), MANY // 60


KINDS = {
    "instances": (Plain, MANY),
    "instances with one attribute": (lambda i: One(), MANY),
    "instances with __slots__": (Slots, MANY),
    "dataclasses": (Data, MANY),
    "small dicts": (lambda i: {"number": i, "nothing": None}, MANY),
    "strings": (lambda i: "string number %d" % i, MANY),
    "other strings": (lambda i: "\u1234%d" % i, MANY // 6),
    "empty dicts": (lambda i: {}, MANY // 6),
    "instances with 40 attributes": (lambda i: Wide(), MANY // 30),
    "instances that showed their __dict__": (materialised, MANY // 6),
    "instances with a new __dict__": (replaced, MANY // 6),
    "str subclass": (TextSub, MANY // 6),
    "tuple subclass": (lambda i: TupleSub((i, i)), MANY // 6),
    "dict subclass": (lambda i: DictSub(a=1), MANY // 6),
    "int subclass": (IntSub, MANY // 6),
    "list subclass": (lambda i: ListSub([i]), MANY // 6),
    "lists": (lambda i: [i], MANY // 6),
    "long lists": (lambda i: [None] * 100, MANY // 10),
    "sets": (lambda i: set(range(20)), MANY // 10),
    "deques": (lambda i: collections.deque([i]), MANY // 10),
    "ordered dicts": (lambda i: collections.OrderedDict(a=i, b=2), MANY // 10),
    "long bytes": (lambda i: b"%1000d" % i, MANY // 10),
    "large bytes": (lambda i: bytes(200000), MANY // 1500),
    "grown dicts": (lambda i: {k: None for k in range(100)}, MANY // 60),
    "sums": (lambda i: 10 ** 9 + i, MANY // 6),
    "differences of large numbers": (lambda i: (LARGE + i) - (LARGE - 1000), MANY // 6),
    "products": (lambda i: (i + 3) * (12345678901 << 31), MANY // 6),
    "numbers from text": (lambda i: int("%d" % (10 ** 30 + i)), MANY // 6),
    "long numbers": (lambda i: (1 << 5000) + i, MANY // 60),
}
# What a class holds is measured with classes on. The table of its base's subclasses, which
# has a place for it, is the base's: 30 to 80 bytes a class.
CLASSES = {
    "classes": classes(a_class),
    "empty classes": classes(lambda i, base: type("Class%d" % i, (base,), {})),
    "classes with a docstring": classes(
        lambda i, base: type("Class%d" % i, (base,), {"__doc__": "%0500d" % i})),
    "classes with __slots__": classes(
        lambda i, base: type("Class%d" % i, (base,), {"__slots__": ("a", "b")})),
    "classes with two bases": classes(lambda i, base: type("Class%d" % i, (Plain, base), {})),
}


def grow(make, count):
    for i in range(300):  # shared keys, free lists
        make(i)
    made = [None] * count
    gc.collect()
    blocks, pages = in_blocks(), resident()
    for i in range(count):
        made[i] = make(i)
    return made, in_blocks() - blocks, resident() - pages


def main():
    asker = helpers.Helper(sys.argv[1])
    out, kept = {}, []
    gc.disable()
    numbers = list(range(MANY))  # not the objects' own
    asker.memory([])  # its own first time
    for kind, (make, count) in dict(KINDS, **CLASSES).items():
        flags = ALLOCATED if kind in CLASSES else NO_CLASSES | ALLOCATED
        made, grown, pages = grow(lambda i: make(numbers[i]), count)
        shared = [(numbers,), (Plain,), (Slots,), (a_class,)]
        both, alone = (asker.ask(helpers.MEMORY, roots, flags=flags)
                       for roots in (shared + [(made,)], shared))
        own = both["items"][-1]
        out[kind] = {"grown": grown, "resident": pages, "count": count,
                     "caveats": [caveat["kind"] for caveat in both["caveats"]],
                     "size": both["size"] - alone["size"] - own["own_size"],
                     "allocated": both["allocated"] - alone["allocated"] - own["own_allocated"]}
        kept.append(made)
    json.dump(out, sys.stdout)


if __name__ == "__main__":
    main()
