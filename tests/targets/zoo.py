"""A few hundred kinds of objects, by area: everything of the standard library that
has a layout, a size or references of its own. Runs on Python 3.8 and later.

`make()` returns {area: [objects]}. Run as a program it stops with one local per area.
"""

import array
import asyncio
import bz2
import codecs
import collections
import contextvars
import csv
import ctypes
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import hashlib
import io
import itertools
import json
import lzma
import mmap
import operator
import os
import pickle
import queue
import random
import re
import select
import socket
import sqlite3
import string
import struct
import sys
import threading
import time
import types
import typing
import weakref
import xml.etree.ElementTree as ElementTree
import xml.parsers.expat
import zlib

AREAS = {}


def area(function):
    AREAS[function.__name__] = function
    return function


class Plain:
    def __init__(self):
        self.a = object()
        self.b = [1]
        self.c = "x" * 3


class Slots:
    __slots__ = ("x", "y")


class SlotsAndDict(Slots):
    __slots__ = ("z", "__dict__", "__weakref__")


class TupleSub(tuple):
    pass


class IntSub(int):
    pass


class ListSub(list):
    __slots__ = ("q",)


class DictSub(dict):
    pass


class StrSub(str):
    pass


class BytesSub(bytes):
    pass


class SetSub(set):
    pass


class Meta(type):
    pass


class WithMeta(metaclass=Meta):
    pass


class Many:
    pass


class Error(Exception):
    pass


@area
def instances():
    yield Plain()
    one = Plain()
    del one.b
    yield one
    one = Plain()
    one.__dict__
    yield one
    one = Plain()
    one.__dict__["other"] = 1
    yield one
    one = Plain()
    one.__dict__ = {"q": 1, "r": [2]}
    yield one
    one = Many()
    for i in range(60):
        setattr(one, "attr%d" % i, [i])
    yield one
    one = Many()
    one.attr5 = 3
    yield one
    one = Slots()
    one.x = [1]
    yield one
    one = SlotsAndDict()
    one.x, one.z, one.w = [], {}, 5
    yield one
    yield WithMeta()
    yield super(Plain, Plain())
    yield Plain().__init__


@area
def subclasses():
    for value in (TupleSub([1, [2], 3]), IntSub(5), IntSub(2 ** 200), IntSub(-2 ** 100), IntSub(0),
                  DictSub(a=1), StrSub("abc"), StrSub("\u1234" * 5), BytesSub(b"abcdefg"),
                  SetSub([1, 2])):
        value.attribute = [3]
        yield value
    one = ListSub([1, 2])
    one.q = [1]
    yield one
    yield TupleSub()
    yield DictSub()


@area
def numbers():
    yield from (0, 1, -1, 2 ** 30, 2 ** 30 - 1, 2 ** 60, 2 ** 90, -2 ** 300, True, False, 1.5, 1j)
    yield from (None, Ellipsis, NotImplemented)
    yield fractions.Fraction(1, 3)
    yield from (decimal.Decimal("1.5"), decimal.Decimal("1" * 200), decimal.Decimal("NaN"))
    yield from (decimal.getcontext(), decimal.Context(), decimal.localcontext())
    yield random.Random()


@area
def strings():
    yield from ("", "a", "abc", "\xe9", "\xe9" * 10, "\u1234", "\u1234" * 7, "\U0001f600",
                "\U0001f600" * 9, "x" * 1000)
    as_utf8 = ctypes.pythonapi.PyUnicode_AsUTF8
    as_utf8.restype, as_utf8.argtypes = ctypes.c_char_p, [ctypes.py_object]
    for text in ("\xe9" * 7, "\u1234\u3456" * 4, StrSub("\xe9abc")):
        as_utf8(text)  # fills the UTF-8 cache
        yield text
    yield from (b"", b"a", b"abc" * 10)
    yield from (bytearray(), bytearray(b"a"), bytearray(b"abc" * 100))
    shrunk = bytearray(b"x" * 100)
    del shrunk[:10]
    shrunk += b"yy"
    yield shrunk
    yield str.maketrans("a", "b")


