"""Checks of references by layout, and of CPython found without its binary.
`python inferred_checks.py NAME`, as checks.py; tests/unit/test_inferred.py runs them in
every interpreter. Runs on Python 3.8 and later.

`blind` is the helper in a process whose files cannot be read meanwhile: neither symbols,
nor code, nor the names of types in C. What a core lacks without a single binary."""

import array
import asyncio
import collections
import contextvars
import ctypes
import datetime
import enum
import functools
import gc
import io
import itertools
import operator
import os
import pickle
import queue
import re
import sys
import threading
import time
import types
import typing
import weakref
import xml.etree.ElementTree as ElementTree
import xml.parsers.expat

import checks
import helper
from checks import check, differ
from helper import FRAMES, LAYOUTS_ONLY, MEMORY, TOP, TRAVERSE_ONLY, TREE
from rememberme import expr as expressions
from rememberme import request as requests

INSPECT = 6  # enum rme_query
MISSING_AT = 64 + 4 * 8  # of struct rme_request
# The second, of arrays: in a static interpreter the sizes of their items are constants.
GUESSED = ("inferred-references", "estimated-size")
NAMELESS = "functools._lru_list_elem"  # in 3.8 and 3.9 no name leads to it
FIGURES = ("size", "objects", "size_without_classes")


class Plain:
    pass


class Slots:
    __slots__ = ("x", "y", "__weakref__")


class SlotsAndDict(Slots):
    __slots__ = ("z", "__dict__")


class Meta(type):
    pass


class WithMeta(metaclass=Meta):
    pass


class Point(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("next", ctypes.c_void_p)]


class Color(enum.Enum):
    RED = [1]


Named = collections.namedtuple("Named", "a b")


def filled(obj, n=3):
    """With attributes; in its second form, with a dict that somebody asked for."""
    for i in range(n):
        setattr(obj, "attribute%d" % i, [i])
    return obj


def with_dict(obj, n=3):
    vars(filled(obj, n))["more"] = [n]
    return obj


def instances():
    many = filled(Plain(), 40)
    deleted = filled(Plain(), 5)
    del deleted.attribute1
    slots, both = Slots(), SlotsAndDict()
    slots.x = [1]
    both.x, both.z, both.other = [1], [2], [3]
    found = [Plain(), filled(Plain()), with_dict(Plain()), many, with_dict(many), deleted, slots,
             both, filled(both), WithMeta(), WithMeta, Color.RED, types.SimpleNamespace(a=[1])]
    arguments = {int: (2 ** 90,), tuple: ((1, [2]),), bytes: (b"abc",), str: ("text",),
                 frozenset: ([1, "b"],), datetime.date: (2020, 1, 1), types.ModuleType: ("m",)}
    for base in (int, str, bytes, bytearray, float, tuple, list, dict, set, frozenset,
                 collections.deque, collections.OrderedDict, collections.defaultdict,
                 collections.Counter, Exception, OSError, datetime.date, types.ModuleType,
                 io.StringIO, io.BytesIO, array.array):
        kind = types.new_class("Of_" + base.__name__, (base,))
        new = arguments.get(base, ("i",) if base is array.array else ())
        found += [kind, kind(*new), filled(kind(*new)), with_dict(kind(*new)),
                  weakly(filled(kind(*new)))]
    return found


REFERENCES = []


def weakly(obj):
    if type(obj).__weakrefoffset__:  # no int subclass has room for it
        REFERENCES.append(weakref.ref(obj, REFERENCES.append))
    return obj


def containers():
    half = {str(i): [i] for i in range(60)}
    for key in list(half)[::2]:
        del half[key]
    mixed = {"a": [1], 2: [2], (1, 2): [3], None: [4]}
    del mixed[2]
    gaps = set("abcdefgh")
    gaps -= set("bdf")
    long = collections.deque([i] for i in range(300))
    long.rotate(70)
    ordered = collections.OrderedDict((str(i), [i]) for i in range(10))
    del ordered["3"]
    ordered.move_to_end("1")
    groups = collections.defaultdict(list, a=[1], b=[2])
    return [[], [1, [2], None], (), (1, [2]), Named(1, [2]), {}, {"a": [1]}, half, mixed, {1: [1]},
            vars(filled(Plain())), vars(filled(Plain(), 35)), set(), {1, "b"}, gaps,
            frozenset(range(100)), collections.deque(), collections.deque([[1]]),
            collections.deque(range(64)), collections.deque(range(65), 65), long, ordered,
            collections.OrderedDict(), groups, collections.defaultdict(None, a=[1]),
            os.stat("/"), time.localtime(), sys.version_info, sys.flags, sys.hash_info,
            os.terminal_size((1, 2)), {}.keys(), {"a": [1]}.values(), {"a": [1]}.items()]


