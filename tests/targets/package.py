"""The tests of the rememberme package (liwt31/remember-me, tests/test_essential.py and
test_optional.py), each a function whose locals are theirs, one calling the next. What the
package's own assertions say stands in EXPECTED. Where we differ on purpose, PACKAGE has
what the package answers, by its own algorithm. Runs on Python 3.8 and later.
"""

import gc
import os
import types
from sys import getsizeof

import stage

try:
    import numpy
except ImportError:
    numpy = None

EXPECTED = {}  # function: {local: size}; "" is the frame
PACKAGE = {}


class Sizes:
    """rememberme.pyx in plain Python: a node is (own size, {id: own size} of all in it)."""

    def __init__(self):
        self.skipped = {id(globals()), id(stage.__dict__)}
        self.visited = set()
        self.finished = {}

    def single(self, obj):
        if isinstance(obj, types.FunctionType):
            self.skipped.add(id(obj.__globals__))
        parts = {id(obj): getsizeof(obj)}
        for referent in gc.get_referents(obj):
            key = id(referent)
            if isinstance(referent, types.ModuleType) or key in self.skipped:
                continue
            if key not in self.finished:
                if key in self.visited:
                    continue  # "a random way to break cycles"
                self.visited.add(key)
                self.single(referent)
            parts.update(self.finished[key])
        self.finished[id(obj)] = parts
        return sum(parts.values())


def package_memory(obj):
    return Sizes().single(obj)


def test_builtin():
    one, empty, nothing, two, no_set, a_set = 1, [], (), [2], set(), {None}
    EXPECTED["test_builtin"] = {
        "one": getsizeof(one), "empty": getsizeof(empty), "nothing": getsizeof(nothing),
        "two": getsizeof(two) + getsizeof(2), "no_set": getsizeof(no_set),
        "a_set": getsizeof(a_set) + getsizeof(None)}
    test_iterables()


def test_iterables():
    lst = list(range(8))
    EXPECTED["test_iterables"] = {
        "lst": getsizeof(lst) + sum(map(getsizeof, lst)),
        "lst[0] lst[1] lst[2] lst[3] lst[4] lst[5] lst[6] lst[7]": sum(map(getsizeof, lst))}
    test_locals()


def test_locals():
    a, b, c, d = 1, None, False, dict()
    together = sum(map(getsizeof, (a, b, c, d)))
    EXPECTED["test_locals"] = {"a b c d": together}
    del together
    EXPECTED["test_locals"][""] = EXPECTED["test_locals"]["a b c d"]
    test_dag()


def test_dag():
    a = [1]
    b = [1]
    c = [a, b]
    EXPECTED["test_dag"] = {
        "a": getsizeof(a) + getsizeof(1),
        "c": getsizeof(c) + getsizeof(a) + getsizeof(b) + getsizeof(1)}
    test_loop()


def test_loop():
    a = [1]
    a.append(a)
    EXPECTED["test_loop"] = {"a": getsizeof(a) + getsizeof(1)}
    test_top()


class Node:
    def __init__(self, data):
        self.data = data


def test_top():
    a = [1, 2, 3]
    b = [1, 2]
    c = [1]
    n = Node(a)
    test_globals()
    return a, b, c, n


def test_globals():
    g = globals()
    l = [g, 1]
    EXPECTED["test_globals"] = {"l": getsizeof(l) + getsizeof(1)}
    test_module()
    return g


def test_module():
    l = [os, 1]
    EXPECTED["test_module"] = {"l": getsizeof(l) + getsizeof(1)}
    test_numpy()


def test_numpy():
    a = numpy.random.rand(1000) if numpy else None
    b = a.reshape(-1, 1) if numpy else None
    EXPECTED["test_numpy"] = {"a": getsizeof(a), "b": getsizeof(a) + getsizeof(b)} if numpy else {}
    shared_locals()


# Where the figures differ on purpose.

def shared_locals():
    a = [1, 2, 3]
    b = [a, a, a]
    PACKAGE["shared_locals"] = package_memory(a) + package_memory(b)
    EXPECTED["shared_locals"] = {"": package_memory(b)}
    a_function()


def a_function():
    def function():
        pass
    PACKAGE["a_function"] = package_memory(function)
    cycle()


def cycle():
    first, second = [1], [2]
    first.append(second)
    second.append(first)
    root = [first, second]
    both = sum(map(getsizeof, (first, second, 1, 2)))
    EXPECTED["cycle"] = {"root": both + getsizeof(root), "second": both, "first": both}
    sizes = Sizes()
    sizes.single(root)
    # What top(root) lists: one of them was met inside the other.
    PACKAGE["cycle"] = min(sum(sizes.finished[id(one)].values()) for one in root)
    del both, sizes
    stage.stop(expected=EXPECTED, package=PACKAGE)


test_builtin()
