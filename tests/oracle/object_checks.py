"""Checks of what the helper reads by layout: values, attributes, names, labels, EXPR.
`python object_checks.py NAME`, as checks.py; tests/unit/test_objects.py runs them, and those
of frame_checks.py, in every interpreter. Runs on Python 3.8 and later."""

import asyncio
import collections
import ctypes
import datetime
import decimal
import functools
import gc
import io
import struct
import sys
import time
import types
import warnings

import checks
from asker import Asker, found_here, label_of, refused_here
from checks import check, differ
from helper import MEMORY, NAMES, TOP, TREE


@check
def text():
    """str of every width, ascii or not, compact or a subclass's, as keys of a dict."""
    class Text(str):
        pass

    asker, wrong = Asker(), []
    keys = ["plain", "", "é", "ünï", "€uro", "😀", "a\ud7ffb", "q\"uote", "new\nline", "back\\slash",
            "nul\0byte", "x" * 500, Text("sub"), Text("süb"), Text("s€b"), Text("s😀b")]
    table = {key: [key] for key in keys}
    here = sys._getframe()
    found_here(wrong, asker, here, {"table[%s]" % repr(str(key)): table[key] for key in keys})
    table["lone\ud800"] = [1]
    differ(wrong, "lone surrogate", label_of(asker, table, table["lone\ud800"]), '["lone\ufffd"]')
    refused_here(wrong, asker, here, {
        "table['plai']": ("no-such-key", ["plain"]), "table['plainer']": ("no-such-key", ["plain"]),
        "table['è']": ("no-such-key", [])})
    return wrong


@check
def numbers():
    """int keys to the edge of 64 bits."""
    class Number(int):
        pass

    asker, wrong = Asker(), []
    keys = [0, 1, -1, 2 ** 30 - 1, 2 ** 30, -2 ** 30, 2 ** 60, -2 ** 60, 2 ** 63 - 1, -2 ** 63,
            Number(77), Number(-2 ** 40)]
    table = {key: [key] for key in keys}
    table[2 ** 63] = table[-2 ** 63 - 1] = table[2 ** 200] = ["too large"]
    found_here(wrong, asker, sys._getframe(), {"table[%d]" % key: table[key] for key in keys})
    truth = {True: ["yes"], False: ["no"]}
    found_here(wrong, asker, sys._getframe(),
               {"truth[True]": truth[1], "truth[1]": truth[1], "truth[0]": truth[0]})
    return wrong


@check
def dicts():
    """Every form of a dict shows all its entries and no others."""
    class Holder:
        pass

    class Plain(dict):
        pass

    asker, wrong = Asker(), []

    def instance(n, without=()):
        obj = Holder()
        for i in range(n):
            setattr(obj, "a%d" % i, [i])
        for i in without:
            delattr(obj, "a%d" % i)
        return obj

    deleted = {str(i): [i] for i in range(60)}
    for i in range(0, 60, 2):
        del deleted[str(i)]
    mixed = {"a": [1], 2: [2], None: [3], (1, 2): [4]}
    split = [instance(n).__dict__ for n in (1, 3, 29, 31, 70)] + [instance(9, (0, 4)).__dict__]
    forms = [{}, {"a": [1]}, {1: [1]}, deleted, mixed, Plain(x=[1]), collections.OrderedDict(x=[1]),
             collections.defaultdict(list, x=[1]), dict.fromkeys(range(300)),
             {str(i): [i] for i in range(1000)}] + split
    for form in forms:
        tree = asker.helper.ask(TREE, [(form,)], depth=2, limit=0)["tree"]
        got = sorted(int(c["address"], 16) for c in tree["children"]
                     if (c["label"] or "").startswith("["))
        expected = sorted(id(v) for v in dict.values(form))
        differ(wrong, "values of %s of %d" % (type(form).__name__, len(form)), len(got),
               len(expected))
        differ(wrong, "addresses in %.60r" % form, set(got), set(expected))
    return wrong


