"""What objects own although their tp_traverse does not show it: one function per kind, which
builds the case, knows the answer, and yields what it found wrong. Runs in every interpreter:

    python cases.py LIBRARY     prints {name: [what is wrong]} as JSON

A case that this version or installation lacks yields nothing.
"""

import collections
import csv
import ctypes
import datetime
import decimal
import functools
import io
import json
import mmap
import os
import re
import select
import sqlite3
import struct
import sys
import tempfile
import types
import xml.parsers.expat
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "oracle"))

INSPECT, TRAVERSE_ONLY = 6, 1
CASES = {}
minor = sys.version_info[1]
getsizeof = sys.getsizeof


def case(function):
    CASES[function.__name__] = function
    return function


class Asker:
    def __init__(self, library):
        import helper
        self.helper = helper.Helper(library)

    def references(self, obj, flags=0):
        """Addresses, with repetitions."""
        item = self.helper.ask(INSPECT, [(obj,)], flags=flags, capacity=1 << 26)["items"][0]
        return [int(a, 16) for a in item["references"]]

    def extra(self, obj):
        """Addresses of what is only in the measure `owned`."""
        return list((collections.Counter(self.references(obj))
                     - collections.Counter(self.references(obj, TRAVERSE_ONLY))).elements())

    def kinds(self, obj):
        """Type names of everything that it owns."""
        return sorted(type(ctypes.cast(a, ctypes.py_object).value).__name__
                      for a in self.references(obj))

    def reachable(self, root):
        """Every object that it keeps, without classes, code and modules."""
        seen, todo = {id(root): root}, [root]
        while todo:
            batch, todo = todo, []
            for item in self.helper.ask(INSPECT, [(o,) for o in batch], flags=0,
                                        capacity=1 << 26)["items"]:
                for address in map(lambda a: int(a, 16), item["references"]):
                    obj = ctypes.cast(address, ctypes.py_object).value
                    if address not in seen and not isinstance(
                            obj, (type, types.CodeType, types.ModuleType)):
                        seen[address] = obj
                        todo.append(obj)
        return list(seen.values())

    def weighs(self, obj, classes=True, flags=0):
        reply = self.helper.memory(obj, flags=flags)
        return reply["size" if classes else "size_without_classes"]

    def owns(self, obj, *parts):
        """What is missing of the parts that the object must lead to."""
        there = self.references(obj)
        return ["%r does not lead to %r" % (type(obj), part) for part in parts
                if id(part) not in there]


@case
def keys_of_a_dict(ask):
    keys = ["%0100d" % i for i in range(100000)]
    table = dict.fromkeys(keys)
    wanted = getsizeof(table) + sum(map(getsizeof, keys)) + getsizeof(None)
    if ask.weighs(table) != wanted:
        yield "%d, not %d" % (ask.weighs(table), wanted)
    if ask.weighs(table, flags=TRAVERSE_ONLY) != getsizeof(table) + getsizeof(None):
        yield "the measure `traverse` counts keys"


@case
def keys_of_a_split_dict(ask):
    class Record:
        def __init__(self):
            self.first_name = self.second_name = None
    made = [Record(), Record()]
    names = list(vars(made[0]))
    yield from ask.owns(vars(made[0]), *names)
    yield from ask.owns(Record, *names)


@case
def dict_beside_inline_values(ask):
    class Record:
        def __init__(self):
            self.value = [1]
    one = Record()
    space = vars(one)
    yield from ask.owns(one, space)
    if ask.references(one).count(id(space)) != 1:
        yield "its __dict__ is handed out more than once"


@case
def replaced_dict(ask):
    class Record:
        pass
    one = Record()
    one.value = 1
    space = one.__dict__ = {"other": [2]}
    if ask.references(one).count(id(space)) != 1:
        yield "its __dict__ is not handed out once"


@case
def buffer_of_a_bytesio(ask):
    alone = io.BytesIO()
    alone.write(b"x" * 1000000)
    if ask.weighs(alone, classes=False) != getsizeof(alone):
        yield "its own buffer: %d, not %d" % (ask.weighs(alone, classes=False), getsizeof(alone))
    data = b"y" * 1000000
    shared = io.BytesIO(data)
    if ask.weighs(shared, classes=False) != getsizeof(shared) + getsizeof(data):
        yield "a shared buffer: %d" % ask.weighs(shared, classes=False)


