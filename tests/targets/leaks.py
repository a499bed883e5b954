"""Programs that keep what they should not, in the ways that programs do. Each case knows
who the culprit is, because it made it. Runs on Python 3.8 and later.

    python leaks.py    sets all of them up, waits, drops one culprit after the other, and
                       tells how many bytes each of them gave back to the allocators
"""

import ctypes
import functools
import gc
import sys
import threading
import tracemalloc

N = 200      # payloads of a case
BYTES = 5000  # in each

CASES = {}


class Case:
    """What a case() set up, as addresses: it must not hold anything itself."""

    def __init__(self, suspect, culprit, root, labels, drop):
        self.suspect = id(suspect)  # what should not be there any more
        self.culprit = id(culprit)  # what would free it, if it went
        self.root = root            # how py-why's root begins
        self.labels = labels        # of the steps of its first path
        self.drop = drop            # lets the culprit go


def case(function):
    CASES[function.__name__] = function
    return function


class Thing:
    pass


def payload():
    return [bytearray(BYTES) for _ in range(N)]


@case
def module_global():
    global CACHE
    CACHE = {"users": [Thing()]}
    CACHE["users"][0].rows = payload()

    def drop():
        global CACHE
        del CACHE
    return Case(CACHE["users"][0].rows, CACHE, "module leaks",
                ["CACHE", '["users"]', "[0]", ".rows"], drop)


@case
def closure():
    def make():
        cache = {}

        def remember(key, value):
            cache[key] = value
        return remember

    global REMEMBER
    REMEMBER = make()
    REMEMBER("rows", payload())

    def drop():
        global REMEMBER
        del REMEMBER
    cell = REMEMBER.__closure__[0]
    return Case(cell.cell_contents["rows"], REMEMBER, "module leaks",
                ["REMEMBER", ".__closure__", "[0]", ".cell_contents", '["rows"]'], drop)


@case
def cycle():
    """A reference count that never gets to zero."""
    global PARENTS
    parent, child = Thing(), Thing()
    parent.child, child.parent, child.rows = child, parent, payload()
    PARENTS = [parent]

    def drop():
        PARENTS[0] = None
        gc.collect()
    return Case(child.rows, parent, "module leaks", ["PARENTS", "[0]", ".child", ".rows"], drop)


class Widget:
    def on_event(self):
        pass


@case
def listeners():
    global BUS
    BUS = Thing()
    BUS.listeners = []
    widget = Widget()
    widget.rows = payload()
    BUS.listeners.append(widget.on_event)

    def drop():
        BUS.listeners[0] = None
    return Case(widget, BUS.listeners[0], "module leaks",
                ["BUS", ".listeners", "[0]", ".__self__"], drop)


@case
def generator():
    def endless():
        rows = payload()
        while True:
            yield len(rows)

    global NUMBERS
    NUMBERS = endless()
    next(NUMBERS)

    def drop():
        global NUMBERS
        del NUMBERS
    labels = ['.gi_frame.f_locals["rows"]'] if sys.version_info >= (3, 11) else [
        ".gi_frame", '.f_locals["rows"]']
    return Case(NUMBERS.gi_frame.f_locals["rows"], NUMBERS, "module leaks",
                ["NUMBERS"] + labels, drop)


@case
def thread_local():
    global LOCAL
    LOCAL = threading.local()
    LOCAL.rows = payload()

    def drop():
        del LOCAL.rows
    return Case(LOCAL.rows, LOCAL.rows, "module leaks", None, drop)


@case
def exception():
    """A traceback keeps the variables of every frame that it went through."""
    def fails():
        rows = payload()
        raise ValueError(len(rows))

    global ERROR
    try:
        fails()
    except ValueError as error:
        ERROR = error
    rows = ERROR.__traceback__.tb_next.tb_frame.f_locals["rows"]
    ERROR.__traceback__ = ERROR.__traceback__.tb_next  # without this very frame

    def drop():
        global ERROR
        del ERROR
        gc.collect()
    return Case(rows, ERROR, "module leaks",
                ["ERROR", ".__traceback__", ".tb_frame", '.f_locals["rows"]'], drop)


class Registry:
    pass


@case
def class_attribute():
    Registry.entries = {"rows": payload()}

    def drop():
        del Registry.entries
    return Case(Registry.entries["rows"], Registry.entries, "module leaks",
                ["Registry", ".entries", '["rows"]'], drop)


@case
def lru_cache():
    global LOOKUP

    @functools.lru_cache(maxsize=10)
    def LOOKUP(key):
        return payload() if key == "rows" else [key]

    for key in ("rows", "a", "b"):
        LOOKUP(key)

    def drop():
        global LOOKUP
        del LOOKUP
        gc.collect()
    return Case(LOOKUP("rows"), LOOKUP, "module leaks", ["LOOKUP", "(cached result)"], drop)


@case
def held_by_c():
    """What an extension module does that forgets a Py_DECREF."""
    rows = payload()
    address = ctypes.c_void_p(id(rows))
    hold, release = ctypes.pythonapi.Py_IncRef, ctypes.pythonapi.Py_DecRef
    hold(address)
    hold(address)
    release(address)

    def drop():
        release(address)
    return Case(rows, rows, "C (1 reference)", [None], drop)


def main():
    import stage

    tracemalloc.start()
    made = {name: CASES[name]() for name in CASES}
    gc.collect()
    stage.wait(cases={name: {"suspect": "%#x" % case.suspect, "culprit": "%#x" % case.culprit,
                             "root": case.root, "labels": case.labels}
                      for name, case in made.items()})
    freed = {}
    for name, case in made.items():
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        case.drop()
        gc.collect()
        freed[name] = before - tracemalloc.get_traced_memory()[0]
    stage.result(freed=freed)


if __name__ == "__main__":
    # The cases are globals of a module, as a program's are.
    import leaks
    leaks.main()
