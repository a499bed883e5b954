"""Checks of the helper inside one interpreter: `python checks.py NAME` prints a JSON list
of what is wrong, with RME_LIBRARY naming the helper. Runs on Python 3.8 and later.
tests/unit/test_helper_*.py run them in every interpreter."""

import array
import collections
import ctypes
import datetime
import gc
import io
import json
import os
import random
import resource
import sys
import threading
import types

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "targets")]

import helper  # noqa: E402
import oracle  # noqa: E402
from helper import FRAMES, LAYOUTS_ONLY, MEMORY, NAMES, TOP, TRAVERSE_ONLY, TREE  # noqa: E402

MOST = 20  # differences that are told
MANY = 200  # EXPRs in one request: fewer than RME_MAX_FORCED

CHECKS = {}


def check(function):
    CHECKS[function.__name__] = function
    return function


def name_of(obj):
    kind = type(obj)
    return "%s.%s at %#x" % (kind.__module__, kind.__qualname__, id(obj))


def differ(wrong, what, got, expected):
    if got != expected:
        wrong.append("%s: %s instead of %s" % (what, got, expected))


def zoo():
    import zoo as module
    return [obj for objects in module.make().values() for obj in objects]


def compare_figures(helper_, objects, fields=("own_size", "size", "objects",
                                              "size_without_classes")):
    """Differences between the helper and the oracle, object by object."""
    wrong = []
    for at in range(0, len(objects), MANY):
        part = objects[at:at + MANY]
        reply = helper_.memory(*part)
        if "error" in reply:
            return [str(reply["error"])]
        for obj, item in zip(part, reply["items"]):
            expected = oracle.measure(obj)
            for field in fields:
                differ(wrong, "%s of %s" % (field, name_of(obj)), item[field], expected[field])
    return wrong


@check
def every_kind():
    """Own size, size and objects of every object of the zoo."""
    objects = zoo()
    gc.collect()
    return compare_figures(helper.from_environment(), objects)


@check
def every_kind_flat():
    """The same by a flat copy of the library, as it is injected."""
    objects = zoo()
    gc.collect()
    return compare_figures(helper.from_environment(flat=True), objects)


@check
def no_caveats():
    """Everything in the zoo has a rule: nothing is estimated. (What an mmap maps is told.)"""
    objects = zoo()
    wrong = []
    for at in range(0, len(objects), MANY):
        reply = helper.from_environment().memory(*objects[at:at + MANY])
        wrong += [json.dumps(c) for c in reply["caveats"] if c["kind"] != "anonymous-mapping"]
    return wrong


def universe(most_per_type):
    """Objects of every type that is reachable here, some of each."""
    seen, found, per_type = set(), [], collections.Counter()
    todo = [o for o in gc.get_objects() if type(o) is not types.FrameType]
    todo += zoo()
    while todo:
        following = []
        for obj in todo:
            if id(obj) in seen:
                continue
            seen.add(id(obj))
            kind = id(type(obj))
            if per_type[kind] < most_per_type and obj is not todo and obj is not following:
                per_type[kind] += 1
                found.append(obj)
        todo = [r for r in gc.get_referents(*todo)
                if id(r) not in seen and type(r) is not types.FrameType]
    return found


@check
def every_type():
    """Two objects of every type that the standard library brings into being."""
    for name in ("concurrent.futures", "email.message", "http.client", "http.cookies", "logging",
                 "multiprocessing", "unittest.mock", "urllib.request", "uuid", "zipfile", "ast",
                 "ssl", "ipaddress", "statistics", "inspect", "tokenize", "tracemalloc"):
        __import__(name)
    objects = universe(2)
    gc.collect()
    # What moves while it is measured: this module's own state.
    mine = {id(globals()), id(sys.modules["__main__"])}
    return compare_figures(helper.from_environment(), [o for o in objects if id(o) not in mine])


@check
def everything_at_once():
    """One walk over all that there is, against one walk of the oracle."""
    helper_ = helper.from_environment()
    helper_.memory(helper_)  # fills ctypes' caches
    gc.collect()
    gc.disable()
    objects = universe(1 << 30)
    for _ in range(3):  # until the oracle's own code has all its caches (co_opcache)
        expected = oracle.Oracle().walk([objects], named=True)
    item = helper_.memory(objects)["items"][0]
    wrong = []
    differ(wrong, "size and objects", (item["size"], item["objects"]), expected)
    return wrong