@area
def lists():
    yield from ([], [1], [1] * 10, list(range(100)), [x for x in range(7)], (), (1,), (1, [2], 3))
    grown = []
    for i in range(33):
        grown.append(i)
    yield grown
    cut = list(range(50))
    del cut[5:]
    yield cut
    cleared = [1, 2, 3]
    cleared.clear()
    yield cleared
    cyclic = []
    cyclic.append(cyclic)
    yield cyclic


@area
def dicts():
    yield from ({}, {"a": 1}, {1: 2}, {i: i for i in range(5)}, {i: i for i in range(6)},
                {i: i for i in range(200)}, {str(i): i for i in range(5)},
                {str(i): [i] for i in range(6)}, {str(i): i for i in range(70000)},
                dict.fromkeys(range(300)), dict(a=1, b=2), {}.copy(), {"a": 1, "b": 2}.copy(),
                {i: 1 for i in range(10)}.copy(), {StrSub("a"): [1]}, {(1, 2): [3]})
    sparse = {i: [i] for i in range(100)}
    for i in range(90):
        del sparse[i]
    yield sparse
    mixed = {str(i): [i] for i in range(20)}
    del mixed["3"]
    yield dict(mixed)
    mixed[5] = 6
    yield mixed
    cleared = {"a": 1}
    cleared.clear()
    yield cleared


@area
def views():
    view = {1: 2}
    yield from (view.keys(), view.items(), view.values())
    yield types.MappingProxyType({"a": [1]})


@area
def sets():
    yield from (set(), {1}, {1, 2, 3, 4, 5}, set(range(100)), frozenset(), frozenset([1, 2]),
                frozenset(range(50)))
    emptied = set(range(30))
    for key in range(28):
        emptied.discard(key)
    yield emptied
    cleared = set(range(70))
    cleared.clear()
    yield cleared


@area
def containers():
    yield from (collections.deque(), collections.deque([1]),
                collections.deque([i] for i in range(200)),
                collections.deque([[1], [2]], maxlen=5))
    rotated = collections.deque(range(300))
    for _ in range(200):
        rotated.popleft()
    rotated.rotate(50)
    yield rotated
    ordered = collections.OrderedDict((str(i), [i]) for i in range(50))
    del ordered["3"]
    ordered["x"] = [1]
    yield ordered
    yield from (collections.OrderedDict(), collections.OrderedDict(a=1))

    class Ordered(collections.OrderedDict):
        pass

    one = Ordered(a=[1])
    one.attribute = [3]
    yield one
    default = collections.defaultdict(list)
    default["a"].append(1)
    yield default
    yield collections.Counter("abcab")
    yield collections.ChainMap({}, {"a": 1})
    yield collections.namedtuple("Pair", "a b")(1, [2])
    yield collections.UserDict(a=[1])
    yield types.SimpleNamespace(a=1, b=[2])
    yield from (array.array("i"), array.array("d", [1.0] * 10))
    yield from (range(3), range(0, 2 ** 70, 3), slice(1, [2], 3))
    waiting = queue.Queue()
    waiting.put([1])
    yield waiting
    simple = queue.SimpleQueue()
    simple.put([1])
    simple.put([2])
    yield simple


def _function(a, b=[1], *, k={}):
    def inner():
        return a
    return inner


_function.attribute = [1]
_function.__annotations__["a"] = int


@area
def functions():
    yield from (_function, _function([3]), _function.__code__, _function([4]).__closure__)
    yield from (len, [].append, dict.fromkeys, "".join, print)
    part = functools.partial(_function, [1], b=3)
    part.attribute = [1]
    yield part
    yield functools.partial(_function)
    for maxsize in (10, None, 0):
        @functools.lru_cache(maxsize=maxsize)
        def cached(a, b=0):
            return [a]
        for i in range(20):
            cached(i)
        cached((1, 2), b=3)
        yield cached
    yield functools.cmp_to_key(lambda a, b: 0)([1])
    yield functools.cmp_to_key(lambda a, b: 0)
    yield functools.singledispatch(_function)
    yield from (operator.itemgetter(1), operator.itemgetter(1, 2), operator.attrgetter("a", "b.c"),
                operator.methodcaller("x", 1, k=2))
    yield from (int.__add__, (5).__add__, str.join, object.__init__, [].__len__)
    yield from (Slots.x, type.__dict__["__mro__"], dict.__dict__["fromkeys"])


