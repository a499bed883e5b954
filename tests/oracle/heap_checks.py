"""Checks of the questions about the whole heap, inside one interpreter: `python
heap_checks.py NAME` prints a JSON list of what is wrong. Runs on Python 3.8 and later.
tests/unit/test_heap.py runs them in every interpreter."""

import array
import collections
import ctypes
import functools
import gc
import json
import mmap
import os
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "targets")]

import helper  # noqa: E402
import leaks  # noqa: E402
from helper import requests  # noqa: E402

CHECKS = {}


def check(function):
    CHECKS[function.__name__] = function
    return function


class Heap:
    """Questions about this interpreter's own heap. Objects are given by address, so that
    asking holds nothing."""

    def __init__(self):
        self.helper = helper.from_environment()

    def ask(self, query, *addresses, **options):
        reply = self.helper.ask(query, ["%#x" % a for a in addresses], flags=0, **options)
        self.helper.block = None  # its numbers would differ from one time to the next
        if "error" in reply:
            raise AssertionError(reply["error"])
        return reply

    def total(self):
        gc.collect()
        return self.ask(requests.TYPES, limit=1)["size"]

    def retained(self, address):
        return self.ask(requests.RETAINED, address)["items"][0]["retained"]


def measured(heap, case):
    """(retained, really freed). The figures stay in an array: an int that they were kept
    in would be an object of the heap itself."""
    figures = array.array("q", [0, 0, 0, 0])
    for drop in (int, case.drop):  # the first changes nothing, and shows what asking does
        figures[0] = heap.total()
        figures[1] = heap.retained(case.culprit) if drop is int else figures[1]
        figures[2] = heap.total()
        drop()
        figures[2] -= heap.total()
        if drop is int:
            figures[3] = figures[2]
    return figures[1], figures[2] - figures[3]


def of_case(name):
    """py-why names the culprit; py-retained is what is gone when the culprit went."""
    heap = Heap()
    wrong = []
    # Code that has been called 1,024 times has a cache from then on (3.8 to 3.10): what asks
    # gets there before anything is measured.
    for _ in range(100):
        heap.total()
    case = leaks.CASES[name]()
    gc.collect()
    reply = heap.ask(requests.WHY, case.suspect)
    path = reply["paths"][0]
    labels = [step["label"] for step in path["steps"]]
    if not path["root"].startswith(case.root):
        wrong.append("the root is %s" % path["root"])
    if case.labels is not None and labels != case.labels:
        wrong.append("the path is %s" % labels)
    if path["steps"][-1]["address"] != "%#x" % case.suspect:
        wrong.append("the path ends at %s" % path["steps"][-1])
    differ = {query: heap.ask(query, case.culprit, depth=1) for query in (
        requests.RETAINED, requests.DOMINATORS)}  # found in two ways
    if differ[requests.RETAINED]["retained"] != differ[requests.DOMINATORS]["tree"]["size"]:
        wrong.append("retained by a search %d, by dominators %d" % (
            differ[requests.RETAINED]["retained"], differ[requests.DOMINATORS]["tree"]["size"]))
    del differ
    retained, freed = measured(heap, case)
    if retained != freed:
        wrong.append("%d bytes retained, %d freed" % (retained, freed))
    return wrong


@check
def module_global():
    return of_case("module_global")


@check
def closure():
    return of_case("closure")


@check
def cycle():
    return of_case("cycle")


@check
def listeners():
    return of_case("listeners")


@check
def generator():
    return of_case("generator")


@check
def thread_local():
    return of_case("thread_local")


@check
def exception():
    return of_case("exception")


@check
def class_attribute():
    return of_case("class_attribute")


@functools.lru_cache(maxsize=10)
def other(key):
    return key


@check
def lru_cache():
    other(1)  # up to 3.9 the links' type is static, and only seen while one is there
    return of_case("lru_cache")


@check
def held_by_c():
    return of_case("held_by_c")


class Tracked:
    pass