@check
def attributes():
    """Instances of every kind of layout, before and after their dict was made."""
    class Simple:
        shared = [0]

    class Slots:
        __slots__ = ("first", "unset", "_Slots__private")

    class Both(Slots):
        __slots__ = ("third", "__dict__")

    class Deeper(Both):
        pass

    kinds = [Simple, Both, Deeper]
    for base in (int, str, bytes, tuple, list, dict, set, float, Exception, collections.deque,
                 datetime.date, types.ModuleType, io.StringIO, decimal.Decimal):
        kinds.append(types.new_class("Of_" + base.__name__, (base,)))
    arguments = {"Of_int": (2 ** 90,), "Of_tuple": ((1, 2, 3),), "Of_bytes": (b"abc",),
                 "Of_str": ("text",), "Of_date": (2020, 1, 1), "Of_module": ("m",)}
    asker, wrong = Asker(), []
    here = sys._getframe()
    for kind in kinds:
        for materialised in (False, True):
            obj = kind(*arguments.get(kind.__name__, ()))
            for i in range(3):
                setattr(obj, "attribute%d" % i, [i])
            one, last = obj.attribute1, obj.attribute2
            if materialised:
                vars(obj)["extra"] = [9]
                differ(wrong, "extra of " + kind.__name__, asker.find("obj.extra", here),
                       id(obj.extra))
            differ(wrong, kind.__name__, asker.find("obj.attribute1", here), id(one))
            differ(wrong, kind.__name__, asker.find("obj.attribute2", here), id(last))
    obj = Deeper()
    obj.first, obj.third, obj.own = [1], [3], [4]
    obj._Slots__private = [5]
    found_here(wrong, asker, here, {
        "obj.first": obj.first, "obj.third": obj.third, "obj.own": obj.own,
        "obj._Slots__private": obj._Slots__private, "obj.__class__": Deeper,
        "Deeper.__mro__": Deeper.__mro__, "Simple.shared": Simple.shared})
    refused_here(wrong, asker, here, {"obj.unset": ("no-such-attribute", ["first", "own"])})
    many = Simple()
    for i in range(200):
        setattr(many, "k%d" % i, [i])
    found_here(wrong, asker, here, {"many.k0": many.k0, "many.k199": many.k199})
    return wrong


@check
def computed_attributes():
    """C members and getters that return a field are read; code is not run."""
    class Row:
        @property
        def prop(self):
            raise AssertionError("properties are not run")

        @functools.cached_property
        def cached(self):
            return [7]

        def __getattr__(self, name):
            raise AssertionError("__getattr__ is not run")

    class Column:
        def __get__(self, obj, owner=None):
            return self

        def __set__(self, obj, value):
            obj.__dict__["column"] = value

    Row.column = Column()
    Point = collections.namedtuple("Point", "x y")

    def function(a, b=[1], *, c=[2]):
        def inner():
            return cell
        cell = [a]
        return inner

    asker, wrong = Asker(), []
    row, bare, point, inner = Row(), Row(), Point([1], [2]), function([3])
    row.column, row.real = [4], [5]
    part = functools.partial(function, [6], c=[8])
    bound, moment = "text".join, time.gmtime()
    try:
        raise ValueError([9])
    except ValueError as e:
        error = e
    here = sys._getframe()
    found_here(wrong, asker, here, {
        "row.column": row.__dict__["column"], "row.real": row.real, "point.x": point.x,
        "point.y": point.y, "point[1]": point.y, "function.__defaults__[0]": function.__defaults__[0],
        "function.__kwdefaults__['c']": function.__kwdefaults__["c"],
        "function.__code__": function.__code__,
        "function.__code__.co_consts": function.__code__.co_consts,
        "function.__globals__": globals(), "inner.__closure__[0].cell_contents": inner(),
        "part.func": function, "part.args[0]": part.args[0], "part.keywords['c']": part.keywords["c"],
        "bound.__self__": "text", "error.args[0]": error.args[0],
        "error.__traceback__": error.__traceback__, "error.__cause__": None,
        "moment.tm_year": moment.tm_year, "Row.prop": Row.__dict__["prop"],
        "os:environ._data": __import__("os").environ._data})
    refused_here(wrong, asker, here, {
        "row.prop": ("no-such-attribute", ["prop", "property", "real"]),
        "bare.cached": ("no-such-attribute", ["cached_property"]),
        "row.nope": ("no-such-attribute", ["nope", "__getattr__", "real"]),
        "point.z": ("no-such-attribute", ["x, y"]),
        "function.__name__": ("no-such-attribute", ["__name__"]),
        "function.__code__.co_argcount": ("no-such-attribute", ["co_argcount"])})
    bare.cached
    differ(wrong, "bare.cached", asker.find("bare.cached", here), id(bare.__dict__["cached"]))
    return wrong