def exceptions():
    def raised(error, cause=None):
        try:
            try:
                raise KeyError("first")
            except KeyError:
                raise error from cause
        except type(error) as e:
            return e

    class Own(OSError):
        __slots__ = ("extra",)

    own = Own(2, "text", "file")
    own.extra, own.attribute = [1], [2]
    found = [raised(ValueError("text", [1])), raised(own, ZeroDivisionError(1)),
             raised(OSError(2, "text", "a", None, "b")), StopIteration([1]), SystemExit([1]),
             UnicodeDecodeError("utf-8", b"abc", 1, 2, "text"), BlockingIOError(1, "text", 3),
             UnicodeEncodeError("utf-8", "abc", 1, 2, "text"), SyntaxError("m", ("f", 1, 2, "t")),
             ImportError("text", name="name", path="path"), KeyError([1]), MemoryError()]
    found[0].attribute = [1]
    for code in ("undefined_name", "object().missing"):
        try:
            eval(code)
        except (NameError, AttributeError) as e:
            found.append(e)
    if sys.version_info >= (3, 11):
        found[0].add_note("a note")
        found.append(ExceptionGroup("text", [ValueError(1)]))  # noqa: F821
    return found + [found[0].__traceback__, found[0].__traceback__.tb_frame]


def functions():
    def closure():
        return later, found

    def annotated(a: int = [1], *args, b: str = [2], **kwargs) -> "text":
        "Its documentation."

    class Methods:
        @property
        def value(self):
            "Its documentation."

        @classmethod
        def of_class(cls):
            pass

        @staticmethod
        def static():
            pass

        @functools.lru_cache(maxsize=2)
        def cached(self, argument):
            return [argument]

    annotated.attribute = [1]
    partial = functools.partial(annotated, 1, b=[2])
    partial.attribute = [3]
    unlimited = functools.lru_cache(maxsize=None)(lambda a, *, b: [a, b])
    methods = Methods()
    for i in range(5):
        methods.cached(i)
        unlimited([].__len__(), b=i)
    unlimited.attribute = [1]
    found = [closure, annotated, partial, unlimited, Methods, methods.of_class, Methods.static,
             methods.cached, Methods.cached, methods.__init__, len, [].append,
             re.compile("x").match, dict.fromkeys, datetime.datetime.now, partial.func,
             operator.itemgetter(1, 2), operator.methodcaller("name", 1, b=2)]
    found += list(closure.__closure__) + list(vars(Methods).values()) + [
        vars(kind)[name] for kind, name in (
            (list, "append"), (dict, "fromkeys"), (slice, "start"), (object, "__class__"),
            (object, "__init__"), (types.FunctionType, "__code__"), (Slots, "x"))]
    later = [1]
    return found


def generators():
    def plain(n):
        for i in range(n):
            yield [i]

    def delegating(inner):
        held = [1]
        yield from inner
        held.append(2)

    @types.coroutine
    def suspend():
        yield [1]

    async def coroutine(argument):
        local = [argument]
        await suspend()
        return local

    async def asynchronous():
        held = [1]
        yield held

    new, started, ended, closed = (plain(2) for _ in range(4))
    next(started)
    list(ended)
    closed.close()
    outer = delegating(plain(3))
    next(outer)
    waiting, done = coroutine(1), coroutine(2)
    waiting.send(None)
    done.close()
    stream, step = asynchronous(), asynchronous()
    try:
        step.__anext__().send(None)
    except StopIteration:
        pass
    return [new, started, ended, closed, outer, waiting, done, stream, step, (x for x in [[1]]),
            started.gi_frame, outer.gi_code, waiting.cr_frame]