@check
def counts():
    """As many objects of each type as the collector knows."""
    heap = Heap()
    wrong = []
    keep = [Tracked() for _ in range(1000)]
    keep[0].more = [(i, [i]) for i in range(1000)]
    gc.collect()
    known = collections.Counter(type(o) for o in gc.get_objects())
    found = {int(item["address"], 16): item["objects"]
             for item in heap.ask(requests.TYPES, limit=0)["items"] if item["types"] == 1}
    for kind, n in known.items():
        if id(kind) in found and not n <= found[id(kind)] + 30:
            wrong.append("%s: %d found, %d known" % (kind, found[id(kind)], n))
    if found[id(Tracked)] != 1000:
        wrong.append("Tracked: %d" % found[id(Tracked)])
    return wrong


@check
def few_are_held_by_c():
    """The references that are found account for the reference counts, but for what C code
    really holds: objects of Python code are not among the roots that C holds."""
    heap = Heap()
    keep = [leaks.Thing() for _ in range(100)]
    wrong = []
    for thing in keep[:20]:
        items = heap.ask(requests.REFERRERS, id(thing), limit=0)["items"]
        wrong += [str(item) for item in items if (item.get("root") or "").startswith("C (")]
    return wrong


def closure_over(thing):
    def function():
        return thing
    return function


@check
def whose_part_a_holder_is():
    """A dict is told with its module, class or instance, a cell with its function, and what
    a frame has with its name there."""
    class Class:
        pass

    global HELD
    heap = Heap()
    thing, instance = leaks.Thing(), Class()
    HELD = Class.held = instance.__dict__["own"] = thing
    function, things = closure_over(thing), [thing]
    things.append([(thing,)])
    address = id(thing)
    del thing
    name = "%s.%s" % (Class.__module__, Class.__qualname__)
    expected = {
        ("dict", "module __main__", '["HELD"]'), ("dict", "class " + name, '["held"]'),
        ("dict", "%s at %#x" % (name, id(instance)), '["own"]'), ("list", "things", "[0]"),
        ("cell", "function closure_over.<locals>.function", ".cell_contents"),
        ("tuple", None, "[0]")}
    found = {(item["type"], (item["of"] or "").rpartition(" → ")[2] or None, item["label"])
             for item in heap.ask(requests.REFERRERS, address, limit=0)["items"] if item["address"]}
    found.discard((name, "instance", ".own"))  # its values are its dict's (3.13)
    first = heap.ask(requests.REFERRERS, address, limit=1)["items"]
    del function, things
    if found != expected or len(first) != 1:
        return ["%s instead of %s; the first of them: %s" % (found, expected, first)]
    return []


@check
def retained_of_several():
    """Two that hold the same: neither retains it, both together do."""
    heap = Heap()
    shared = bytearray(100000)
    one, two = [shared], [shared]
    del shared
    pair = [one, two]
    addresses = id(one), id(two)
    del one, two
    reply = heap.ask(requests.RETAINED, *addresses)
    each = [item["retained"] for item in reply["items"]]
    own = [item["own_size"] for item in reply["items"]]
    del pair[:]
    if each != own or reply["retained"] != sum(own) + sys.getsizeof(bytearray(100000)):
        return [str(reply)]
    return []


@check
def no_path():
    """Garbage in a cycle has no path; an address that is no object has its sentence."""
    heap = Heap()
    gc.disable()
    thing = leaks.Thing()
    thing.me = thing
    address = id(thing)
    del thing
    wrong = []
    path = heap.ask(requests.WHY, address)["paths"][0]
    if not path["root"].startswith("nothing (garbage"):
        wrong.append(str(path))
    gc.enable()
    reply = heap.helper.ask(requests.WHY, ["0x10"])
    if reply.get("error", {}).get("kind") != "no-object":
        wrong.append(str(reply))
    return wrong


class Node:
    """Holds itself, and a buffer; up to 3.10 by way of its __dict__."""

    def __init__(self, *more):
        self.buffer = bytearray(10000)
        self.more = more
        self.me = self


