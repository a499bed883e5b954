"""How much many objects of one kind make this process grow, by the allocators' own word, and
what the helper says of them. Prints {kind: {"grown", "allocated", "size", "resident", "count"}}.

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
    small = re.search(r"# bytes in allocated blocks\s*=\s*([\d,]+)", text).group(1)
    large = libc.mallinfo2()
    return int(small.replace(",", "")) + large.uordblks + large.hblkhd


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
    for kind, (make, count) in KINDS.items():
        made, grown, pages = grow(lambda i: make(numbers[i]), count)
        both, alone = (asker.ask(helpers.MEMORY, [(one,)], flags=NO_CLASSES | ALLOCATED)
                       for one in ([made, numbers], numbers))
        rest = sys.getsizeof([made, numbers]) + 16  # rounding of that list
        own = asker.memory(made, flags=NO_CLASSES | ALLOCATED)["items"][0]["own_allocated"]
        out[kind] = {"grown": grown, "resident": pages, "count": count,
                     "size": both["size"] - alone["size"] - sys.getsizeof(made),
                     "allocated": both["allocated"] - alone["allocated"] - own - rest}
        kept.append(made)
    json.dump(out, sys.stdout)


if __name__ == "__main__":
    main()