@case
def parts_of_code(ask):
    def function(a, b):
        def inner():
            return b, a, 12345678901234567890, "a constant of its own", (1.5, b"bytes")
        return inner, [x for x in a]
    for code in (function.__code__, function([1], [2])[0].__code__):
        code.co_code, code.co_varnames, code.co_cellvars, code.co_freevars  # fill _co_cached
        parts = [code.co_consts, code.co_names, code.co_filename, code.co_name]
        if minor >= 11:
            parts += [code.co_exceptiontable, code.co_qualname, code.co_linetable, code.co_code]
        elif minor == 10:
            parts += [code.co_linetable, code.co_code]
        else:
            parts += [code.co_lnotab, code.co_code]
        if minor <= 10 or minor >= 12:
            parts += [code.co_varnames, code.co_cellvars, code.co_freevars]
        yield from ask.owns(code, *parts)
        yield from ask.owns(code.co_consts, *code.co_consts)


@case
def constants_of_a_function(ask):
    space = {}
    exec("def function():\n    return %r, %r" % ("x" * 100000, 10 ** 1000), space)
    function = space["function"]
    parts = [o for o in function.__code__.co_consts if isinstance(o, (str, int, tuple))]
    parts += [o for part in parts if isinstance(part, tuple) for o in part]
    wanted = sum(map(getsizeof, parts))
    if not wanted < ask.weighs(function) < wanted + 3000:
        yield "%d, not %d and what is around" % (ask.weighs(function), wanted)
    if ask.weighs(function, flags=TRAVERSE_ONLY) > 3000:
        yield "the measure `traverse` counts constants"


def estimates(ask, obj, size, word):
    """The caveat must name the type; the rest of the answer must stand."""
    reply = ask.helper.memory(obj)
    told = [(c["kind"], c["count"], c["type"].rpartition(".")[2]) for c in reply["caveats"]
            if c["type"] and c["type"].rpartition(".")[2] == type(obj).__name__]
    if told != [("estimated-size", 1, type(obj).__name__)]:
        yield "caveats: %s" % reply["caveats"]
    elif not [c for c in reply["caveats"] if word in c["message"]]:
        yield "told as %s" % reply["caveats"]
    if reply["items"][0]["own_size"] != size:
        yield "%d, not %d" % (reply["items"][0]["own_size"], size)


@case
def a_sizeof_in_python(ask):
    """Not run: it may do anything."""
    called = []

    class Sized:
        def __init__(self):
            self.attribute = ["of its own"]

        def __sizeof__(self):
            called.append(self)
            return 10 ** 6

    class Lists(list):
        def __sizeof__(self):
            called.append(self)
            raise SystemExit

    one, plain = Sized(), type("Plain", (), {"__init__": Sized.__init__})()
    yield from estimates(ask, one, getsizeof(plain), "written in Python")
    empty = type("Plain", (list,), {})()
    yield from estimates(ask, Lists(), getsizeof(empty), "written in Python")
    if not any(part is one.attribute for part in ask.reachable(one)):
        yield "what it refers to is not reached"
    if called:
        yield "it was called"


@case
def a_sizeof_in_an_extension(ask):
    """C code of others, as a method or (Cython's functions) not: the same caveat."""
    try:
        import numpy
        from pandas._libs.index import Int64Engine
    except ImportError:
        return
    engine = Int64Engine(numpy.arange(1000))
    engine.get_loc(5)  # it makes a table then, which __sizeof__ counts
    header = getsizeof([]) - [].__sizeof__()
    yield from estimates(ask, engine, object.__sizeof__(engine) + header, "is not known here")


@case
def names_of_a_class(ask):
    cls = type("NameOfItsOwn", (), {"__slots__": ("one_slot", "another")})
    cls.__qualname__ = "another.NameOfItsOwn"
    yield from ask.owns(cls, cls.__name__, cls.__qualname__)
    if "tuple" not in ask.kinds(cls):
        yield "no __slots__"