@check
def cyclic_garbage():
    """It is entered by what nothing leads to: buffers are held by their nodes, wherever they
    lie; what two of them hold is held by none."""
    heap = Heap()
    gc.disable()
    shared = bytearray(50000)
    nodes = [Node() for _ in range(40)] + [Node(shared), Node(shared)]
    each = sys.getsizeof(nodes[0]) + sys.getsizeof(nodes[0].__dict__) + sys.getsizeof(
        nodes[0].buffer)
    total = sum(sys.getsizeof(o) + sys.getsizeof(o.buffer) for o in nodes)
    addresses = [id(o) for o in nodes]
    buffers = [id(o.buffer) for o in nodes]
    last, common, of_class = id(nodes[-1]), id(shared), id(Node)
    del nodes, shared
    wrong = []
    listing = heap.ask(requests.RETAINED, limit=0)
    row = [item for item in listing["types"] if item["address"] == "%#x" % of_class]
    if not row or not total <= row[0]["retained"] <= total + 42 * 400:
        wrong.append("%s instead of %d" % (row, total))
    listed = {item["address"]: item["retained"] for item in listing["items"]}
    for address in addresses + [common]:
        if not (50000 if address == common else 10000) < listed.get("%#x" % address, 0) < (
                60000 if address == common else each + 400):
            wrong.append("%#x: %s" % (address, listed.get("%#x" % address)))
    for address, buffer in zip(addresses, buffers):
        if "%#x" % buffer in listed:
            wrong.append("the buffer at %#x holds itself" % buffer)
        path = heap.ask(requests.WHY, buffer)["paths"][0]
        steps = [step["address"] for step in path["steps"]]
        if not path["root"].startswith("nothing (garbage") or steps[0] != "%#x" % address or (
                steps[-1] != "%#x" % buffer):
            wrong.append(str(path))
    both = heap.ask(requests.RETAINED, last, addresses[-2])
    if [item["retained"] for item in both["items"]] != [listed["%#x" % last]] * 2 or (
            both["retained"] < sum(item["retained"] for item in both["items"]) + 50000):
        wrong.append(str(both))
    if heap.retained(last) != listed["%#x" % last]:
        wrong.append("by a search %d" % heap.retained(last))
    return wrong


@check
def failed_tasks():
    """What hangs on exceptions in a cycle with their tracebacks and frames: all of it is
    theirs, whatever stands for the cycle."""
    heap = Heap()
    gc.disable()

    def fail():
        buffer = bytearray(100000)
        try:
            raise ConnectionResetError(len(buffer))
        except ConnectionResetError as e:
            error = e
        return None  # `error` holds the frame by its traceback

    for _ in range(20):
        fail()
    for row in heap.ask(requests.RETAINED, limit=0)["types"]:
        if row["type"] in ("ConnectionResetError", "frame", "traceback"):
            if not 20 * 100000 < row["retained"] < 20 * 110000:
                return [str(row)]
    return []


@check
def subinterpreter():
    """What another interpreter holds is part of the heap, under its number."""
    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters
    heap = Heap()
    before = heap.total()
    made = interpreters.create()
    run = getattr(interpreters, "run_string", None) or interpreters.exec
    run(made, "rows = [bytearray(1000) for _ in range(1000)]")
    grown = heap.total() - before
    wrong = [] if grown > 1000 * 1000 else ["%d bytes more" % grown]
    roots = [item["module"] for item in heap.ask(requests.RETAINED, limit=0)["modules"]]
    if roots.count("__main__") != 2:
        wrong.append("modules: %s" % roots)
    return wrong


ALL = (requests.TYPES, requests.RETAINED, requests.DOMINATORS, requests.SUMMARY)
OF_ONE = (requests.WHY, requests.REFERRERS, requests.RETAINED, requests.DOMINATORS)