def small_things():
    target = filled(Plain())
    numbers = array.array("i", [1, 2])
    view = memoryview(numbers)
    one, two = itertools.tee(iter([[i] for i in range(100)]))
    list(itertools.islice(one, 70))
    ring = queue.SimpleQueue()
    for i in range(20):
        ring.put([i])
        if i % 2:
            ring.get()
    tree = ElementTree.Element("root", {"a": "b"})
    tree.text, tree.tail = "text", "tail"
    for i in range(10):
        ElementTree.SubElement(tree, "child", n=str(i)).text = "t"
    context = contextvars.copy_context()
    variables = [contextvars.ContextVar("v%d" % i, default=[i]) for i in range(40)]
    for variable in variables:
        context.run(variable.set, [1])
    pattern = re.compile("(a)(b)")
    pattern.sub(r"\1x\2", "ab")
    point = Point(b"name", None)
    call = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)
    return [weakref.ref(target), weakref.ref(target, REFERENCES.append), weakref.proxy(target),
            weakref.WeakMethod(Color.RED.__dir__), weakref.WeakKeyDictionary({target: [1]}), view,
            view[1:], types.MappingProxyType({"a": [1]}), vars(int), slice(1, [2], None), range(5),
            range(2 ** 70), datetime.datetime_CAPI, numbers, one, two, ring, tree, context,
            variables[0], pattern, pattern.match("ab"), functools.cmp_to_key(len), point, Point,
            ctypes.pointer(point), call, call(abs), (ctypes.c_int * 3)(), typing.List[int],
            typing.TypeVar("T"), io.StringIO("text"), io.BytesIO(b"bytes"), iter([1]), iter({1: 2}),
            iter({1}), reversed([1]), zip([1], [2]), map(len, [[1]]), enumerate([[1]]),
            filter(None, [[1]]), itertools.chain([[1]]), itertools.count([1][0]),
            itertools.groupby([[1]]), itertools.product([[1]], [[2]]), super(Meta, Meta)]


def asynchronous_things():
    """Futures and tasks, and classes derived from them."""
    loop = asyncio.new_event_loop()

    async def work(argument):
        await asyncio.sleep(60)

    class Future(asyncio.Future):
        pass

    class Task(asyncio.Task):
        __slots__ = ("slot",)

    future, own = loop.create_future(), Future(loop=loop)
    for one in (future, own):
        one.add_done_callback(list)
        one.add_done_callback(len)
    own.attribute = [1]
    tasks = [loop.create_task(work([1])), Task(work([2]), loop=loop)]
    tasks[1].slot = [3]
    loop.run_until_complete(asyncio.sleep(0))
    return [loop, future, own, iter(future)] + tasks


def everything():
    """{group: objects}. Made in a thread, so that no frame in them leads to one that runs."""
    made = {}

    def make():
        for function in (containers, instances, exceptions, functions, generators, small_things,
                         asynchronous_things):
            made[function.__name__] = function()

    maker = threading.Thread(target=make)
    maker.start()
    maker.join()
    gc.collect()
    return made


def expected_references(obj):
    """Without what is left out on purpose."""
    found = [id(one) for one in gc.get_referents(obj)]
    if type(obj) is types.FunctionType:
        out = [obj.__globals__, getattr(obj, "__builtins__", obj.__globals__)]
    elif type(obj) is types.FrameType:
        out = [obj.f_globals, obj.f_builtins]
    else:
        out = []
    out = {id(one) for one in out}
    return sorted(one for one in found if one not in out)


def inspected(helper_, objects):
    for at in range(0, len(objects), checks.MANY):
        part = objects[at:at + checks.MANY]
        reply = helper_.ask(INSPECT, [(one,) for one in part], flags=LAYOUTS_ONLY | TRAVERSE_ONLY,
                            capacity=1 << 26)
        yield from zip(part, reply["items"])


@check
def named_types():
    """By layout the references are those of tp_traverse, and no caveat is needed."""
    helper_, wrong = helper.from_environment(), []
    for group, objects in everything().items():
        for obj, item in inspected(helper_, objects):
            what = "%s: %s" % (group, checks.name_of(obj))
            found = sorted(int(address, 16) for address in item["references"])
            differ(wrong, what, [hex(a) for a in found],
                   [hex(a) for a in expected_references(obj)])
            differ(wrong, what + ": inferred", item["inferred"], False)
    return wrong