@case
def ends_of_a_range(ask):
    ends = range(10 ** 30, 10 ** 31, 10 ** 20)
    yield from ask.owns(ends, ends.start, ends.stop, ends.step)
    wanted = getsizeof(ends) + sum(map(getsizeof, (ends.start, ends.stop, ends.step, len(ends))))
    if ask.weighs(ends) != wanted:
        yield "%d, not %d" % (ask.weighs(ends), wanted)
    if ask.kinds(iter(ends)).count("int") < 3:
        yield "its iterator does not lead to its ends"


@case
def tzinfo(ask):
    zone = datetime.timezone(datetime.timedelta(hours=1), "a zone")
    yield from ask.owns(datetime.datetime(2020, 1, 1, tzinfo=zone), zone)
    yield from ask.owns(datetime.time(1, tzinfo=zone), zone)
    yield from ask.owns(zone, zone.utcoffset(None), zone.tzname(None))
    for without in (datetime.datetime(2020, 1, 1), datetime.time(1), datetime.date(2020, 1, 1)):
        if ask.references(without):
            yield "%r leads somewhere" % without

    class Subclass(datetime.datetime):
        pass
    yield from ask.owns(Subclass(2020, 1, 1, tzinfo=zone), zone)


@case
def names_of_descriptors(ask):
    class Slots:
        __slots__ = ("a_slot",)
    for descriptor in (Slots.a_slot, str.join, type.__dict__["__mro__"], object.__init__):
        descriptor.__qualname__
        yield from ask.owns(descriptor, descriptor.__name__, descriptor.__qualname__)


@case
def generator_in_flight(ask):
    def generator():
        local = ["of a generator that runs"]
        found.append((id(local), references(this)))
        yield local

    def references(of):
        # Up to 3.10 the locals hang on the frame object.
        return ask.references(of) + (ask.references(of.gi_frame) if minor < 11 else [])
    found = []
    this = generator()
    next(this)
    (local, running), = found
    if running.count(local) != 1:
        yield "running: its local %d times" % running.count(local)
    if references(this).count(local) != 1:
        yield "suspended: its local %d times" % references(this).count(local)


@case
def coroutine_in_flight(ask):
    async def coroutine():
        local = ["of a coroutine that runs"]
        return id(local), ask.references(this if minor > 10 else this.cr_frame)
    this = coroutine()
    try:
        this.send(None)
    except StopIteration as stop:
        local, references = stop.value
        if local not in references:
            yield "no local"


@case
def executing_frames(ask):
    def outer():
        local = ["of the outer frame"]
        return inner(sys._getframe()) + (id(local),)

    def inner(caller):
        mine, frame = ["of the inner frame"], sys._getframe()
        return ask.references(caller), ask.references(frame), id(mine)
    outer_references, inner_references, of_inner, of_outer = outer()
    if of_outer not in outer_references:
        yield "the outer frame has no locals"
    if of_inner not in inner_references:
        yield "the inner frame has no locals"


@case
def regular_expressions(ask):
    text = "text of its own " * 10
    pattern = re.compile("(?P<name>o)wn")
    match = pattern.search(text)
    yield from ask.owns(match, text, pattern)
    yield from ask.owns(pattern, pattern.pattern)
    if "dict" not in ask.kinds(pattern):
        yield "no group index"
    yield from ask.owns(pattern.scanner(text), text, pattern)


@case
def struct_format(ask):
    if "bytes" not in ask.kinds(struct.Struct("<3i17s")):
        yield "no format"


@case
def compressors(ask):
    for maker in (zlib.decompressobj, __import__("bz2").BZ2Decompressor,
                  __import__("lzma").LZMADecompressor):
        one = maker()
        module = sys.modules[maker.__module__] if maker is not zlib.decompressobj else zlib
        compress = {"_bz2": "bz2", "_lzma": "lzma"}.get(module.__name__, module.__name__)
        one.decompress(sys.modules[compress].compress(b"a" * 100) + b"more than that")
        yield from ask.owns(one, one.unused_data)
    one = zlib.decompressobj()
    one.decompress(zlib.compress(b"a" * 10000), 10)
    yield from ask.owns(one, one.unconsumed_tail)


@case
def databases(ask):
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    connection.text_factory = made = functools.partial(str, encoding="utf-8")
    cursor = connection.execute("select 'x' as name union select 'y'")
    yield from ask.owns(connection, made)
    yield from ask.owns(cursor, connection, cursor.description)
    row = cursor.fetchone()
    if ask.kinds(row).count("tuple") != 2:
        yield "a row leads to %s" % ask.kinds(row)