@check
def cancelled():
    heap = Heap()
    keep = [[i] for i in range(200000)]
    wrong = []
    for query in ALL + OF_ONE:
        exprs = ["%#x" % id(keep)] if query not in ALL else []
        reply = heap.helper.ask(query, exprs, flags=0, cancel=1)
        if reply.get("error", {}).get("kind") != "cancelled":
            wrong.append("%d: %s" % (query, str(reply)[:200]))
    return wrong


@check
def too_little_address_space():
    """A sentence, never a fault."""
    heap = Heap()
    keep = [[i] for i in range(200000)]
    wrong = []
    for query in ALL + OF_ONE:
        exprs = ["%#x" % id(keep)] if query not in ALL else []
        for size in (1 << 26, 1 << 29, 3 << 29, 1 << 31, 3 << 31, 1 << 33, 1 << 34):
            reply = heap.helper.ask(query, exprs, flags=0, arena_size=size)
            error = reply.get("error", {}).get("kind")
            caveats = [caveat["kind"] for caveat in reply.get("caveats", ())]
            if error not in (None, "out-of-memory", "too-large", "reply-too-large"):
                wrong.append("%d with %d: %s" % (query, size, reply))
            elif error is None and "out-of-memory" not in caveats and (
                    reply.get("objects", 1 << 20) < 200000 and query in ALL):
                wrong.append("%d with %d: %d objects" % (query, size, reply["objects"]))
    return wrong


@check
def damaged():
    """References to what is no object, and to freed memory: a caveat, and the rest."""
    heap = Heap()
    wrong = []
    gc.disable()  # the collector would follow them, too
    wild = [bytearray(10) for _ in range(4)]
    items = ctypes.cast(id(wild) + 24, ctypes.POINTER(ctypes.POINTER(ctypes.c_void_p)))[0]
    saved = [items[i] for i in range(3)]
    items[0], items[1] = 0x10, 0xdead0000beef8
    buffer = ctypes.create_string_buffer(64)  # an object with a wild type
    ctypes.memmove(buffer, (1).to_bytes(8, "little") + (0x7fff12345678).to_bytes(8, "little"), 16)
    items[2] = (ctypes.addressof(buffer) + 15) & ~15
    try:
        for query in ALL + OF_ONE:
            exprs = ["%#x" % id(wild)] if query not in ALL else []
            reply = heap.helper.ask(query, exprs, flags=0, limit=5, depth=3)
            if "error" in reply:
                wrong.append("%d: %s" % (query, reply["error"]))
            elif "corrupt-reference" not in [c["kind"] for c in reply["caveats"]]:
                wrong.append("%d: %s" % (query, reply["caveats"]))
    finally:
        for i in range(3):
            items[i] = saved[i]
    return wrong


@check
def one_page_is_missing():
    """A reference into memory that is not there costs what it leads to, and moves no other
    figure."""
    heap = Heap()
    gc.disable()
    holder = [[bytearray(1000) for _ in range(10)] for _ in range(100)]
    wild = [None, None]
    page = mmap.mmap(-1, 4096)
    hole = ctypes.addressof(ctypes.c_char.from_buffer(page))
    gc.collect()
    page.close()
    if any(line.startswith("%x-" % hole) for line in open("/proc/self/maps")):
        return ["the page is there"]
    items = ctypes.cast(id(wild) + 24, ctypes.POINTER(ctypes.POINTER(ctypes.c_void_p)))[0]
    saved = items[0]
    asked = [id(row) for row in holder] + [id(holder)]
    before = [heap.retained(address) for address in asked]
    items[0] = hole + 64
    try:
        replies = [heap.ask(requests.RETAINED, address) for address in asked]
    finally:
        items[0] = saved
    wrong = ["%d instead of %d" % (reply["items"][0]["retained"], n)
             for reply, n in zip(replies, before) if reply["items"][0]["retained"] != n]
    wrong += [str(reply["caveats"]) for reply in replies
              if "corrupt-reference" not in [c["kind"] for c in reply["caveats"]]]
    return wrong[:3]


