"""The slow and obvious answer, computed by the interpreter about itself: what an
object keeps reachable by gc.get_referents, in bytes of sys.getsizeof. This is the
measure `references traverse`; the helper must agree with it to the byte.

Runs inside the debuggee, on Python 3.8 and later, and takes care to change nothing
that it measures: no attribute of a measured object is read that could run code
(LocalProxy, Mock), build a __dict__ or fill a cache.

What is not entered and not counted, as in README.md, "What a number means":
  - modules, and the namespace of every module in sys.modules;
  - a function's globals and builtins; a frame's globals and builtins.
A root that the user names is entered all the same, a module together with its
namespace.
"""

import gc
import sys
import types

_get_mro = type.__dict__["__mro__"].__get__
_get_type_dict = type.__dict__["__dict__"].__get__
_type_flags = type.__dict__["__flags__"].__get__
_module_dict = types.ModuleType.__dict__["__dict__"].__get__


def _mro(cls):
    # A static type that nobody made ready has none (_lru_list_elem, 3.8).
    return _get_mro(cls) or (cls, object)


def _type_dict(cls):
    return _get_type_dict(cls) or {}


PLAIN, FUNCTION, FRAME, FOREIGN_SIZEOF, NDARRAY, MODULE = range(6)

TYPE_SUBCLASS = 1 << 31  # Py_TPFLAGS_TYPE_SUBCLASS
HAVE_GC = 1 << 14
MANAGED_WEAKREF = 1 << 3  # 3.12
MANAGED_DICT = 1 << 4  # 3.11


class Oracle:
    def __init__(self):
        self.kinds = {}  # id of a type: how its instances are treated
        self.own_size_of = {}  # id of a type with a __sizeof__ of its own: function
        self.namespaces = set()
        for module in list(sys.modules.values()):
            if types.ModuleType in _mro(type(module)):
                self.namespaces.add(id(_module_dict(module)))
        numpy = sys.modules.get("numpy")
        self.ndarray = getattr(numpy, "ndarray", None)

    def _kind(self, cls):
        kind = self.kinds.get(id(cls))
        if kind is None:
            mro = _mro(cls)
            if types.ModuleType in mro:
                kind = MODULE
            elif cls is types.FunctionType:
                kind = FUNCTION
            elif cls is types.FrameType:
                kind = FRAME
            elif self.ndarray is not None and self.ndarray in mro:
                kind = NDARRAY
            else:
                kind = PLAIN
            sizeofs = [_type_dict(c)["__sizeof__"] for c in mro if "__sizeof__" in _type_dict(c)]
            if not _is_known(sizeofs[0]):
                # Nobody outside can evaluate it. The size is then what the nearest
                # base says, and a caveat.
                base = next(s for s in sizeofs if _is_known(s))
                self.own_size_of[id(cls)] = lambda o, base=base, extra=_presize(cls): base(o) + extra
                if kind == PLAIN:
                    kind = FOREIGN_SIZEOF
            self.kinds[id(cls)] = kind
        return kind

    def own_size(self, obj):
        self._kind(type(obj))
        return self.own_size_of.get(id(type(obj)), sys.getsizeof)(obj)

    def _referents(self, plain, special):
        refs = gc.get_referents(*plain)
        for obj in special:
            kind = self.kinds[id(type(obj))]
            mine = gc.get_referents(obj)
            if kind == FUNCTION:
                # Functions hold their builtins from 3.10 on.
                skip = (obj.__globals__, getattr(obj, "__builtins__", obj.__globals__))
                mine = [r for r in mine if r is not skip[0] and r is not skip[1]]
            elif kind == FRAME:
                skip = (obj.f_globals, obj.f_builtins)
                mine = [r for r in mine if r is not skip[0] and r is not skip[1]]
            elif kind == NDARRAY:
                base = self.ndarray.base.__get__(obj)
                if base is not None:
                    mine.append(base)
            refs += mine
        return refs

    def walk(self, roots, classes=True, named=False):
        """(size, objects) of what the roots keep reachable together. A named root
        is entered whatever it is."""
        namespaces = self.namespaces
        if named:
            for root in roots:
                if self._kind(type(root)) == MODULE:
                    namespaces = namespaces - {id(_module_dict(root))}
        seen = set()
        kinds = self.kinds
        size = objects = 0
        refs, first = list(roots), named
        while refs:
            plain, special = [], []
            for obj in refs:
                key = id(obj)
                if key in seen:
                    continue
                cls = type(obj)
                kind = kinds.get(id(cls))
                if kind is None:
                    kind = self._kind(cls)
                if not first:
                    if kind == MODULE or key in namespaces:
                        continue
                    if not classes and (_type_flags(cls) & TYPE_SUBCLASS or cls is types.CodeType):
                        continue
                seen.add(key)
                if kind == PLAIN or kind == MODULE:
                    plain.append(obj)
                else:
                    special.append(obj)
            objects += len(plain) + len(special)
            size += sum(map(sys.getsizeof, plain))
            size += sum(map(self.own_size, special))
            refs, first = self._referents(plain, special), False
        return size, objects