@case
def csv_dialects(ask):
    class Mine(csv.excel):
        lineterminator = "\u1234 of its own"
    yield from ask.owns(csv.reader([], Mine()).dialect, Mine.lineterminator)


@case
def directory_entries(ask):
    with os.scandir(os.path.dirname(HERE)) as entries:
        for entry in entries:
            yield from ask.owns(entry, entry.name, entry.path)


@case
def decimal_contexts(ask):
    context = decimal.Context(prec=5)
    yield from ask.owns(context, context.traps, context.flags)
    if "Context" not in "".join(ask.kinds(decimal.localcontext(context))):
        yield "a context manager leads to %s" % ask.kinds(decimal.localcontext(context))


@case
def sort_keys(ask):
    def compare(a, b):
        return 0
    part = ["sorted"]
    yield from ask.owns(functools.cmp_to_key(compare)(part), part, compare)


@case
def streams(ask):
    reader, writer = io.BytesIO(), io.BytesIO()
    kinds = ask.kinds(io.BufferedRWPair(reader, writer))
    if "BufferedReader" not in kinds or "BufferedWriter" not in kinds:
        yield "a pair leads to %s" % kinds
    decoder = __import__("codecs").getincrementaldecoder("utf-8")()
    yield from ask.owns(io.IncrementalNewlineDecoder(decoder, True), decoder)
    text = io.StringIO()
    text.write("x" * 1000)
    text.write("y")
    if not {"str", "list"} & set(ask.kinds(text)):
        yield "what was written to a StringIO: %s" % ask.kinds(text)


@case
def polls(ask):
    one = select.poll()
    one.register(0)
    one.poll(0)
    if "dict" not in ask.kinds(one):
        yield "no table"


@case
def parsers(ask):
    parser = xml.parsers.expat.ParserCreate()
    yield from ask.owns(parser, parser.intern)


@case
def type_parameters(ask):
    if minor < 12:
        return
    space = {}
    exec("def f[First, *Second, **Third](a: First): pass\ntype Alias[Fourth] = list[Fourth]", space)
    for one in space["f"].__type_params__ + (space["Alias"],):
        yield from ask.owns(one, one.__name__)


@case
def modules(ask):
    module = types.ModuleType("a name of " + "its own")
    if "str" not in ask.kinds(module):
        yield "no name"


@case
def abstract_classes(ask):
    abc = __import__("abc")

    class Abstract(abc.ABC):
        pass
    Abstract.register(int)
    isinstance([], Abstract)
    if ask.kinds(Abstract._abc_impl).count("set") < 2:  # the third is made on demand
        yield "%s" % ask.kinds(Abstract._abc_impl)


@case
def ctypes_arguments(ask):
    number = ctypes.c_int(5)
    yield from ask.owns(ctypes.byref(number), number)


@case
def numpy_arrays(ask):
    try:
        import numpy
    except ImportError:
        return
    elements = [["a"], ("b",), "c" * 100]
    owner = numpy.empty(3, dtype=object)
    owner[:] = elements
    yield from ask.owns(owner, *elements)
    view = owner[::-1][1:]
    if set(map(id, elements)) & set(ask.references(view)):
        yield "a view has elements of its own"
    yield from ask.owns(view, view.base)
    yield from ask.owns(numpy.asfortranarray(numpy.array([elements, elements], dtype=object)),
                        *elements)
    record = numpy.zeros(2, [("number", "i4"), ("object", "O"), ("deep", [("other", "O")])])
    record["object"] = elements[:2]
    record["deep"]["other"] = elements[2]
    yield from ask.owns(record, *elements)
    yield from ask.owns(record[0], record.dtype)
    names = record.dtype.names
    yield from ask.owns(record.dtype, names)
    data = bytearray(b"x" * 1000)
    over = numpy.frombuffer(data, dtype="u1")
    if ask.weighs(over, classes=False) < getsizeof(data):
        yield "what frombuffer keeps is not counted"
    numbers = numpy.zeros(100000)
    if not getsizeof(numbers) <= ask.weighs(numbers[10:20], classes=False) < getsizeof(numbers) + 2000:
        yield "a view's owner: %d" % ask.weighs(numbers[10:20], classes=False)