@check
def a_ring_that_does_not_close():
    """A list of the collector that leads back into itself: a caveat, and the rest."""
    heap = Heap()
    gc.disable()
    objects = [[i] for i in range(100)]
    expected = heap.ask(requests.TYPES, limit=0)["objects"]
    following = ctypes.c_uint64.from_address(id(objects[50]) - 16)
    saved, following.value = following.value, id(objects[20]) - 16
    try:
        reply = heap.ask(requests.TYPES, limit=0)
    finally:
        following.value = saved
    wrong = []
    if "broken-list" not in [c["kind"] for c in reply["caveats"]]:
        wrong.append(str(reply["caveats"]))
    if abs(reply["objects"] - expected) > 50:
        wrong.append("%d objects instead of %d" % (reply["objects"], expected))
    return wrong


def word(address, value, size=8):
    """Sets a word and returns what sets it back."""
    cell = (ctypes.c_uint64 if size == 8 else ctypes.c_uint8).from_address(address)
    saved, cell.value = cell.value, value
    return lambda: setattr(cell, "value", saved)


@check
def lengths_that_no_memory_has():
    """An object is no larger than the memory that it lies in: a damaged length costs the
    object, with a caveat, and not the figures of all others."""
    heap = Heap()
    gc.disable()
    big = 1 << 60
    objects = {
        "int": 10 ** 500, "str": "x\u0100" * 100, "bytes": b"x" * 500, "bytearray": bytearray(500),
        "tuple": tuple(range(100)), "list": list(range(100)), "set": set(range(100)),
        "dict": {i: str(i) for i in range(100)}, "collections.deque": collections.deque(range(100)),
        "array.array": array.array("q", range(100))}
    objects["str"] += str(os.getpid())  # not a constant of the code
    objects["bytes"] += b"%d" % os.getpid()
    expected = heap.ask(requests.TYPES, limit=1)["size"]
    keys = ctypes.c_uint64.from_address(id(objects["dict"]) + 32).value
    damages = {
        "int": (16, big if sys.version_info < (3, 12) else big << 3), "str": (16, big),
        "bytes": (16, big), "bytearray": (24, big), "tuple": (16, big), "list": (32, big),
        "set": (32, big - 1), "collections.deque": (16, big), "array.array": (32, big)}
    wrong = []
    for name, value in objects.items():
        own = sys.getsizeof(value)
        places = [(id(value) + damages[name][0], damages[name][1], 8)] if name != "dict" else [
            (keys + 8, *((1 << 45, 8) if sys.version_info < (3, 11) else (60, 1))),  # of how many slots
            (keys + (32 if sys.version_info < (3, 11) else 24), big, 8)]   # how many are used
        for place in places:
            back = word(*place)
            try:
                reply = heap.helper.ask(requests.TYPES, (), flags=0, limit=1)
            finally:
                back()
            found = [(c["kind"], c["count"]) for c in reply.get("caveats", ()) if c["type"] == name]
            if ("fault", 1) not in found or abs(reply["size"] - expected) > own + 20000:
                wrong.append("%s: %s instead of %d: %s" % (
                    name, reply.get("size"), expected, reply.get("caveats", reply)))
    return wrong


@check
def trees_are_bounded():
    """What is shared is drawn at each place: a small graph, an endless tree."""
    heap = Heap()
    lists = [[] for _ in range(60)]
    for one in lists:
        one += lists
    reply = heap.helper.ask(requests.TREE, ["%#x" % id(lists)], flags=0, depth=30, limit=0)
    text = len(json.dumps(reply))
    wrong = [] if text < 20000 * 400 else ["%d bytes" % text]
    if "cut-tree" not in [c["kind"] for c in reply.get("caveats", ())]:
        wrong.append(str(reply)[-1000:])
    small = heap.helper.ask(requests.TREE, ["%#x" % id(lists)], flags=0, depth=2, limit=0)
    if "cut-tree" in [c["kind"] for c in small["caveats"]]:
        wrong.append("depth 2: %s" % small["caveats"])
    for one in lists:
        one.clear()
    return wrong


