"""Builds object graphs from descriptions and compares the helper with the oracle; one
description per line of standard input, one JSON list of differences per line of output.

    python graphs.py LIBRARY

A description is {"nodes": [[kind, [number, …]], …], "roots": [number, …]}. A node of an
immutable kind leads to earlier nodes only, others to any: cycles and shared parts.
"""

import array
import collections
import ctypes
import functools
import gc
import json
import os
import sys
import threading
import types
import weakref

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "oracle"))
import helper as helpers  # noqa: E402
import oracle  # noqa: E402

TRAVERSE_ONLY, NO_CLASSES, INSPECT = 1, 2, 6


class Plain:
    pass


class Slots:
    __slots__ = ("s0", "s1", "s2", "__weakref__")


class SlotsAndDict(Slots):
    __slots__ = ("s3", "__dict__")


class ListSub(list):
    pass


class ListSubSlots(list):
    __slots__ = ("s0", "__weakref__")


class DictSub(dict):
    pass


class TupleSub(tuple):
    pass


class StrSub(str):
    pass


class Error(Exception):
    pass


Pair = collections.namedtuple("Pair", "first second")


def _attributes(obj, parts):
    for i, part in enumerate(parts):
        try:
            setattr(obj, "s%d" % i, part)
        except AttributeError:
            pass


def _closure(parts):
    def function(a, *, keyword=parts):
        return parts, a
    function.attribute = list(parts)
    return function


def _generator(parts):
    def generator(*arguments):
        local = list(arguments)
        for part in local:
            yield part
    made = generator(*parts)
    next(made, None)
    return made


def _unstarted(parts):
    return (part for part in list(parts))


def _coroutine(parts):
    @types.coroutine
    def wait():
        yield

    async def coroutine(argument):
        await wait()
        return argument
    made = coroutine(parts)
    made.send(None)
    kept.append(made)
    return made


def _raised(parts):
    def fail():
        local = parts
        raise Error(local)
    def catch():
        try:
            fail()
        except Error as error:
            caught.append(error)
    # On a thread of its own: its frames must not lead to those that work here.
    caught = []
    thread = threading.Thread(target=catch)
    thread.start()
    thread.join()
    return caught.pop()


def _hashable(parts):
    return [p for p in parts if isinstance(p, (int, str, bytes, frozenset, tuple, Plain, Slots))
            and not _unhashable(p)]


def _unhashable(part):
    try:
        hash(part)
    except TypeError:
        return True
    return False


def _weak(parts):
    for part in parts:
        try:
            return weakref.ref(part, _closure(parts[:1]))
        except TypeError:
            pass
    return weakref.ref(Plain)


kept = []

# Made from earlier nodes.
FIXED = {
    "tuple": tuple,
    "tuple subclass": TupleSub,
    "frozenset": lambda parts: frozenset(_hashable(parts)),
    "named tuple": lambda parts: Pair(parts[:1], parts[1:]),
    "partial": lambda parts: functools.partial(max, *parts, key=parts[:1]),
    "closure": _closure,
    "generator": _generator,
    "unstarted generator": _unstarted,
    "coroutine": _coroutine,
    "exception": _raised,
    "weak reference": _weak,
    "method": lambda parts: types.MethodType(_closure(parts), parts),
    "int": lambda parts: 10 ** (10 * len(parts) + 3),
    "text": lambda parts: "text %d" % id(parts),
    "bytes": lambda parts: bytes(len(parts) * 100),
    "array": lambda parts: array.array("d", range(len(parts))),
    "slice": lambda parts: slice(parts, None, parts[:1]),
    "iterator": lambda parts: iter(list(parts)),
    "memory view": lambda parts: memoryview(bytes(len(parts) + 1)),
    "proxy": lambda parts: types.MappingProxyType(dict(enumerate(parts))),
}

