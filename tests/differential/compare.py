"""Compares the helper with the interpreter that it is loaded into, object by object, and
prints one JSON object. Runs on Python 3.8 and later.

    python compare.py LIBRARY [--packages] [--limit N]   (N objects of each type at most)

For every object: own size with sys.getsizeof; references by tp_traverse and references by
layout with gc.get_referents, as multisets. What is left out on purpose is left out of both
sides: a function's globals and builtins, a frame's globals, builtins and, where they are
the globals, locals.
"""

import argparse
import collections
import ctypes
import gc
import json
import os
import signal
import sys
import tempfile
import types

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("targets", "oracle"):
    sys.path.insert(0, os.path.join(os.path.dirname(HERE), folder))
sys.path.insert(0, HERE)

import helper as helpers  # noqa: E402
import universe  # noqa: E402

INSPECT = 6  # enum rme_query
BATCH = 20000
MEASURES = (("traverse", helpers.TRAVERSE_ONLY),
            ("layout", helpers.TRAVERSE_ONLY | helpers.LAYOUTS_ONLY))


_mro = type.__dict__["__mro__"].__get__  # None of a type that was never made ready


def type_name(cls):
    try:
        return "%s.%s" % (cls.__module__, cls.__qualname__)
    except BaseException:
        return object.__repr__(cls)


def namespaces(obj):
    """The addresses of what is left out of an object's references."""
    if type(obj) is types.FunctionType:
        left_out = [obj.__globals__, getattr(obj, "__builtins__", None)]
    elif type(obj) is types.FrameType:
        left_out = [obj.f_globals, obj.f_builtins]
    else:
        return ()
    return ["0x%x" % id(one) for one in left_out if one is not None]


def expected_size(obj):
    try:
        return sys.getsizeof(obj)
    except BaseException:  # a class may define a __sizeof__ that fails
        return None


def expected_references(obj):
    found = ["0x%x" % id(one) for one in gc.get_referents(obj)]
    # The rule for numpy: a view keeps the array that it looks into.
    numpy = sys.modules.get("numpy")
    if numpy is not None and numpy.ndarray in (_mro(type(obj)) or ()):
        base = numpy.ndarray.base.__get__(obj)
        found += ["0x%x" % id(base)] if base is not None else []
    left_out = namespaces(obj)
    return sorted(one for one in found if one not in left_out)


def inspect(helper, objects, flags):
    reply = helper.ask(INSPECT, [(o,) for o in objects], flags=flags, capacity=1 << 28)
    if "error" in reply:
        raise SystemExit("the helper: %r" % reply["error"])
    return reply["items"]


class Comparison:
    def __init__(self, helper, known):
        self.helper = helper
        self.known = known  # every live object by its address
        self.rows = {}  # name of a type: counters and an example of each difference
        self.changed = 0  # objects that were another thing a moment later

    def row(self, cls):
        name = type_name(cls)
        if name not in self.rows:
            self.rows[name] = collections.Counter()
        return self.rows[name]

    def _inspect(self, objects, flags):
        return inspect(self.helper, objects, flags)

    def batch(self, objects):
        for measure, flags in MEASURES:
            sizes = [expected_size(o) for o in objects]
            references = [expected_references(o) for o in objects]
            items = self._inspect(objects, flags)
            for obj, size, refs, item in zip(objects, sizes, references, items):
                if measure == "traverse":
                    self._size(obj, size, item)
                self._references(measure, obj, refs, item)
                if not item.get("agrees", True):
                    self.row(type(obj))["disagrees"] += 1

    def _size(self, obj, size, item):
        row = self.row(type(obj))
        row["objects"] += 1
        if size is None:
            row["no_size"] += 1
        elif item.get("own_size") == size:
            row["estimated"] += item["estimated"]
        elif expected_size(obj) != size:
            self.changed += 1
        elif item.get("estimated"):
            row["estimated"] += 1
            row["estimated_wrong"] += 1
        else:
            row["size"] += 1
            self._example("size", obj, size, item.get("own_size"))

    def _references(self, measure, obj, refs, item):
        left_out = namespaces(obj)
        found = sorted(one for one in item.get("references", ()) if one not in left_out)
        if found == refs:
            return
        if expected_references(obj) != refs:
            self.changed += 1
            return
        row = self.row(type(obj))
        row[measure] += 1
        missing = list((collections.Counter(refs) - collections.Counter(found)).elements())
        surplus = list((collections.Counter(found) - collections.Counter(refs)).elements())
        row[measure + "_missing"] += bool(missing)
        row[measure + "_surplus"] += bool(surplus)
        row[measure + "_silent"] += not item.get("inferred")
        self._example(measure, obj, [self._kind(m) for m in missing[:5]],
                      [self._kind(s) for s in surplus[:5]])

    def _kind(self, address):
        known = self.known.get(int(address, 16), self)
        return type_name(type(known)) if known is not self else address

    def _example(self, what, obj, wanted, got):
        row = self.row(type(obj))
        row.setdefault("examples", [])
        if len(row["examples"]) < 4:
            row["examples"].append("%s of 0x%x: %s, found %s" % (what, id(obj), wanted, got))


def owned_closure(helper, known, objects, working):
    """Objects that only owned references of these lead to, as the helper says: keys,
    names, constants. A wrong one among them would end this process."""
    found, todo = [], list(objects)
    while todo:
        batch = todo[-BATCH:]
        del todo[-BATCH:]
        for item in inspect(helper, batch, 0):
            for address in item.get("references", ()):
                key = int(address, 16)
                if key not in known and key not in working:
                    known[key] = ctypes.cast(key, ctypes.py_object).value
                    found.append(known[key])
                    todo.append(known[key])
    return found


def chosen(objects, limit):
    if not limit:
        return objects
    counts = collections.Counter()
    out = []
    for obj in objects:
        counts[type(obj)] += 1
        if counts[type(obj)] <= limit:
            out.append(obj)
    return out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("library")
    parser.add_argument("--packages", action="store_true")
    parser.add_argument("--limit", type=int, default=0)
    options = parser.parse_args()
    signal.alarm(600)
    os.chdir(tempfile.mkdtemp())  # some types make files
    out = os.fdopen(os.dup(1), "w")
    universe.load(options.packages)
    made = universe.make(options.packages)
    helper = helpers.Helper(options.library)
    gc.collect()
    gc.disable()
    seen = universe.closure(made)
    # Not what changes meanwhile: the frame and the globals of this file, the helper.
    working = {id(one) for one in (sys._getframe(), seen, globals(), helper, helper.__dict__)}
    objects = chosen([seen[key] for key in seen if key not in working], options.limit)
    objects += chosen(owned_closure(helper, seen, objects, working), options.limit)
    compared = Comparison(helper, seen)
    for start in range(0, len(objects), BATCH):
        compared.batch(objects[start:start + BATCH])
    json.dump({"python": sys.version.split()[0], "objects": len(objects),
               "types": len(compared.rows), "changed": compared.changed,
               "rows": compared.rows}, out)
    out.flush()
    os._exit(0)  # objects that were never initialised need not survive their end


if __name__ == "__main__":
    main()