@area
def classes():
    class Properties:
        def __init__(self):
            pass

        @property
        def value(self):
            return 1

        @classmethod
        def make(cls):
            pass

        @staticmethod
        def helper():
            pass

        @functools.cached_property
        def cached(self):
            return [1]

    one = Properties()
    one.cached
    yield from (Properties, one, Properties.__dict__)
    yield from (WithMeta, Meta, Meta("Made", (), {}), int, list, type, object)

    class Colour(enum.Enum):
        RED = 1
        BLUE = [2]

    yield from (Colour, Colour.RED)

    @dataclasses.dataclass
    class Record:
        a: int
        b: list = dataclasses.field(default_factory=list)

    yield from (Record, Record(1))
    yield from (typing.List[int], typing.TypeVar("T"), typing.Optional[int], typing.Generic,
                typing.Callable[[int], str])
    if sys.version_info >= (3, 9):
        yield from (list[int], dict[str, list[int]])
    if sys.version_info >= (3, 10):
        yield int | str
    if sys.version_info >= (3, 12):
        names = {}
        exec("type X[T, *U, **P] = list[T]\ndef generic[T](a: T) -> T: return a\n"
             "class G[T]: pass\n", names)
        yield from (names["X"], names["generic"], names["G"], names["X"].__type_params__,
                    names["X"].__value__)


@area
def weak_references():
    referent = Plain()
    yield referent
    yield weakref.ref(referent, lambda r: None)
    yield weakref.proxy(referent, lambda r: None)
    yield weakref.WeakKeyDictionary({referent: 1})
    yield weakref.WeakValueDictionary({1: referent})
    yield weakref.WeakSet([referent])
    yield weakref.WeakMethod(referent.__init__)


@area
def buffers():
    yield memoryview(b"abc")
    view = memoryview(bytearray(b"abcdef"))
    yield from (view, view[1:3])
    yield memoryview(array.array("d", [1, 2, 3])).cast("b").cast("b", [4, 6])
    released = memoryview(b"a")
    released.release()
    yield released
    yield mmap.mmap(-1, 4096)


@area
def files():
    yield from (io.BytesIO(), io.BytesIO(b"abc" * 10), io.StringIO(), io.StringIO("abc"),
                io.StringIO("\u1234" * 20), io.StringIO("abc", newline="\r\n"))
    written = io.BytesIO()
    written.write(b"x" * 1000)
    written.attribute = [1]
    yield written
    text = io.StringIO()
    text.write("abc")
    text.write("def")
    yield text
    shared = io.BytesIO(b"q" * 50)
    yield from (shared, shared.getbuffer())
    binary = open("/dev/zero", "rb")
    binary.read(10)
    yield binary
    reading = open("/proc/self/status")
    reading.readline()
    yield reading
    yield from (open("/dev/null", "wb"), open("/dev/null", "rb", buffering=0),
                io.BufferedRWPair(io.BytesIO(), io.BytesIO()), io.TextIOWrapper(io.BytesIO()),
                io.IncrementalNewlineDecoder(None, True))
    yield next(os.scandir("/"))
    yield os.stat("/")


@area
def parsing():
    yield from (struct.Struct("iid"), struct.Struct(">q3s4x"), struct.Struct(""))
    yield from (re.compile("a(b)(?P<n>c)"), re.compile("x").match("x"),
                re.compile("(a)|b").search("zzb"), re.compile("a").scanner("aaa"),
                re.compile("a").finditer("aaa"))
    root = ElementTree.fromstring('<a x="1"><b>t</b><c y="2"/>tail<d/><e/><f/><g/></a>')
    yield from (root, ElementTree.Element("q"), list(root))
    walker = root.iter()
    next(walker)
    yield walker
    unfinished = ElementTree.XMLParser()
    unfinished.feed("<a>")
    yield from (unfinished, ElementTree.TreeBuilder(), ElementTree.XMLPullParser())
    expat = xml.parsers.expat.ParserCreate()
    expat.StartElementHandler = lambda *args: None
    yield expat
    yield from (json.JSONDecoder(), json.JSONEncoder())
    yield from (csv.reader(["a"]), csv.writer(io.StringIO()))
    pickler = pickle.Pickler(io.BytesIO())
    pickler.dump([1, [2], {"a": []}])
    yield pickler
    unpickler = pickle.Unpickler(io.BytesIO(pickle.dumps([[1], "abc", {"x": [1]}])))
    unpickler.load()
    yield unpickler
    yield from (codecs.getincrementaldecoder("utf-8")(), codecs.lookup("utf-8"), string.Formatter())