@check
def containers():
    asker, wrong = Asker(), []
    queue = collections.deque([[i] for i in range(300)], 200)
    queue.rotate(37)
    proxied = types.MappingProxyType({"a": [1]})
    items, pair = [[1], [2]], ([1], [2])
    wrapped = collections.UserDict(a=1)
    here = sys._getframe()
    cases = {"queue[%d]" % i: queue[i] for i in (0, 1, 63, 64, 199, -1, -200)}
    cases.update({"items[0]": items[0], "items[-1]": items[1], "pair[1]": pair[1],
                  "pair[-2]": pair[0], "proxied['a']": proxied["a"],
                  "wrapped.data['a']": wrapped["a"], hex(id(items)) + "[1]": items[1]})
    found_here(wrong, asker, here, cases)
    refused_here(wrong, asker, here, {
        "queue[200]": ("no-such-key", ["200"]), "items[2]": ("no-such-key", ["length is 2"]),
        "items['a']": ("no-such-key", []), "wrapped['a']": ("not-subscriptable", ["data"]),
        "item[0]": ("no-such-name", ["items", "containers", "frame "]),
        "os.pat:sep": ("no-such-module", ["os.path"]), "0x10": ("no-object", ["0x10"])})
    return wrong


@check
def damaged():
    """A wild pointer on the way is a sentence, not a crash."""
    asker, wrong = Asker(), []
    items, table = [[1], [2]], {"a": 1}
    gc.disable()  # the collector would follow the wild pointers itself
    word = ctypes.c_uint64
    here = sys._getframe()
    for address, value, expr in ((word.from_address(id(items) + 24).value, 0xdead0000, "items[0].x"),
                                 (word.from_address(id(items) + 24).value, 8, "items[0]"),
                                 (id(table) + 32, 0x123456000, "table['a']")):
        slot = word.from_address(address)
        saved, slot.value = slot.value, value
        error = asker.find(expr, here)
        slot.value = saved
        differ(wrong, expr, isinstance(error, dict) and error["kind"], "no-object")
    return wrong


@check
def type_names():
    """One object of every type that is found here carries its type's name."""
    asker, wrong, seen = Asker(), [], {}
    for obj in gc.get_objects() + checks.zoo():
        seen.setdefault(type(obj), obj)
    objects = list(seen.values())
    for at in range(0, len(objects), checks.MANY):
        part = objects[at:at + checks.MANY]
        for obj, item in zip(part, asker.helper.memory(*part)["items"]):
            kind = type(obj)
            module = type.__dict__["__module__"].__get__(kind)
            name = kind.__qualname__
            if isinstance(module, str) and module != "builtins":
                name = "%s.%s" % (module, name)
            differ(wrong, "type", item["type"], name)
    return wrong


@check
def visible_names():
    asker, wrong = Asker(), []

    def outer(parameter):
        captured = 1

        def inner(MEMORY):  # hides a global
            frame = sys._getframe()
            reply, _ = asker.ask(frame, NAMES)
            return captured, reply["names"]
        return inner(1)[1]

    names = outer(2)
    differ(wrong, "locals first", sorted(names[:4]), ["MEMORY", "asker", "captured", "frame"])
    differ(wrong, "no name twice", len(names), len(set(names)))
    for name in ("TREE", "Asker", "collections"):
        if name not in names:
            wrong.append(name + " is missing")
    if "parameter" in names or ".0" in names:
        wrong.append("too many names: %s" % names)
    return wrong


@check
def labels():
    """How the tree names what hangs on an object."""
    class Node:
        pass

    class Slotted:
        __slots__ = ("slot",)

    Point = collections.namedtuple("Point", "x y")

    def function(a=[1], *, b=[2]):
        return node

    def generator(held):
        mine = [held]
        yield mine

    asker, wrong = Asker(), []
    node, other, slotted = Node(), Node(), Slotted()
    node.first, node.second = [1], [2]
    other.first = [3]
    made = other.__dict__
    slotted.slot = [4]
    running = generator([5])
    mine = next(running)
    queue = collections.deque([[6], [7]])
    table = {"key": [1], 5: [2], b"raw": [3], None: [4], (1, "a"): [5], 2.5: [6], 'q"': [7]}
    items, point, part = [[1], [2]], Point([1], [2]), functools.partial(function, [9])
    try:
        raise KeyError([8])
    except KeyError as e:
        error = e
    cases = [
        (slotted, slotted.slot, ".slot"), (items, items[1], "[1]"), (point, point.y, ".y"),
        (queue, queue[1], "[1]"), (table, table["key"], '["key"]'), (table, table[5], "[5]"),
        (table, table[b"raw"], '[b"raw"]'), (table, table[None], "[None]"),
        (table, table[1, "a"], '[(1, "a")]'), (table, table[2.5], "[<float>]"),
        (table, table['q"'], '["q\\""]'), (function, function.__defaults__, ".__defaults__"),
        (function, function.__closure__, ".__closure__"),
        (function.__closure__[0], node, ".cell_contents"), (part, part.args, ".args"),
        (error, error.args, ".args")]
    if sys.version_info >= (3, 11):
        cases += [(node, node.second, ".second"),
                  (running, mine, '.gi_frame.f_locals["mine"]')]
    else:
        cases += [(running, running.gi_frame, ".gi_frame")]
    # gh-130327: an instance shows its values and not the dict that shares them
    shows_values = (3, 13) <= sys.version_info < (3, 13, 13) or (
        (3, 14) <= sys.version_info < (3, 14, 4))
    if not shows_values:
        cases += [(other, made, ".__dict__"), (made, other.first, '["first"]')]
    else:
        cases += [(other, other.first, ".first")]
    for parent, child, expected in cases:
        differ(wrong, "label in " + type(parent).__name__, label_of(asker, parent, child), expected)
    return wrong