@check
def running():
    """A generator and a frame that run: no local is seen by tp_traverse up to 3.13."""
    def generator():
        held = [1]
        yield list(inspected(helper.from_environment(), [held, itself, sys._getframe()]))

    wrong = []
    itself = generator()
    items = next(itself)
    found = sorted(int(address, 16) for address in items[0][1]["references"])
    differ(wrong, "list", found, [id(1)])
    for obj, item in items[1:]:
        differ(wrong, "inferred", item["inferred"], False)
    return wrong


@check
def other_types():
    """A type that nobody knows: its base's references, what looks like one besides, and a
    caveat with its name and a count."""
    helper_, wrong = helper.from_environment(), []
    parsers = [xml.parsers.expat.ParserCreate() for _ in range(3)]
    reply = helper_.memory(parsers, flags=LAYOUTS_ONLY)
    caveats = [(c["kind"], c["type"], c["count"]) for c in reply["caveats"]]
    differ(wrong, "caveats", caveats, [("inferred-references", "pyexpat.xmlparser", 3)])

    class Parsers(list):
        pass

    holder = Parsers(parsers)
    holder.attribute = {"more": [1]}
    whole = helper_.memory(holder, flags=0)
    reply = helper_.memory(holder, flags=LAYOUTS_ONLY)
    if reply["objects"] < whole["objects"] - 3:
        wrong.append("%d instead of %d objects" % (reply["objects"], whole["objects"]))
    return wrong


@check
def totals():
    """What a structure weighs is the same with code and without."""
    helper_, wrong = helper.from_environment(), []
    for group, objects in everything().items():
        for flags in (0, TRAVERSE_ONLY):
            normal = helper_.memory(objects, flags=flags)
            layouts = helper_.memory(objects, flags=flags | LAYOUTS_ONLY)
            differ(wrong, "%s, flags %d" % (group, flags), [layouts[f] for f in FIGURES],
                   [normal[f] for f in FIGURES])
    return wrong


class Degraded:
    """A helper whose requests tell less than they could."""

    def __init__(self, blind=False):
        self.helper = helper.from_environment()
        self.blind = blind

    def _request(self, query, exprs, flags, missing, **options):
        exprs = [expressions.parse(hex(id(one[0])), None) for one in exprs]
        images = self.helper.images if self.blind else ()
        runtime = 0 if self.blind else ctypes.addressof(
            ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime"))
        data = requests.Request(query, flags=flags | LAYOUTS_ONLY, thread=helper.Thread(),
                                exprs=exprs, **options).encode(images=images, runtime=runtime)
        data = bytearray(data + bytes(-len(data) % 8))
        ctypes.c_uint32.from_buffer(data, MISSING_AT).value = len(data)
        ctypes.c_uint32.from_buffer(data, MISSING_AT + 4).value = len(missing)
        words = [word for start, end, _ in missing for word in (start, end)]
        return bytes(data) + b"".join(word.to_bytes(8, "little") for word in words)

    def ask(self, query, exprs=(), flags=TRAVERSE_ONLY, **options):
        hidden = unchanged_files() if self.blind else []
        request = self._request(query, exprs, flags, hidden, **options)
        return self.helper.ask(query, request=request, call=self._call(hidden),
                               capacity=1 << 26)

    def memory(self, *objects, **options):
        return self.ask(MEMORY, [(one,) for one in objects], **options)

    def _call(self, hidden):
        if not self.blind:
            return None
        blind_run = ctypes.PyDLL(os.environ["RME_BLIND"]).blind_run
        blind_run.restype = ctypes.c_int64
        blind_run.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_uint64]
        run = ctypes.cast(self.helper.run, ctypes.c_void_p)
        words = [word for row in hidden for word in row]
        rows = (ctypes.c_uint64 * len(words))(*words)
        return lambda block: blind_run(run, block, rows, len(hidden))