@area
def times():
    zone = datetime.timezone(datetime.timedelta(hours=1), "XX")
    yield from (datetime.date(2020, 1, 1), datetime.time(1, 2), datetime.time(1, 2, tzinfo=zone),
                datetime.datetime(2020, 1, 1), datetime.datetime(2020, 1, 1, tzinfo=zone),
                datetime.timedelta(3), zone, datetime.timezone.utc)

    class Stamp(datetime.datetime):
        pass

    stamp = Stamp(2020, 1, 1)
    stamp.attribute = [1]
    yield stamp
    yield from (time.localtime(0), os.times(), sys.flags, sys.hash_info, sys.implementation)


@area
def concurrency():
    yield from (threading.Lock(), threading.RLock(), threading.Condition(), threading.Event(),
                threading.Thread(target=print))
    local = threading.local()
    local.x = [1]
    yield local
    variable = contextvars.ContextVar("variable", default=[1])
    token = variable.set([2])
    yield from (variable, token, contextvars.copy_context())
    context = contextvars.Context()
    variables = [contextvars.ContextVar("v%d" % i) for i in range(100)]

    def set_all():
        for v in variables:
            v.set([v])

    context.run(set_all)
    yield from (context, variables, iter(context), context.keys(), context.items())
    loop = asyncio.new_event_loop()
    future = loop.create_future()
    future.add_done_callback(print)
    yield future

    async def wait():
        await future

    task = loop.create_task(wait())
    loop.call_soon(loop.stop)
    loop.run_forever()
    yield task


@area
def iterators():
    yield from (iter([1, 2]), reversed([1]), iter((1,)), iter({}), iter({1: 2}.items()), iter({1}),
                iter("abc"), iter("\u1234"), iter(b"ab"), iter(bytearray(b"a")), iter(range(3)),
                enumerate([1]), zip([1], [2]), map(str, [1]), filter(None, [1]), reversed((1, 2)),
                iter(lambda: 1, 2))
    for exhausted in (iter([1]), iter({1: 2})):
        list(exhausted)
        yield exhausted
    yield from (itertools.count(), itertools.count(2 ** 70, 3), itertools.cycle([1, 2]),
                itertools.repeat([1]), itertools.chain([1], [2]),
                itertools.chain.from_iterable([[1]]), itertools.compress([1], [1]),
                itertools.dropwhile(bool, [1]), itertools.takewhile(bool, [1]),
                itertools.filterfalse(bool, [1]), itertools.islice([1, 2], 1),
                itertools.product(), itertools.combinations([1], 3),
                itertools.combinations_with_replacement([1, 2, 3], 2),
                itertools.starmap(max, [[1]]), itertools.zip_longest([1], [2]),
                itertools.accumulate([1]))
    for started in (itertools.product([1], [2, 3], [4]), itertools.permutations([1, 2, 3]),
                    itertools.combinations([1, 2, 3], 2), itertools.groupby([1, 1, 2]),
                    itertools.cycle([[1], [2]])):
        next(started)
        yield started
    one, two = itertools.tee([[i] for i in range(200)])
    for _ in range(130):
        next(one)
    yield from (one, two)
    if sys.version_info >= (3, 10):
        pairs = itertools.pairwise([[1], [2], [3]])
        next(pairs)
        yield pairs
    if sys.version_info >= (3, 12):
        yield itertools.batched([1, 2], 2)


def _generate(a):
    b = [a]
    try:
        yield b
        yield [a, b]
    except ValueError as e:
        yield e


async def _coroutine(a):
    await asyncio.sleep(0)


async def _async_generator():
    yield [1]
    yield 2