@check
def paths_through_frames():
    """A generator's variables, and those of a frame that a traceback holds."""
    def generator(held):
        mine = [held]
        yield mine

    async def coroutine(held):
        await asyncio.sleep(held)

    def fails(held):
        raise ValueError(held)

    asker, wrong = Asker(), []
    running, waiting = generator([1]), coroutine([2])
    mine, held = next(running), [3]
    try:
        fails(held)
    except ValueError as e:
        error = e
    here = sys._getframe()
    found_here(wrong, asker, here, {
        "running.gi_frame.f_locals['mine']": mine,
        "running.gi_frame.f_locals['held'][0]": mine[0][0],
        "waiting.cr_frame.f_locals['held']": waiting.cr_frame.f_locals["held"],
        "error.__traceback__.tb_next.tb_frame.f_locals['held']": held,
        "error.__traceback__.tb_frame.f_locals['asker'].helper": asker.helper})
    refused_here(wrong, asker, here, {
        "running.gi_frame.f_locals": ("no-such-key", ["mine", "NAME"]),
        "running.gi_frame.f_locals['nope']": ("no-such-key", ["mine"]),
        "error.__traceback__.tb_frame.f_locals[0]": ("no-such-key", ["asker"])})
    if sys.version_info >= (3, 11):
        refused_here(wrong, asker, here, {
            "running.gi_frame": ("no-such-key", ["f_locals"]),
            "running.gi_frame.f_back": ("no-such-key", ["f_locals"])})
    waiting.close()
    return wrong


@check
def labels_are_paths():
    """What py-top and py-mem-print call an object leads back to it."""
    class Node:
        def __init__(self):
            self.items = [[i] for i in range(5)]
            self.table = {"key": collections.deque([[1]]), 2: (3.5, [4]), None: {b"raw": [5]}}

    class Slotted:
        __slots__ = ("slot",)

    Point = collections.namedtuple("Point", "x y")
    asker, wrong = Asker(), []
    held = Node()
    held.slotted = Slotted()
    held.slotted.slot = functools.partial(sorted, [[6]], key=Point([7], [8]))
    held.function = lambda a=[9]: held
    held.generator = (x for x in [[1, 2]])
    next(held.generator)
    here = sys._getframe()
    reply, number = asker.ask(here, TOP, ["held"], limit=0)
    named = 0
    for item in reply["items"]:
        if not item["expr"].startswith("0x"):
            named += 1
            differ(wrong, item["expr"], asker.find(item["expr"], here), int(item["address"], 16))
    if named < 30:
        wrong.append("only %d names" % named)
    return wrong


@check
def unfinished_text():
    """Up to 3.11 a str may hold nothing but wchar_t yet."""
    asker, wrong = Asker(), []
    if sys.version_info >= (3, 12):
        return wrong
    make = ctypes.pythonapi.PyUnicode_FromUnicode
    make.restype, make.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_ssize_t]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        key = make(None, 3)
    wide = ctypes.c_uint64.from_address(id(key) + 40).value  # PyASCIIObject.wstr
    ctypes.memmove(wide, "k€y".encode("utf-32-le"), 12)
    # A dict would make its key ready, so it takes another one's place in the entry.
    mapping = {"xyz": [1]}
    keys = ctypes.c_uint64.from_address(id(mapping) + 32).value
    raw = ctypes.string_at(keys, 200)
    at = raw.index(struct.pack("<Q", id(next(iter(mapping)))))
    slot = ctypes.c_uint64.from_address(keys + at)
    saved, slot.value = slot.value, id(key)
    found = asker.find("mapping['k€y']", sys._getframe())
    slot.value = saved
    differ(wrong, "key", found, id(mapping["xyz"]))
    return wrong


if __name__ == "__main__":
    checks.main()
