"""A small heap of many kinds of objects, whose addresses are told: what the fuzzer damages."""

import sys

import stage


class Plain:
    pass


class Slotted:
    __slots__ = ("x", "y")


def generator():
    yield 1
    yield 2


def hold(depth, data):
    if depth:
        return hold(depth - 1, data)
    local = data["plain"]
    addresses = {name: id(value) for name, value in data.items()}
    addresses.update(
        Plain=id(Plain), Slotted=id(Slotted), frame=id(sys._getframe()), modules=id(sys.modules),
        globals=id(globals()), function=id(hold), code=id(hold.__code__), type=id(type),
        mro=id(Plain.__mro__), namespace=id(local.__dict__))
    stage.wait(addresses=addresses)


def main():
    plain, slotted = Plain(), Slotted()
    plain.me, plain.list = plain, [1, 2, 3, "x" * 50]
    slotted.x, slotted.y = [plain], {i: str(i) for i in range(200)}
    data = {
        "plain": plain, "slotted": slotted, "list": [object() for _ in range(50)],
        "dict": {("k", i): bytearray(i) for i in range(50)}, "set": set(range(100)),
        "text": "h\u00e9llo" * 20, "bytes": b"abc" * 100, "tuple": (1, (2, (3, plain))),
        "number": 10 ** 300, "generator": generator(), "error": ValueError("x"),
        "frozen": frozenset("abcdef"), "names": {"a": 1, "b": [2], "c": {"d": plain}},
    }
    next(data["generator"])
    hold(5, data)


main()