@types.coroutine
def _old_coroutine():
    yield


# Coroutines that nobody awaits would warn when the zoo is torn down.
_unawaited = []


@area
def generators():
    yield _generate([1])
    started = _generate([1])
    next(started)
    yield started
    finished = _generate([2])
    list(finished)
    yield finished
    thrown = _generate([2])
    next(thrown)
    thrown.throw(ValueError("x"))
    yield thrown
    yield (i for i in [[1]])
    closed = _generate([5])
    next(closed)
    closed.close()
    yield closed

    def delegating():
        yield from _generate([3])

    outer = delegating()
    next(outer)
    yield outer
    framed = _generate([1])
    next(framed)
    yield from (framed.gi_frame, framed)
    waiting = _coroutine([1])
    yield from (waiting, waiting.__await__())
    several = _async_generator()
    yield from (several, several.asend(None), several.aclose(), _old_coroutine())


@area
def exceptions():
    def fail():
        local = [1]
        raise KeyError("a", local)

    try:
        fail()
    except KeyError as e:
        caught = e
    yield from (caught, caught.__traceback__, caught.__traceback__.tb_next.tb_frame)
    try:
        try:
            fail()
        except KeyError as e:
            raise ValueError("q") from e
    except ValueError as e:
        caught = e
    yield caught
    yield from (OSError(2, "x", "name"), UnicodeDecodeError("utf8", b"a", 0, 1, "r"), SystemExit(3),
                StopIteration([4]), ImportError("a", name="x", path="y"),
                SyntaxError("x", ("f", 1, 2, "t")), MemoryError(), AttributeError("x"))
    own = Error(1, [2])
    own.attribute = [1]
    yield own
    if sys.version_info >= (3, 11):
        own.add_note("note")
        yield ExceptionGroup("group", [ValueError(1)])  # noqa: F821


class Point(ctypes.Structure):
    _fields_ = [("x", ctypes.c_int), ("p", ctypes.c_char_p), ("n", ctypes.POINTER(ctypes.c_int))]


class Either(ctypes.Union):
    _fields_ = [("a", ctypes.c_int), ("b", ctypes.c_double)]


@area
def foreign():
    point = Point(1, b"abc")
    point.n = ctypes.pointer(ctypes.c_int(5))
    yield from (point, point.n, Either(), Point, (ctypes.c_int * 5)(), ctypes.c_int * 5,
                ctypes.POINTER(Point), ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 1),
                ctypes.create_string_buffer(100), ctypes.byref(point),
                ctypes.cast(ctypes.c_char_p(b"x"), ctypes.c_void_p), ctypes.CDLL(None).printf,
                Point.x, (Point * 3)())


@area
def libraries():
    connection = sqlite3.connect(":memory:")
    cursor = connection.cursor()
    cursor.execute("select 1 as a, ?", (5,))
    connection.create_function("f", 1, lambda a: a)
    connection.row_factory = sqlite3.Row
    rows = connection.execute("select 1 as x")
    yield from (connection, cursor, rows.fetchone(), rows)
    yield from (zlib.compressobj(), zlib.decompressobj(), hashlib.md5(), hashlib.sha256(),
                bz2.BZ2Compressor(), bz2.BZ2Decompressor(), lzma.LZMACompressor(),
                lzma.LZMADecompressor())
    yield from (socket.socket(), select.epoll(), select.poll())
    module = types.ModuleType("made")
    module.attribute = [1]
    yield module


def make():
    made = {name: list(function()) for name, function in AREAS.items()}
    for value in made["generators"]:
        if isinstance(value, (types.CoroutineType, types.AsyncGeneratorType)):
            _unawaited.append(value)
    return made


def program():
    import stage

    # One local per area; exec makes them locals of a function by these names.
    names = ", ".join(sorted(AREAS))
    scope = {"stage": stage, "make": make, "Plain": Plain}
    exec("def look():\n    whole = make()\n    %s = (whole[n] for n in sorted(whole))\n"
         "    stage.stop()\n    return sorted(map(len, whole.values()))" % names, scope)
    stage.result(lengths=scope["look"]())


if __name__ == "__main__":
    program()