@case
def what_arrays_weigh(ask):
    """The bytes of each buffer once, wherever it is looked into from, and the objects around."""
    try:
        import numpy
    except ImportError:
        return
    owner, data = numpy.arange(30000.0).reshape(100, 300), bytes(50000)
    record = numpy.zeros(1000, [("number", "i4"), ("text", "S20"), ("deep", [("x", "f8", 3)])])
    masked = numpy.ma.array(numpy.arange(5000), mask=numpy.arange(5000) % 2 == 0)
    rows = numpy.rec.array([(i, 0.5) for i in range(1000)])
    for root, buffers in [
            (owner[5:], owner.nbytes), (owner[1:][::2][3:, 5:].T, owner.nbytes),
            ([owner, owner[1:], owner[1:][:2]], owner.nbytes), (owner[7, 8:8], owner.nbytes),
            (numpy.broadcast_to(owner[0], (1000, 300)), owner.nbytes),
            (numpy.lib.stride_tricks.as_strided(owner, (7, 7), (8, 8)), owner.nbytes),
            (owner.view("u1"), owner.nbytes), (memoryview(owner), owner.nbytes),
            (numpy.asarray(memoryview(owner)[1:]), owner.nbytes),
            (numpy.frombuffer(data, "f4")[10:][::3], 0), (numpy.frombuffer(data), 0),
            (record, record.nbytes), (record["deep"]["x"][5:], record.nbytes),
            (record[3], record.nbytes), (record[["number", "text"]], record.nbytes),
            (rows, rows.nbytes), (rows.f1, rows.nbytes),
            (masked, masked.data.nbytes + masked.mask.nbytes),
            (masked[10:20], masked.data.nbytes + masked.mask.nbytes),
            (numpy.matrix(owner, copy=False), owner.nbytes), (owner.flat, owner.nbytes)]:
        parts = ask.reachable(root)
        total, weight = sum(map(getsizeof, parts)), ask.weighs(root, classes=False)
        found = sum(o.nbytes for o in parts if isinstance(o, numpy.ndarray) and o.flags.owndata
                    and o.nbytes > 100)
        if (total, found) != (weight, buffers):
            yield "%r of %s: %d bytes of buffers, not %d; it weighs %d, object by object %d" % (
                type(root), getattr(root, "shape", None), found, buffers, weight, total)
        if isinstance(getattr(root, "base", None), bytes) and not any(o is data for o in parts):
            yield "frombuffer does not lead to its bytes"


@case
def a_data_frame(ask):
    """memory_usage(deep=True) is the arrays' bytes and each element's; what it leaves out are
    the objects around them, and that elements may be shared."""
    try:
        import numpy
        import pandas
    except ImportError:
        return
    texts = ["text number %d" % i for i in range(1000)]
    frame = pandas.DataFrame({
        "number": numpy.arange(1000), "ratio": numpy.arange(1000) / 3, "text": texts,
        "shared": pandas.Series([texts[0]] * 1000, dtype=object),
        "day": pandas.date_range("2020-01-01", periods=1000), "flag": [True] * 1000})
    usage = frame.memory_usage(deep=True, index=False)
    parts = ask.reachable(frame)
    data = sum(o.nbytes for o in parts if isinstance(o, numpy.ndarray) and o.base is None
               and len(o.shape) and 1000 in o.shape)
    elements = sum(getsizeof(o) for o in parts if isinstance(o, str) and o in set(texts))
    again = 1000 * getsizeof(texts[0])  # memory_usage counts a shared element each time
    if data + elements + again != usage.sum():
        yield "%d of arrays, %d of elements; memory_usage says %d" % (
            data, elements, usage.sum() - again)
    around = ask.weighs(frame, classes=False) - data - elements
    if not 0 < around < 30000:
        yield "%d bytes around the data" % around


def told_of_maps(ask, *roots):
    """(size without classes, files, anonymous), the last two as (objects, bytes); the caveats
    must say the same."""
    reply = ask.helper.memory(*roots)
    mapped = [(reply["mapped"][key]["objects"], reply["mapped"][key]["bytes"])
              for key in ("files", "anonymous")]
    caveats = {c["kind"]: (c["count"], c["bytes"]) for c in reply["caveats"]}
    assert [caveats.pop(kind, (0, 0)) for kind in ("file-backed", "anonymous-mapping")] == mapped
    assert not caveats and len(reply["items"]) == len(roots)
    return [reply["size_without_classes"]] + mapped