# Made empty and filled when every node is there.
OPEN = {
    "list": (list, list.extend),
    "dict": (dict, lambda d, parts: d.update(("key%d" % i, p) for i, p in enumerate(parts))),
    "dict of numbers": (dict, lambda d, parts: d.update(enumerate(parts, 10 ** 6))),
    "dict of objects": (dict, lambda d, parts: d.update((p, None) for p in _hashable(parts))),
    "shrunk dict": (dict, lambda d, parts: [d.update(dict.fromkeys(range(100))), d.clear(),
                                            d.update(enumerate(parts))]),
    "set": (set, lambda s, parts: s.update(_hashable(parts))),
    "deque": (collections.deque, lambda d, parts: d.extend(parts * 30)),
    "ordered dict": (collections.OrderedDict,
                     lambda d, parts: d.update(("key%d" % i, p) for i, p in enumerate(parts))),
    "default dict": (lambda: collections.defaultdict(list),
                     lambda d, parts: d.update(enumerate(parts))),
    "instance": (Plain, _attributes),
    "instance with a dict": (Plain, lambda o, parts: vars(o).update(
        ("s%d" % i, p) for i, p in enumerate(parts))),
    "instance with a new dict": (Plain, lambda o, parts: setattr(
        o, "__dict__", {"s%d" % i: p for i, p in enumerate(parts)})),
    "slots": (Slots, _attributes),
    "slots and dict": (SlotsAndDict, _attributes),
    "list subclass": (ListSub, lambda o, parts: [o.extend(parts), _attributes(o, parts)]),
    "list subclass with slots": (ListSubSlots, lambda o, parts: [o.extend(parts),
                                                                 _attributes(o, parts)]),
    "dict subclass": (DictSub, lambda o, parts: [o.update(enumerate(parts)),
                                                 _attributes(o, parts)]),
    "text subclass": (lambda: StrSub("text"), _attributes),
    "namespace": (types.SimpleNamespace, _attributes),
    "cell": (types.CellType, lambda c, parts: setattr(c, "cell_contents", parts)),
}


def build(nodes):
    made = []
    for kind, numbers in nodes:
        if kind in FIXED:
            made.append(FIXED[kind]([made[n % len(made)] for n in numbers] if made else []))
        else:
            made.append(OPEN[kind][0]())
    for obj, (kind, numbers) in zip(made, nodes):
        if kind in OPEN:
            OPEN[kind][1](obj, [made[n % len(made)] for n in numbers])
    return made


class Checker:
    def __init__(self, library):
        self.helper = helpers.Helper(library)
        self.start = self.helper.entry("rme_start", (ctypes.c_void_p, ctypes.c_uint64))

    def differences(self, roots):
        judge = oracle.Oracle()
        for flags in (TRAVERSE_ONLY, TRAVERSE_ONLY | NO_CLASSES):
            for chosen in [[root] for root in roots] + [roots]:
                classes = not flags & NO_CLASSES
                wanted = judge.walk(chosen, classes=classes, named=True)
                reply = self.helper.memory(*chosen, flags=flags)
                if (reply["size"], reply["objects"]) != wanted or reply["caveats"]:
                    yield "%s: %s, not %s; %s" % (
                        [type(o).__name__ for o in chosen], (reply["size"], reply["objects"]),
                        wanted, reply["caveats"])
        wanted = self.helper.memory(*roots, flags=NO_CLASSES)
        walked = self.walk_owned(roots, judge)
        if (wanted["size"], wanted["objects"]) != walked:
            yield "owned: %s, and object by object %s" % (
                (wanted["size"], wanted["objects"]), walked)
        snapshot = self.helper.memory(*roots, flags=NO_CLASSES,
                                      call=lambda block: self.start(block, 60000))
        if snapshot["items"] != wanted["items"] or snapshot["size"] != wanted["size"]:
            yield "in a snapshot: %s, not %s" % (snapshot["size"], wanted["size"])

    def walk_owned(self, roots, judge):
        """The owned measure without classes and code, one object after the other."""
        seen, todo, size = {id(o): o for o in roots}, list(roots), 0
        while todo:
            batch, todo = todo, []
            for item in self.helper.ask(INSPECT, [(o,) for o in batch], flags=0)["items"]:
                size += item["own_size"]
                for address in item["references"]:
                    key = int(address, 16)
                    if key in seen or key in judge.namespaces:
                        continue
                    obj = ctypes.cast(key, ctypes.py_object).value
                    if not isinstance(obj, (type, types.CodeType, types.ModuleType)):
                        seen[key] = obj
                        todo.append(obj)
        return size, len(seen)


def main():
    checker = Checker(sys.argv[1])
    gc.disable()
    for line in sys.stdin:
        graph = json.loads(line)
        made = build(graph["nodes"])
        roots = list({id(o): o for o in (made[n % len(made)] for n in graph["roots"])}.values())
        print(json.dumps(list(checker.differences(roots))), flush=True)
        for coroutine in kept:
            coroutine.close()
        del kept[:], made, roots
        gc.collect()


if __name__ == "__main__":
    main()