def visits_another_way(obj):
    """gh-130327 changed in 3.13.13 whether the __dict__ that shares an instance's values is
    visited; Debian's 3.13.5-2+deb13u5 has that change, which no layout tells."""
    class Probe:
        pass

    probe = Probe()
    probe.a = 1
    shared = probe.__dict__
    visits = any(one is shared for one in gc.get_referents(probe))
    return (visits and (3, 13) <= sys.version_info < (3, 13, 13) and hasattr(obj, "__dict__")
            and any(type(one) is dict for one in gc.get_referents(obj)))


@check
def layouts_only():
    """Without any code of the interpreter, the kinds that are promised for a
    core without binaries."""
    helper_ = helper.from_environment()
    import zoo as module
    objects = []
    for area in ("instances", "subclasses", "strings", "lists", "dicts", "sets"):
        objects += list(module.AREAS[area]())
    wrong = []
    for obj in objects:
        # Classes drag in descriptors of every kind: the figure without them.
        reply = helper_.memory(obj, flags=TRAVERSE_ONLY | LAYOUTS_ONLY)
        expected = oracle.measure(obj)
        if visits_another_way(obj):
            continue
        for field in ("own_size", "size_without_classes"):
            differ(wrong, "%s of %s" % (field, name_of(obj)), reply["items"][0][field],
                   expected[field])
    return wrong


@check
def together():
    """Several EXPRs: shared objects count once in the total."""
    a = [object() for _ in range(10)]
    b, c = [a, 1.5], {"a": a}
    reply = helper.from_environment().memory(a, b, c)
    wrong = []
    size, objects = oracle.Oracle().walk([a, b, c], named=True)
    differ(wrong, "size", reply["size"], size)
    differ(wrong, "objects", reply["objects"], objects)
    differ(wrong, "first", reply["items"][0]["size"], oracle.measure(a)["size"])
    return wrong


@check
def modules_and_classes():
    """What is named is entered, what is met on the way is not."""
    made = types.ModuleType("made_here")
    made.table = [[i] for i in range(100)]
    sys.modules["made_here"] = made
    function = types.FunctionType((lambda: table).__code__, made.__dict__)  # noqa: F821
    made.function = function
    held = [made, made.__dict__, function]
    return compare_figures(helper.from_environment(),
                           [made, made.__dict__, function, held, os, int, type, object, zoo])


@check
def classes_off():
    class Registry:
        instances = [[i] for i in range(100)]

    held = [Registry(), Registry, zoo.__code__]
    helper_ = helper.from_environment()
    wrong = []
    for obj in (held, Registry):
        reply = helper_.memory(obj, flags=TRAVERSE_ONLY | helper.NO_CLASSES)
        expected = oracle.Oracle().walk([obj], classes=False, named=True)
        item = reply["items"][0]
        differ(wrong, name_of(obj), (item["size"], item["objects"]), expected)
        differ(wrong, "classes", reply["classes"], "off")
    return wrong


@check
def owned_references():
    """What tp_traverse does not visit although it is owned."""
    helper_ = helper.from_environment()
    wrong = []
    long_keys = {"k%03d" % i * 200: None for i in range(50)}
    key_bytes = sum(map(sys.getsizeof, long_keys))
    buffer = io.BytesIO(b"x" * 5000)
    shared_buffer = buffer.getvalue()  # the same bytes object
    end = 2 ** 200

    class Zone(datetime.tzinfo):
        pass

    zone = Zone()
    zone.table = bytes(3000)
    code = compile("x = %r" % ("y" * 4000), "<string>", "exec")
    sets = {frozenset([1]): 1}
    # Since 3.12 its tp_traverse shows the buffer; then only the names in its class are more.
    buffer_bytes = sys.getsizeof(shared_buffer) if sys.version_info < (3, 12) else 1
    for obj, extra in ((long_keys, key_bytes), (buffer, buffer_bytes),
                       (range(end), sys.getsizeof(end)),
                       (datetime.datetime(2020, 1, 1, tzinfo=zone), 3000), (code, 4000),
                       (sets, 0)):
        traverse = helper_.memory(obj)["items"][0]["size"]
        reply = helper_.memory(obj, flags=0)
        differ(wrong, "references", reply["references"], "owned")
        owned = reply["items"][0]["size"]
        if owned < traverse + extra or (extra == 0 and owned != traverse):
            wrong.append("%s: %d owned, %d traverse, at least %d more expected"
                         % (name_of(obj), owned, traverse, extra))
    differ(wrong, "long keys", helper_.memory(long_keys, flags=0)["size"],
           sys.getsizeof(long_keys) + key_bytes + sys.getsizeof(None))
    return wrong