@case
def memory_maps(ask):
    """Told apart from sizes: what is mapped once, by objects that are reached."""
    with tempfile.TemporaryFile() as file:
        file.truncate(1 << 20)
        whole, part = mmap.mmap(file.fileno(), 0), mmap.mmap(file.fileno(), 5000)
        anonymous, closed = mmap.mmap(-1, 12345), mmap.mmap(-1, 4096)
        closed.close()
        for roots, wanted in [
                ([whole], [(1, 1 << 20), (0, 0)]), ([anonymous], [(0, 0), (1, 12345)]),
                ([closed], [(0, 0), (0, 0)]),
                ([[whole, whole, part], memoryview(whole), anonymous],
                 [(2, (1 << 20) + 5000), (1, 12345)])]:
            size, files, memory = told_of_maps(ask, *roots)
            if [files, memory] != wanted or size > 2000:
                yield "%r: %d, %r, %r" % (roots, size, files, memory)
        if minor >= 13:  # no descriptor is kept, and yet it is a file
            found = told_of_maps(ask, mmap.mmap(file.fileno(), 5000, trackfd=False))[1:]
            if found != [(1, 5000), (0, 0)]:
                yield "trackfd=False: %r" % (found,)


@case
def memory_maps_in_a_large_graph(ask):
    """Where two threads share the walk, as they do in a snapshot."""
    made = [[[i], "%d" % i] for i in range(120000)]
    maps = [mmap.mmap(-1, 1000 + i) for i in range(30)]
    for i, one in enumerate(maps):
        made[i * 4000].append(one)
        made[-i * 3000 - 1].append([one])
    start = ask.helper.entry("rme_start", (ctypes.c_void_p, ctypes.c_uint64))
    for call in (None, lambda block: start(block, 60000)):
        reply = ask.helper.memory(made, call=call)
        wanted = {"objects": len(maps), "bytes": sum(map(len, maps))}
        if reply["mapped"]["anonymous"] != wanted or reply["objects"] < 300000:
            yield "%r, not %r, among %d objects" % (reply["mapped"], wanted, reply["objects"])


@case
def a_numpy_memmap(ask):
    """The pages of a file are no heap: however many arrays look into them, the bytes that are
    mapped are told once, and a size has the headers."""
    try:
        import numpy
    except ImportError:
        return
    with tempfile.NamedTemporaryFile() as file:
        array = numpy.memmap(file.name, dtype="u1", mode="w+", shape=(1000, 1000))
        views = [array[10:], array[10:][::2, 5], numpy.asarray(array), array.T.view(numpy.ndarray),
                 array.reshape(-1)[5:10], numpy.frombuffer(array, dtype="u4"), memoryview(array)]
        later = numpy.memmap(file.name, dtype="f8", mode="r", offset=8192)
        mapped = len(array._mmap)
        if mapped != 1000000 or len(later._mmap) < later.nbytes:
            yield "numpy maps %d, %d" % (mapped, len(later._mmap))
        for root in [array] + views:
            size, files, memory = told_of_maps(ask, root)
            if (files, memory) != ((1, mapped), (0, 0)) or size > 20000:
                yield "%r of it: %d, %r, %r" % (type(root), size, files, memory)
        size, files, memory = told_of_maps(ask, views, later, array)
        if (files, memory) != ((2, mapped + len(later._mmap)), (0, 0)) or size > 40000:
            yield "all: %d, %r, %r" % (size, files, memory)
        copy = array.copy()
        size, files, _ = told_of_maps(ask, numpy.array(array))
        if files != (0, 0) or size < 1000000 or copy.base is not None:
            yield "a copy: %d, %r" % (size, files)


def main():
    ask = Asker(sys.argv[1])
    wrong = {}
    for name, function in CASES.items():
        try:
            wrong[name] = list(map(str, function(ask)))
        except Exception as error:
            wrong[name] = ["%s: %s" % (type(error).__name__, error)]
    json.dump(wrong, sys.stdout)


if __name__ == "__main__":
    main()