@check
def what_a_module_keeps_for_the_next_one():
    """_asyncio shows the objects that it keeps without references (3.12): nothing is wrong
    with these, and every question has the same total."""
    import asyncio
    heap = Heap()

    async def one():
        await asyncio.sleep(0)
        await asyncio.get_running_loop().run_in_executor(None, int)

    async def main():
        await asyncio.gather(*[one() for _ in range(50)])

    asyncio.run(main())
    gc.collect()
    wrong, figures = [], array.array("q", [0] * 6)
    for _ in range(20):
        # until asking changes nothing
        for i, query in enumerate((requests.TYPES, requests.RETAINED, requests.TYPES)):
            reply = heap.helper.ask(query, (), flags=0, limit=1)
            wrong += [caveat for caveat in reply["caveats"] if caveat["kind"] == "freed-object"]
            figures[2 * i], figures[2 * i + 1] = reply["size"], reply["objects"]
            reply = heap.helper.block = None
        if figures[0:2] == figures[4:6]:
            break
    return wrong + ([str(figures)] if figures[0:2] != figures[2:4] else [])


@check
def who_has_a_damaged_reference():
    """The note on it names the address, the holder and the place; py-referrers takes any
    address, also of what is no object."""
    heap = Heap()
    gc.disable()
    things = [[bytearray(10)] for _ in range(100)]
    wrong = []
    for value in (0x4141414141414141, 0x18, None):
        items = ctypes.cast(id(things) + 24, ctypes.POINTER(ctypes.POINTER(ctypes.c_void_p)))[0]
        back = (word(id(things[70]) + 8, 0x4141414141414141) if value is None else
                word(ctypes.addressof(items.contents) + 8 * 70, value))
        address = "%#x" % (value or items[70])
        try:
            replies = [heap.helper.ask(requests.RETAINED, (), flags=0, limit=1),
                       heap.helper.ask(requests.REFERRERS, [address], flags=0, limit=0)]
        finally:
            back()
        note = [c for c in replies[0].get("caveats", ()) if c["kind"] == "corrupt-reference"]
        holder = "%#x" % id(things)
        if not note or (note[0]["address"], note[0].get("holder"), note[0].get("label")) != (
                address, holder, "[70]") or "list at %s as [70]" % holder not in note[0]["message"]:
            wrong.append("%s: %s" % (address, note))
        found = [(item["address"], item["label"]) for item in replies[1].get("items", ())]
        if found != [(holder, "[70]")]:
            wrong.append("%s: %s" % (address, replies[1]))
    free = heap.helper.ask(requests.REFERRERS, ["0x4242424242424240"], flags=0, limit=0)
    if free.get("items") != []:
        wrong.append(str(free))
    return wrong


@check
def where_large_objects_lie():
    """py-summary looks up which pages of them are there: bytes of zeros have none."""
    from rememberme import residency
    heap = Heap()
    size = 8 << 20
    objects = [bytes(size), bytearray(size), [None] * (size >> 3), tuple([None]) * (size >> 3),
               "x" * size, 1 << (8 * size), set(range(100000)), dict.fromkeys(range(100000))]
    own = [sys.getsizeof(o) for o in objects]
    reply = heap.ask(requests.SUMMARY)
    large = [(int(one["address"], 16), one["size"]) for one in reply["large"]]
    wrong = []
    for value, n in zip(objects, own):
        if not [1 for start, found in large if abs(found - n) < 500 and (
                id(value) <= start <= id(value) + 64 or type(value) in (
                    bytearray, list, set, dict))]:
            wrong.append("%s of %d: %s" % (type(value).__name__, n, large))
    absent = residency.absent(os.getpid(), [(id(objects[0]), own[0])] * 2)
    if not size - 15 * 4096 <= absent <= size:  # the walk looks whether it is mapped
        wrong.append("%d of %d bytes are absent" % (absent, size))
    if residency.absent(os.getpid(), [(id(objects[4]), own[4])]):
        wrong.append("some of the str is absent")
    return wrong