@check
def deep_list():
    """A million links: nothing recurses."""
    n = 1000000
    head = None
    for _ in range(n):
        head = [head]
    item = helper.from_environment().memory(head)["items"][0]
    wrong = []
    differ(wrong, "size", item["size"], n * sys.getsizeof([None]) + sys.getsizeof(None))
    differ(wrong, "objects", item["objects"], n + 1)
    while head is not None:
        head = head[0]
    return wrong


@check
def wide_containers():
    n = 1000000
    first = [float(i) for i in range(n)]
    order = list(first)
    random.Random(1).shuffle(order)
    table = dict.fromkeys(range(n // 2), order)
    held = [first, order, tuple(order), set(first[:1000]), table]
    item = helper.from_environment().memory(held)["items"][0]
    expected = oracle.Oracle().walk([held], named=True)
    wrong = []
    differ(wrong, "size and objects", (item["size"], item["objects"]), expected)
    return wrong


@check
def cancelled():
    objects = [[i] for i in range(300000)]
    reply = helper.from_environment().ask(MEMORY, [(objects,)], cancel=1)
    return [] if reply.get("error", {}).get("kind") == "cancelled" else [str(reply)[:500]]


@check
def progress():
    objects = [[float(i)] for i in range(300000)]
    helper_ = helper.from_environment()
    item = helper_.memory(objects)["items"][0]
    wrong = []
    seen = helper_.block["progress_objects"]
    if not 0 < seen <= 3 * item["objects"]:
        wrong.append("progress %s of %s objects" % (seen, item["objects"]))
    if not helper_.block["progress_bytes"]:
        wrong.append("no bytes of progress")
    return wrong


@check
def reply_too_large():
    objects = [[i] for i in range(1000)]
    helper_ = helper.from_environment()
    wrong = []
    reply = helper_.ask(TREE, [(objects,)], capacity=4096, depth=3)
    differ(wrong, "kind", reply.get("error", {}).get("kind"), "reply-too-large")
    reply = helper_.ask(TREE, [(objects,)], depth=3)
    differ(wrong, "children", len(reply["tree"]["children"]), 1000)
    # No room for any answer: it must not write beyond what it was given.
    try:
        helper_.ask(MEMORY, [(objects,)], capacity=16)
    except ValueError:
        pass  # no whole JSON
    differ(wrong, "size within the capacity", helper_.block["reply_size"] <= 16, True)
    return wrong


@check
def little_memory():
    """Too little address space is an error, not a wrong figure."""
    objects = [[i] for i in range(200000)]
    helper_ = helper.from_environment()
    wrong = []
    expected = helper_.memory(objects)["size"]
    limits = resource.getrlimit(resource.RLIMIT_AS)
    used = int(open("/proc/self/statm").read().split()[0]) * 4096
    for extra in (1 << 20, 40 << 20, 70 << 20, 100 << 20, 200 << 20, 600 << 20):
        resource.setrlimit(resource.RLIMIT_AS, (used + extra, limits[1]))
        try:
            try:
                reply = helper_.memory(objects)
            except OSError:  # no room for the block and the reply themselves
                continue
        finally:
            resource.setrlimit(resource.RLIMIT_AS, limits)
        if reply is None:
            if helper_.block["returned"] >= 0:
                wrong.append("%d: no reply, %s" % (extra, helper_.block))
        elif "error" in reply:
            if reply["error"]["kind"] != "out-of-memory" or not reply["error"]["message"]:
                wrong.append(str(reply))
        elif reply["size"] != expected:
            wrong.append("%d: %d instead of %d" % (extra, reply["size"], expected))
    for size in (1 << 16, 1 << 20, 1 << 26, 1 << 28):
        reply = helper_.ask(MEMORY, [(objects,)], arena_size=size)
        if reply and "error" not in reply and reply["size"] != expected and not reply["caveats"]:
            wrong.append("arena of %d: %s" % (size, reply))
    return wrong


@check
def damaged_requests():
    """Whatever stands in the request, there is an answer and no fault."""
    helper_ = helper.from_environment()
    good = helper_.request(TREE, [([1, [2]],), "sys", "os.path"], depth=2)
    wrong = []
    generator = random.Random(7)
    for n in range(int(os.environ.get("RME_ROUNDS", 1000))):
        bad = bytearray(good)
        for _ in range(generator.choice((1, 1, 2, 8))):
            at = generator.randrange(len(bad))
            bad[at] = generator.choice((0, 1, 255, 127, 128, generator.randrange(256)))
        if n % 10 == 0:
            bad = bad[:generator.randrange(len(bad))]
        reply = None
        sys.stderr.write("%s\n" % bytes(bad).hex())
        try:
            reply = helper_.ask(TREE, request=bytes(bad))
        except ValueError as e:
            wrong.append("%s: %s" % (bytes(bad).hex(), e))
        if reply is None and helper_.block["returned"] >= 0:
            wrong.append("no reply to " + bytes(bad).hex())
    bad = b"\0" * 20
    differ(wrong, "short request", helper_.ask(TREE, request=bad)["error"]["kind"], "bad-request")
    return wrong


@check
def named_twice():
    """An object that two EXPRs name, or a module and its namespace, counts once."""
    helper_ = helper.from_environment()
    wrong = []
    heap = [[i] for i in range(100)]
    module = types.ModuleType("named_twice")
    module.value = [1, 2]
    sys.modules["named_twice"] = module
    for first, second in ((heap, heap), (module, module.__dict__), (module.__dict__, module)):
        once = helper_.memory(first)
        both = helper_.memory(first, second, first, second)
        more = sys.getsizeof(second) if second is module else 0
        differ(wrong, "together", both["size"], once["size"] + more)
        differ(wrong, "again", both["items"][2]["size"], once["size"])
    del sys.modules["named_twice"]
    return wrong


@check
def two_threads():
    """A large graph is walked by two threads of the snapshot: as by one, to the byte."""
    helper_ = helper.from_environment()
    start = helper_.entry("rme_start", (ctypes.c_void_p, ctypes.c_uint64))
    generator = random.Random(3)
    layer = [float(i) for i in range(1000)]
    for _ in range(250):
        layer = [tuple(generator.choice(layer) for _ in range(4)) for _ in range(1000)]
    chain = None
    for _ in range(100000):
        chain = [chain, "link"]
    wild = [[i] for i in range(1000)]
    word = ctypes.c_uint64
    slot = word.from_address(word.from_address(id(wild) + 24).value + 8)
    gc.disable()  # it would follow the wild reference
    saved, slot.value = slot.value, 0x7000
    wrong = []
    for heap in ([layer, chain], [wild, chain, layer], {i: (i, str(i)) for i in range(150000)}):
        alone = helper_.memory(heap, flags=0)
        if alone["objects"] < 250000:
            wrong.append("%d objects are too few for two threads" % alone["objects"])
        for _ in range(5):
            differ(wrong, "together", helper_.memory(
                heap, flags=0, call=lambda block: start(block, 60000)), alone)
        # The second thread is made once and taken again.
        many = helper_.memory(*[heap] * 20, flags=0, call=lambda block: start(block, 60000))
        differ(wrong, "again and again", {item["size"] for item in many["items"]} | {many["size"]},
               {alone["size"]})
        differ(wrong, "caveats", many["caveats"], alone["caveats"])
    slot.value = saved
    gc.enable()
    return wrong


@check
def corrupt_objects():
    """A wild type, a wild item, a count of zero, garbage: an answer with a caveat."""
    gc.disable()  # the collector of this process would follow them too
    helper_ = helper.from_environment()
    wrong = []
    word = ctypes.c_uint64
    at = 24  # ob_item of a list
    rest = [[i] for i in range(50)]
    expected = oracle.measure(rest)["size"]
    holder = [rest, None]
    slot = word.from_address(word.from_address(id(holder) + at).value + 8)
    none = slot.value
    fake = array.array("Q", [0] * 64)
    inside = fake.buffer_info()[0]
    for label, value in (("wild", 0xdeadbeefdeadbee8), ("odd", id(rest) + 3), ("low", 0x10),
                         ("code", ctypes.cast(ctypes.pythonapi.Py_IncRef, ctypes.c_void_p).value),
                         ("zeros", inside), ("unmapped", 0x7000)):
        slot.value = value
        reply = helper_.memory(holder)
        slot.value = none
        if not reply.get("caveats") or reply["size"] < expected + sys.getsizeof(holder):
            wrong.append("%s: %s" % (label, reply))
    victim = [1, 2]
    holder[1] = victim
    for label, offset, value in (("type", 8, 0x1234567890), ("type of a type", 8, inside),
                                 ("freed", 0, 0), ("negative", 0, (1 << 64) - 5)):
        field = word.from_address(id(victim) + offset)
        saved, field.value = field.value, value
        reply = helper_.memory(holder)
        field.value = saved
        if not reply.get("caveats") or reply["size"] < expected + sys.getsizeof(holder):
            wrong.append("%s: %s" % (label, reply))
    # Sizes that cannot be.
    for label, offset, value in (("ob_size", 16, 1 << 60), ("items", at, 0x7777777777777770)):
        field = word.from_address(id(victim) + offset)
        saved, field.value = field.value, value
        reply = helper_.memory(holder)
        field.value = saved
        if not reply.get("caveats"):
            wrong.append("%s: %s" % (label, reply))
    differ(wrong, "afterwards", helper_.memory(holder)["caveats"], [])
    return wrong


@check
def not_objects():
    """An address that is no object is an error that says so."""
    helper_ = helper.from_environment()
    wrong = []
    for address in (0, 8, 0x1234, id(wrong) + 1, 1 << 63, (1 << 64) - 8,
                    ctypes.cast(ctypes.pythonapi.Py_IncRef, ctypes.c_void_p).value):
        reply = helper_.ask(MEMORY, [hex(address)])
        differ(wrong, hex(address), reply.get("error", {}).get("kind"), "no-object")
    return wrong


@check
def snapshot():
    """rme_start: the answer of a snapshot, which leaves nothing behind."""
    helper_ = helper.from_environment()
    start = helper_.entry("rme_start", (ctypes.c_void_p, ctypes.c_uint64))
    stop = helper_.entry("rme_stop")
    wait = helper_.entry("rme_wait", (ctypes.c_void_p, ctypes.c_uint64))
    objects = [[float(i)] for i in range(400000)]
    expected = helper_.memory(objects)["size"]
    before = open("/proc/self/maps").read()
    wrong = []

    def at_once(address):
        return start(address, 60000)

    reply = helper_.ask(MEMORY, [(objects,)], call=at_once)
    differ(wrong, "size", reply and reply["size"], expected)
    differ(wrong, "children", children(), [])

    def in_steps(address):
        state = start(address, 0)
        steps = 0
        while state == 1 and steps < 10000:
            state = wait(address, 5)
            steps += 1
        return state

    reply = helper_.ask(MEMORY, [(objects,)], call=in_steps)
    differ(wrong, "size in steps", reply and reply["size"], expected)

    def stopped(address):
        start(address, 0)
        return stop(address)

    helper_.ask(MEMORY, [(objects,)], call=stopped)
    differ(wrong, "pid of a stopped one", helper_.block["pid"], 0)
    differ(wrong, "children after a stop", children(), [])

    def killed(address):
        start(address, 0)
        pid = ctypes.c_int32.from_address(address + 16).value
        if pid > 0:
            os.kill(pid, 9)
        return wait(address, 10000)

    reply = helper_.ask(MEMORY, [(objects,)], call=killed)
    if helper_.block["state"] not in (2, 3):
        wrong.append("killed: %s" % helper_.block)
    differ(wrong, "children after a kill", children(), [])
    differ(wrong, "mappings", [line for line in open("/proc/self/maps")
                               if line not in before and "rme" in line], [])
    return wrong


def children():
    out = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                stat = open("/proc/%s/stat" % name).read()
            except OSError:
                continue
            if int(stat.rpartition(")")[2].split()[1]) == os.getpid():
                out.append(int(name))
    return out


@check
def frames():
    """Frames and their locals, innermost first, as the interpreter tells them."""
    helper_ = helper.from_environment()
    wrong = []

    def inner(argument, *rest, key=None, **more):
        cell = [argument]

        def closure():
            return cell, freed

        freed = {"a": cell}
        unbound = 1
        del unbound
        generator = (ask(x) for x in [closure])
        return next(generator)

    def ask(f):
        here = sys._getframe()
        expected, at = [], here
        while at is not None:
            expected.append((at.f_code.co_name, at.f_code.co_filename, at.f_lineno))
            at = at.f_back
        at = None
        reply = helper_.ask(FRAMES)
        got = [(i["function"].rpartition(".")[2], i["file"], i["line"]) for i in reply["items"]]
        # helper.py's own frames stand further in, and this one went on by some lines.
        got = got[len(got) - len(expected):]
        differ(wrong, "frames", got[1:], expected[1:])
        differ(wrong, "function", got[0][0], "ask")
        depth = len(reply["items"]) - len(expected)
        names = helper_.ask(TOP, frame=depth + 2)["items"]
        differ(wrong, "locals", sorted(i["expr"] for i in names),
               sorted(["argument", "ask", "rest", "key", "more", "cell", "closure", "freed",
                       "generator"]))
        visible = helper_.ask(NAMES, frame=depth + 2)["names"]
        for name in ("cell", "freed", "CHECKS", "collections"):
            if name not in visible:
                wrong.append("%s is not among the names: %s" % (name, visible[:20]))
        del here
        return reply

    inner([1, 2], 3, key=4, other=5)
    return wrong


@check
def threads():
    """All threads of the process, each with its own frames."""
    helper_ = helper.from_environment()
    ready, done = threading.Barrier(6), threading.Event()

    def waits_here(n):
        mine = ["mine %d" % n] * n  # noqa: F841
        ready.wait()
        done.wait()

    running = [threading.Thread(target=waits_here, args=(n,)) for n in range(5)]
    for thread in running:
        thread.start()
    ready.wait()
    import time
    time.sleep(0.1)
    reply = helper_.ask(FRAMES, flags=TRAVERSE_ONLY | 4)
    done.set()
    for thread in running:
        thread.join()
    wrong = []
    functions = [i["function"].rpartition(".")[2] for i in reply["items"]]
    differ(wrong, "threads in waits_here", functions.count("waits_here"), 5)
    differ(wrong, "threads in threads", functions.count("threads"), 1)
    return wrong


@check
def paths():
    """EXPR finds what Python finds."""
    helper_ = helper.from_environment()
    wrong = []

    class Base:
        shared = [1]

    class Thing(Base):
        __slots__ = ("slot",)

        def method(self):
            pass

        @property
        def prop(self):
            raise AssertionError("properties are not run")

    thing = Thing()
    thing.slot, thing.own = {"k": (1, 2, [3])}, [5, 6]
    table = {"a": 1, 7: [8], b"raw": {None: "none"}, -3: "minus", True: "yes", 2 ** 40: "big"}
    many = {i: [i] for i in range(1000)}
    del many[5]
    array_like = (10, [11, 12])
    cases = {
        "thing": thing, "thing.own": thing.own, "thing.slot": thing.slot,
        'thing.slot["k"][2]': thing.slot["k"][2], "thing.own[-1]": thing.own[-1],
        "thing.shared": Base.shared, "Thing.method": Thing.method, "table": table,
        'table["a"]': table["a"], "table[7][0]": table[7][0],
        'table[b"raw"][None]': table[b"raw"][None], "table[-3]": table[-3],
        "table[True]": table[True], "table[1099511627776]": table[2 ** 40],
        "many[999]": many[999], "array_like[1][1]": array_like[1][1],
        "json.decoder:JSONDecoder": json.decoder.JSONDecoder, "os:environ": os.environ,
        "CHECKS": CHECKS, "len": len, "oracle.MODULE": oracle.MODULE,
    }

    def find(text):
        # Frame 0 is helper.py's innermost; the names are two frames out of `find`.
        frames_ = helper_.ask(FRAMES)["items"]
        at = next(n for n, f in enumerate(frames_) if f["function"].rpartition(".")[2] == "paths")
        return helper_.ask(MEMORY, [text], frame=at)

    for text, obj in cases.items():
        reply = find(text)
        if "error" in reply:
            wrong.append("%s: %s" % (text, reply["error"]))
        else:
            differ(wrong, text, int(reply["items"][0]["address"], 16), id(obj))
            differ(wrong, "expr", reply["items"][0]["expr"], text)
    for text, kind in (("nothing_here", "no-such-name"), ("thing.nope", "no-such-attribute"),
                       ("thing.prop", "no-such-attribute"), ('table["b"]', "no-such-key"),
                       ("thing.own[9]", "no-such-key"), ("many[5]", "no-such-key"),
                       ("no.such.module:x", "no-such-module"), ("os:nope", "no-such-attribute"),
                       ("thing[0]", "not-subscriptable")):
        reply = find(text)
        differ(wrong, text, reply.get("error", {}).get("kind"), kind)
    return wrong


@check
def trees():
    """The tree's nodes carry the figures of their objects; the rest is summed up."""
    helper_ = helper.from_environment()
    wrong = []
    a = [1, 2, 3]
    b = [a, a, a]
    tree = helper_.ask(TREE, [(b,)], depth=10, limit=10)["tree"]
    differ(wrong, "root", (tree["size"], len(tree["children"])), (oracle.measure(b)["size"], 3))
    for child in tree["children"]:
        differ(wrong, "child", (int(child["address"], 16), child["size"], len(child["children"])),
               (id(a), oracle.measure(a)["size"], 3))
    cycle = []
    cycle.append(cycle)
    tree = helper_.ask(TREE, [(cycle,)], depth=10, limit=10)["tree"]
    differ(wrong, "cycle", tree["children"][0].get("cycle"), True)
    wide = [[i] * (i % 100) for i in range(1000)]
    reply = helper_.ask(TREE, [(wide,)], depth=2, limit=10)
    tree = reply["tree"]
    differ(wrong, "drawn", (len(tree["children"]), tree["more"]["children"]), (10, 990))
    sizes = [child["size"] for child in tree["children"]]
    differ(wrong, "the largest first", sizes, sorted(sizes, reverse=True))
    differ(wrong, "the largest", sizes[0], max(oracle.measure(o)["size"] for o in wide))
    labelled = {"key": [1], 5: [2]}
    tree = helper_.ask(TREE, [(labelled,)], depth=2, limit=10)["tree"]
    differ(wrong, "labels", sorted(c["label"] for c in tree["children"] if c["label"]),
           ['["key"]', "[5]"])
    return wrong


@check
def drawn_once():
    """A reference is drawn once, in either measure."""
    helper_ = helper.from_environment()

    class Attributes:
        def __init__(self):
            self.one, self.two = [1], "x"

    class Table(dict):
        pass

    def generate():
        local = [1]
        yield local

    started = generate()
    next(started)
    default = collections.defaultdict(list, q=[1])
    wrong = []
    for obj in (default, collections.OrderedDict(a=[1], b=[2]), Table(a=[1]), {"a": [1], 5: [2]},
                Attributes(), Attributes().__dict__, started, io.BytesIO(b"x" * 100),
                collections.Counter("abb"), collections.deque([[1]]), memoryview(b"abc")):
        for flags in (0, TRAVERSE_ONLY):
            tree = helper_.ask(TREE, [(obj,)], depth=1, flags=flags)["tree"]
            drawn = collections.Counter((c["label"], c["address"]) for c in tree["children"])
            for (label, _), times in drawn.items():
                if times > 1:
                    wrong.append("%s: %s is drawn %d times with flags %d"
                                 % (name_of(obj), label, times, flags))
    return wrong


@check
def tops():
    """The largest reachable objects of an EXPR, largest first."""
    helper_ = helper.from_environment()
    wrong = []
    inner = {"big": [bytes(1000) for _ in range(100)], "small": [bytes(10)]}
    holder = [inner, 1]
    reply = helper_.ask(TOP, [(holder,)], limit=5)
    sizes = [item["size"] for item in reply["items"]]
    differ(wrong, "order", sizes, sorted(sizes, reverse=True))
    differ(wrong, "rows", len(sizes), 5)
    by_address = {int(item["address"], 16): item for item in reply["items"]}
    for obj in (inner, inner["big"]):
        item = by_address.get(id(obj))
        if item is None:
            wrong.append("%s is not among the largest: %s" % (name_of(obj), reply["items"]))
        else:
            differ(wrong, name_of(obj), item["size"], oracle.measure(obj)["size"])
    return wrong


def main():
    wrong = CHECKS[sys.argv[1]]()
    shown = wrong[:MOST]
    if len(wrong) > MOST:
        shown.append("… and %d more" % (len(wrong) - MOST))
    print(json.dumps(shown))
    sys.stdout.flush()
    os._exit(0)  # the zoo does not die quietly


if __name__ == "__main__":
    main()
