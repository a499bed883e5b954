"""Run by the interpreter that is asked: which of its C types have a tp_traverse that
visits fixed offsets of the object and nothing else, found by experiment.

A made-up object is filled with distinct pointers into memory that cannot be read,
and the type's own tp_traverse is called on it in a child process. A function that
follows a pointer dies there; one that is left must visit the same fields whatever
the others contain, each exactly when it is not NULL. The word of a managed dict
lies before the object and stays NULL: it is not part of the rule.

Prints JSON: {"types": [[name, basicsize]...], "rules": [[name, basicsize, heap,
visits_type, [offset...]]...]}. Needs `-I -S`, so that only the standard library is seen."""

import ctypes
import gc
import importlib
import json
import mmap
import os
import signal
import sys
import warnings

WORD = 8
HEADER = 16        # PyObject
BEFORE = 64        # room for the GC head and the pre-header
TAIL = 32 * WORD   # looks like the items of a variable-sized object
LARGEST = 2000     # no C type of the standard library that is direct is larger
# PyTypeObject, the same in all the versions and checked against the tables
TP_NAME, TP_BASICSIZE, TP_FLAGS, TP_TRAVERSE = 24, 32, 168, 184
HEAPTYPE, HAVE_GC = 1 << 9, 1 << 14

VISIT = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
TRAVERSE = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, VISIT, ctypes.c_void_p)


def word(address):
    return ctypes.c_uint64.from_address(address).value


def all_types():
    """Every type that the interpreter's C modules have made ready."""
    warnings.simplefilter("ignore")
    names = set(sys.builtin_module_names)
    for folder in sys.path:
        if os.path.basename(folder) == "lib-dynload":
            names.update(f.split(".")[0] for f in os.listdir(folder) if f.endswith(".so"))
    for name in sorted(names):
        if not name.startswith(("_test", "_xx", "xx", "_ctypes_test")):
            try:
                importlib.import_module(name)
            except ImportError:
                pass
    found = {}
    waiting = [object] + [type(o) for o in gc.get_objects()] + [type(o) for o in instances()]
    while waiting:
        kind = waiting.pop()
        if id(kind) not in found:
            found[id(kind)] = kind
            waiting.extend(type.__subclasses__(kind))
            waiting.append(type(kind))
            waiting.extend(type.mro(kind)[1:])
    return list(found.values())


def instances():
    """Objects whose types become ready only with the first of them."""
    async def coroutine():
        pass

    async def generator():
        yield

    big = 1 << 70
    started = coroutine()
    awaitable = started.__await__()
    asynchronous = generator()
    made = [awaitable, started, asynchronous, asynchronous.asend(None),
            asynchronous.athrow(ValueError)]
    started.close()
    if hasattr(__builtins__, "anext"):
        made.append(anext(asynchronous, None))  # noqa: F821
    context = importlib.import_module("contextvars").copy_context()
    iterables = ((), [], {}, set(), "a", "\u1234", b"", bytearray(), range(0), range(big),
                 {}.keys(), {}.values(), {}.items(), memoryview(b""), context)
    for iterable in iterables:
        made += [iterable, iter(iterable)]
        if hasattr(type(iterable), "__reversed__"):
            made.append(reversed(iterable))
    made += [context.keys(), context.values(), context.items(), iter(int, 0), object.__dict__,
             sys._getframe(), slice(0), super(int, 0), (lambda: big).__code__]
    ordered = importlib.import_module("collections").OrderedDict()
    made += [iter(ordered), ordered.keys(), ordered.values(), ordered.items()]
    if sys.version_info >= (3, 10):
        made.append(int | str)
    if sys.version_info >= (3, 12):
        made.append((lambda: big).__code__.co_lines())
    return made


class Fake:
    """The made-up object and what its words may be filled with."""

    def __init__(self):
        size = 1 << 16
        libc = ctypes.CDLL(None)
        libc.mmap.restype = ctypes.c_void_p
        libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int,
                              ctypes.c_int, ctypes.c_long]
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        self.unreadable = libc.mmap(None, 1 << 24, 0, flags, -1, 0)
        # Read and write, then a page that is neither: a loop over items ends there.
        self.memory = libc.mmap(None, size + 4096, 0, flags, -1, 0)
        libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        libc.mprotect(self.memory, size, mmap.PROT_READ | mmap.PROT_WRITE)
        self.end = self.memory + size

    def pointer(self, offset):
        return self.unreadable + 4096 + offset * 256

    def visits(self, kind, words):
        """The addresses that tp_traverse visits when the object's words from HEADER on
        are these, in order."""
        traverse = TRAVERSE(word(id(kind) + TP_TRAVERSE))
        address = self.end - BEFORE - len(words) * WORD
        address -= address % 16
        ctypes.memset(address - BEFORE, 0, self.end - address + BEFORE)
        values = [3, id(kind)] + words
        (ctypes.c_uint64 * len(values)).from_address(address)[:] = values
        seen = []
        traverse(address, VISIT(lambda child, _: seen.append(child) or 0), None)
        return seen


def rule(fake, kind, basicsize):
    """(visits_type, offsets), or None when the visited fields depend on anything but
    their own content. Runs in a child, which may die of it."""
    offsets = range(HEADER, basicsize, WORD)
    full = [fake.pointer(o) for o in range(HEADER, HEADER + len(offsets) * WORD + TAIL, WORD)]
    seen = fake.visits(kind, full)
    visits_type = id(kind) in seen
    if seen.count(id(kind)) > 1 or len(set(seen)) != len(seen):
        return None
    ours = [o for o in offsets if fake.pointer(o) in seen]
    if len(ours) + visits_type != len(seen):
        return None
    empty = [0] * len(full)
    for i, offset in enumerate(offsets):
        trials = [(full, value) for value in (0, 1, 2, 0xff, 0xffffffff, 1 << 32, 1 << 63)]
        trials += [(empty, fake.pointer(offset)), (empty, 1)]
        for base, value in trials:
            words = list(base)
            words[i] = value
            expected = [words[(o - HEADER) // WORD] for o in ours]
            expected = [v for v in expected if v] + [id(kind)] * visits_type
            if sorted(fake.visits(kind, words)) != sorted(expected):
                return None
    return visits_type, ours


def in_child(fake, kind, basicsize):
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(2)
            signal.alarm(5)
            os.write(writer, json.dumps(rule(fake, kind, basicsize)).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        answer = stream.read()
    os.waitpid(child, 0)
    return json.loads(answer.decode()) if answer else None


def main():
    class Python:
        pass

    in_python = word(id(Python) + TP_TRAVERSE)
    fake = Fake()
    types, rules = set(), {}
    for kind in all_types():
        flags, traverse = word(id(kind) + TP_FLAGS), word(id(kind) + TP_TRAVERSE)
        name = ctypes.string_at(word(id(kind) + TP_NAME)).decode()
        key = name, word(id(kind) + TP_BASICSIZE)
        if not flags & HAVE_GC or not traverse or traverse == in_python:
            continue
        types.add(key)
        found = in_child(fake, kind, key[1]) if key[1] <= LARGEST else None
        heap = bool(flags & HEAPTYPE)
        found = found and [heap] + found
        # Two types of one name and size must agree, or the name says nothing.
        rules[key] = found if rules.get(key, found) == found else None
    json.dump({"types": sorted(types),
               "rules": [list(k) + rules[k] for k in sorted(rules) if rules[k]]}, sys.stdout)


main()