@check
def trees_without_classes():
    """Classes are no nodes of an indented tree; all else is as it was."""
    heap = Heap()
    things = [leaks.Thing() for _ in range(3)] + [leaks.Thing]
    trees = [heap.ask(requests.TREE, id(things), depth=3, limit=0, options=options)["tree"]
             for options in (0, requests.HIDE_CLASSES)]
    found = [[child["address"] for child in tree["children"]] for tree in trees]
    expected = ["%#x" % id(thing) for thing in things]
    wrong = []
    if set(found[0]) != set(expected) or set(found[1]) != set(expected[:3]):
        wrong.append(str(found))
    classes = [[node["address"] for child in tree["children"] for node in child["children"]
                if node["address"] == expected[3]] for tree in trees]
    if len(classes[0]) < 3 or classes[1]:
        wrong.append(str(classes))
    if trees[0]["size"] != trees[1]["size"]:
        wrong.append("%d, %d" % (trees[0]["size"], trees[1]["size"]))
    return wrong


@check
def more_frames_than_there_is_room_for():
    """py-top of all threads lists 65,536 frames, and says that there are more."""
    heap = Heap()
    replies = []

    def recurse(n):
        if n:
            recurse(n - 1)
        else:
            replies.append(heap.helper.ask(requests.TOP, (), flags=requests.ALL_THREADS, limit=1))

    sys.setrecursionlimit(100000)
    threading.stack_size(1 << 29)
    thread = threading.Thread(target=recurse, args=(66000,))
    thread.start()
    thread.join()
    kinds = [c["kind"] for c in replies[0].get("caveats", ())]
    return [] if "no-room" in kinds else [str(replies[0])[-1000:]]


@check
def what_two_hold_is_told_by_class():
    """Tasks that a list and the loop hold are in no object's figure; py-summary tells them by
    their class."""
    heap = Heap()

    class Task:
        def __init__(self):
            self.payload = bytearray(20000)

    tasks = [Task() for _ in range(200)]
    timers = list(tasks)
    own = 200 * sys.getsizeof(tasks[0].payload)
    rows = [row for row in heap.ask(requests.SUMMARY)["by_class"]
            if row["address"] == "%#x" % id(Task)]
    del timers
    if len(rows) != 1 or rows[0]["instances"] != 200 or not (
            own < rows[0]["retained"] < own + 200 * 500):
        return [str(rows)]
    return []


@check
def layouts_only():
    """Without calling code of the interpreter the same is found, or it is said what is
    inferred: what undump does where a binary is missing."""
    heap = Heap()
    full = heap.ask(requests.TYPES, limit=1)
    reply = heap.helper.ask(requests.TYPES, (), flags=helper.LAYOUTS_ONLY, limit=1)
    if "error" in reply:
        return [str(reply["error"])]
    if abs(reply["objects"] - full["objects"]) > full["objects"] / 100:
        return ["%d objects, by layouts %d" % (full["objects"], reply["objects"])]
    return []


@check
def threads():
    """The variables of another thread's frames are roots."""
    heap = Heap()
    ready, go = threading.Event(), threading.Event()
    address = []

    def work():
        rows = [bytearray(10)]
        address.append(id(rows))
        ready.set()
        go.wait()
        del rows

    thread = threading.Thread(target=work)
    thread.start()
    ready.wait()
    path = heap.ask(requests.WHY, address[0])["paths"][0]
    go.set()
    thread.join()
    if "(" not in path["root"] or "work at" not in path["root"]:
        return [str(path)]
    return [] if path["steps"][0]["label"] == "rows" else [str(path)]


def main():
    print(json.dumps(CHECKS[sys.argv[1]]()))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