def unchanged_files():
    """[(start, end, protection)] of what the kernel leaves out of a core: mappings of ELF
    files of which no page was written to. All but the helper's own."""
    ours = [os.path.realpath(os.environ[name]) for name in ("RME_LIBRARY", "RME_BLIND")]
    elf, rows = set(), []
    with open("/proc/self/smaps") as smaps:
        for line in smaps:
            fields = line.split(None, 5)
            if not fields[0].endswith(":"):
                path = fields[5].strip() if len(fields) == 6 else ""
                start, end = (int(x, 16) for x in fields[0].split("-"))
                if path.startswith("/") and fields[2] == "00000000" and fields[1][0] == "r" and \
                        ctypes.string_at(start, 4) == b"\x7fELF":
                    elf.add(path)
                protection = sum(bit for bit, c in zip((1, 2, 4), fields[1]) if c != "-")
            elif fields[0] == "Anonymous:" and fields[1] == "0" and protection and \
                    path in elf and path not in ours:
                rows.append((start, end, protection))
    return rows


def stage(asker, query, data):
    """The answer about this very frame."""
    held = {"data": data, "more": [1, 2, 3]}
    frame, distance = sys._getframe(), 0
    while frame:
        frame, distance = frame.f_back, distance + 1
    items = asker.ask(FRAMES)["items"]
    number = len(items) - distance
    if query == FRAMES:
        return [[row["function"], row["file"], row["line"]] for row in items[number:]]
    return {row["expr"]: [row[key] for key in ("type", "own_size") + FIGURES]
            for row in asker.ask(query, frame=number)["items"]
            if row["expr"] in ("held", "data")}


def compare(wrong, degraded):
    normal = helper.from_environment()
    made = everything()
    for group, objects in made.items():
        for flags in (0, TRAVERSE_ONLY):
            expected = normal.memory(objects, flags=flags)
            reply = degraded.memory(objects, flags=flags)
            if "error" in reply:
                return wrong.append(str(reply["error"]))
            if any(c["kind"] not in GUESSED for c in reply["caveats"]):
                wrong.append("%s: %s" % (group, reply["caveats"]))
            if not reply["caveats"]:
                differ(wrong, "%s, flags %d" % (group, flags), [reply[f] for f in FIGURES],
                       [expected[f] for f in FIGURES])
            differ(wrong, "version", reply["python"], expected["python"])
    for group in ("containers", "functions", "generators"):
        told = [a.ask(TREE, [(made[group],)], depth=4, limit=0, flags=TRAVERSE_ONLY)["tree"]
                for a in (normal, degraded)]
        same_tree(wrong, group, *told)
    data = made["containers"]
    for query in (FRAMES, TOP):
        told = [stage(a, query, data) for a in (normal, degraded)]
        differ(wrong, "frames" if query == FRAMES else "top", told[1], told[0])


def same_tree(wrong, where, expected, got):
    for key in ("label", "type", "own_size", "size", "objects"):
        if key != "type" or expected["type"] != NAMELESS:
            differ(wrong, "%s of %s" % (key, where), got[key], expected[key])
    differ(wrong, "children of " + where, len(got["children"]), len(expected["children"]))
    for one, other in zip(expected["children"], got["children"]):
        same_tree(wrong, "%s %s" % (where, one["label"] or one["type"]), one, other)


@check
def without_symbols():
    """No image is told: the types are found from _PyRuntime alone."""
    wrong = []
    compare(wrong, Degraded())
    return wrong


@check
def blind():
    wrong = []
    compare(wrong, Degraded(blind=True))
    return wrong


@check
def blind_guesses():
    """What has no name there is looked through, and said so."""
    wrong = []
    parsers = [xml.parsers.expat.ParserCreate() for _ in range(3)]
    memo = {"pickler": pickle.Pickler(io.BytesIO()), "parsers": parsers}
    reply = Degraded(blind=True).memory(memo)
    kinds = {c["kind"] for c in reply["caveats"]}
    differ(wrong, "kinds", kinds, {"inferred-references"})
    counts = sorted(c["count"] for c in reply["caveats"])
    if 3 not in counts:
        wrong.append("caveats: %s" % reply["caveats"])
    return wrong


if __name__ == "__main__":
    checks.main()