def _is_known(sizeof):
    """Is it the __sizeof__ of the interpreter, its library or numpy, and in C?"""
    owner = getattr(sizeof, "__objclass__", None)
    if owner is None:
        return False
    package = owner.__module__.partition(".")[0]
    origin = getattr(sys.modules.get(package), "__file__", None) or ""
    return package == "numpy" or "site-packages" not in origin


def _presize(cls):
    """What sys.getsizeof adds to __sizeof__ for an instance of a heap type."""
    flags = _type_flags(cls)
    extra = 16 if flags & HAVE_GC else 0
    if sys.version_info >= (3, 12):
        extra += 16 if flags & (MANAGED_DICT | MANAGED_WEAKREF) else 0
    elif sys.version_info >= (3, 11):
        extra += 16 if flags & MANAGED_DICT else 0
    return extra


def _type_name(cls):
    """As py-top prints it: module and qualified name, no module for builtins."""
    module = cls.__module__
    return cls.__qualname__ if module == "builtins" else "%s.%s" % (module, cls.__qualname__)


def measure(value, named=True):
    """What py-memory says about one named object."""
    oracle = Oracle()
    size, objects = oracle.walk([value], named=named)
    return {"address": hex(id(value)), "own_size": oracle.own_size(value), "size": size,
            "objects": objects,
            "size_without_classes": oracle.walk([value], classes=False, named=named)[0]}


def frames(start):
    """What py-frames and py-top say about `start` and the frames outside of it."""
    chain = []
    while start is not None:
        chain.append(start)
        start = start.f_back
    # Up to 3.12 f_locals builds a dict that stays in the frame: all of them are
    # built before the first measurement.
    tables = [list(frame.f_locals.items()) for frame in chain]
    enabled = gc.isenabled()
    gc.disable()
    try:
        return _measure(chain, tables)
    finally:
        if enabled:
            gc.enable()


def _measure(chain, tables):
    oracle = Oracle()
    done = {}
    out = []
    for frame, table in zip(chain, tables):
        rows = {}
        for name, value in table:
            if id(value) not in done:
                size, objects = oracle.walk([value])
                done[id(value)] = {"address": hex(id(value)), "size": size, "objects": objects,
                                   "size_without_classes": oracle.walk([value], classes=False)[0],
                                   "type": _type_name(type(value))}
            rows[name] = done[id(value)]
        values = [value for _, value in table]
        size, objects = oracle.walk(values)
        out.append({"function": frame.f_code.co_name, "file": frame.f_code.co_filename,
                    "line": frame.f_lineno, "size": size, "objects": objects,
                    "size_without_classes": oracle.walk(values, classes=False)[0],
                    "locals": rows})
    return out
