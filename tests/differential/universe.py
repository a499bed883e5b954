"""As many kinds of objects as one process can hold: everything importable, the zoo of
targets/, and instances of every C type that can be made with no or simple arguments,
plain and through subclasses. Runs on Python 3.8 and later.
"""

import contextlib
import csv
import gc
import importlib
import io
import itertools
import os
import pkgutil
import sys
import types
import warnings

import zoo

# They open windows or browsers, start servers, talk, patch the process, or are tests of
# their own.
LEFT_OUT = {
    "antigravity", "this", "idlelib", "turtle", "turtledemo", "test", "lib2to3", "__main__",
    "ensurepip", "venv", "pip", "setuptools", "pkg_resources", "_distutils_hack", "msilib",
    "_testcapi", "_testinternalcapi", "_testbuffer", "_testclinic", "_testclinic_limited",
    "_testexternalinspection", "_testimportmultiple", "_testlimitedcapi", "_testmultiphase",
    "_testsinglephase", "_testconsole", "_ctypes_test", "_xxtestfuzz", "xxlimited",
    "xxlimited_35", "xxsubtype", "_xxsubinterpreters", "_xxinterpchannels", "_interpreters",
    "_interpchannels", "_interpqueues", "readline", "rlcompleter", "faulthandler",
}

PACKAGES = ("numpy", "numpy.ma", "numpy.random", "pandas", "lxml.etree", "lxml.objectify",
            "pydantic", "pydantic_core", "sqlalchemy", "sqlalchemy.orm", "msgpack", "markupsafe",
            "greenlet")


def _standard_modules():
    folder = os.path.dirname(os.__file__)
    names = set(sys.builtin_module_names) | set(getattr(sys, "stdlib_module_names", ()))
    for path in (folder, os.path.join(folder, "lib-dynload")):
        for info in pkgutil.iter_modules([path]):
            names.add(info.name)
            if info.ispkg and info.name not in LEFT_OUT:
                package = os.path.join(path, info.name)
                names.update("%s.%s" % (info.name, sub.name)
                             for sub in pkgutil.iter_modules([package]))
    return sorted(name for name in names
                  if name.split(".")[0] not in LEFT_OUT and not name.endswith(".__main__")
                  and not {"test", "tests"} & set(name.split(".")))


STANDARD = {name.split(".")[0] for name in _standard_modules()}


def load(packages):
    """Imports what can be imported; returns the number of modules."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), \
            warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in itertools.chain(_standard_modules(), PACKAGES if packages else ()):
            try:
                importlib.import_module(name)
            except BaseException:  # a module may end by SystemExit
                pass
    return len(sys.modules)


def _all_types():
    found, todo = {}, [object]
    while todo:
        cls = todo.pop()
        if id(cls) not in found:
            found[id(cls)] = cls
            with contextlib.suppress(Exception):
                todo.extend(type.__subclasses__(cls))
    return list(found.values())


def _is_native(cls):
    """Is it of the standard library, made by C code, not by a class statement? (Extension
    modules of others crash on arguments that they do not expect.)"""
    name = cls.__module__ if isinstance(cls.__module__, str) else ""
    return (name.split(".")[0] in STANDARD
            and not str(getattr(sys.modules.get(name), "__file__", "")).endswith(".py"))


# Making one of these is not simple: it would end, block, talk or crash (FutureIter, 3.14+).
NOT_MADE = {"SemLock", "_Printer", "Quitter", "Tkapp", "InterpreterID", "FutureIter"}


def _arguments():
    def generator():
        yield [1]

    return [(), (0,), (3,), ("",), ("a",), (b"",), (b"ab",), ([[1]],), (None,), (int,), (len,),
            ({"a": [1]},), (io.BytesIO(b"x"),), (generator(),), (generator,), ("a", "b"),
            (len, [1]), ([1], [2]), (1, 2), (1, 2, 3), (1, [2], {}), ("a", (object,), {}),
            (2020, 1, 2), (lambda: 1, [1]), (range(40),), (-1, 4096), (type(sys),),
            (sys._getframe(),), (memoryview(b"abc"),), ("a", [1], {"b": 2})]


def _try(made, call, *arguments):
    try:
        made.append(call(*arguments))
        return True
    except BaseException:
        return False


def _instances(cls, made):
    n_fields = cls.__dict__.get("n_sequence_fields")
    if isinstance(n_fields, int):
        _try(made, cls, [[i] for i in range(n_fields)])
        _try(made, cls, [[i] for i in range(cls.n_fields)])
        return
    subclasses = None
    for arguments in _arguments():
        before = len(made)
        if not _try(made, cls, *arguments):
            continue
        subclasses = subclasses or list(_subclasses(cls))
        for subclass in subclasses:
            if _try(made, subclass, *arguments):
                for name in ("slot", "attribute", "other"):
                    with contextlib.suppress(Exception):
                        setattr(made[-1], name, [name])
        for one in made[before:]:
            # A file may never end; a csv reader made by its type (3.10, 3.11) has no input.
            if not isinstance(one, (io.IOBase, type(csv.reader([])))) and _try(made, iter, one):
                _try(made, next, made[-1])
            _try(made, reversed, one)


def _subclasses(cls):
    """A class statement's view of it: with a __dict__, with slots, with both."""
    for body in ({}, {"__slots__": ("slot", "empty")},
                 {"__slots__": ("slot", "__dict__", "__weakref__")}):
        with contextlib.suppress(Exception):
            yield types.new_class("Sub_" + cls.__name__, (cls,), {}, lambda space, body=body: space.update(body))


def instances():
    """Instances of every native type that can be made, and of subclasses of them."""
    made = []
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), \
            warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for cls in _all_types():
            if cls.__name__ not in NOT_MADE and _is_native(cls):
                _instances(cls, made)
    return made


def numpy_objects():
    """Owners, views, object arrays, structured and masked arrays, scalars of every type."""
    import numpy
    owner = numpy.arange(24.0).reshape(2, 3, 4)
    made = [owner, owner[1:], owner.T, owner[::-1, ::2], owner[0, 0], owner[...], owner[1:][:1],
            numpy.array(7), numpy.empty((0, 3)), numpy.frombuffer(b"x" * 64),
            numpy.broadcast_to(numpy.arange(3), (5, 3)), numpy.ma.array([1, 2], mask=[0, 1]),
            numpy.array([[1], None, "x"], dtype=object), numpy.array([["a"] * 3] * 2, dtype=object),
            numpy.array(["text", "longer"]), numpy.array([b"x"]), numpy.zeros(3, "M8[s]"),
            numpy.zeros(3, [("a", "i4"), ("b", "O"), ("c", [("d", "O", 2), ("e", "f8")])]),
            numpy.asfortranarray(owner), numpy.matrix([[1, 2]]), numpy.rec.array([(1, "x")]),
            numpy.dtype([("a", "i4"), ("b", "O")]), numpy.random.default_rng(1), numpy.nditer(owner),
            iter(numpy.arange(3)), owner.flat, owner.flags, numpy.vectorize(len)]
    for code in numpy.typecodes["All"]:
        with contextlib.suppress(Exception):
            made += [numpy.zeros(1, code)[0], numpy.zeros(5, code), numpy.dtype(code)]
    made += [numpy.str_("abc"), numpy.bytes_(b"abc"), numpy.void(b"abc"), numpy.str_("\u1234" * 5),
             numpy.zeros(1, [("a", "i4"), ("b", "O")])[0]]
    return made


def pandas_objects():
    import pandas
    frame = pandas.DataFrame({"i": range(50), "f": [0.5] * 50, "s": ["x%d" % i for i in range(50)],
                              "d": pandas.date_range("2020-01-01", periods=50)})
    return [frame, frame["s"], frame.groupby("s"), frame.describe(), pandas.Timestamp("2020-01-01"),
            pandas.Categorical(["a", "b", "a"]), pandas.Index([1, 2]), pandas.NaT, pandas.NA,
            pandas.Timedelta(1), pandas.Period("2020"), pandas.Interval(0, 1), frame.index,
            pandas.array([1, None], dtype="Int64"), frame.iloc[3:5], frame._mgr]


def package_objects():
    made = []
    if "lxml.etree" in sys.modules:
        from lxml import etree, objectify
        root = etree.fromstring("<a x='1'><b>t</b>tail<c/></a>")
        made += [root, list(root), root.attrib, etree.XPath("//b"), etree.XMLParser(),
                 etree.ElementTree(root), root.iter(), objectify.fromstring("<a><b>1</b></a>")]
    if "pydantic" in sys.modules:
        import pydantic
        model = pydantic.create_model("Model", a=(int, 1), b=(list, []))
        made += [model, model(), model(a=5, b=[1, [2]]), model.__pydantic_validator__,
                 model.__pydantic_serializer__, model.__pydantic_core_schema__]
    if "sqlalchemy" in sys.modules:
        import sqlalchemy
        import sqlalchemy.orm
        base = sqlalchemy.orm.declarative_base()
        row = type("Row", (base,), {"__tablename__": "row", "id": sqlalchemy.Column(
            sqlalchemy.Integer, primary_key=True), "text": sqlalchemy.Column(sqlalchemy.Text)})
        engine = sqlalchemy.create_engine("sqlite://")
        base.metadata.create_all(engine)
        session = sqlalchemy.orm.Session(engine)
        session.add_all([row(text="t%d" % i) for i in range(20)])
        session.commit()
        made += [engine, session, session.query(row).all(),
                 session.execute(sqlalchemy.select(row.id, row.text)).all()]
    if "msgpack" in sys.modules:
        import msgpack
        packer, unpacker = msgpack.Packer(), msgpack.Unpacker()
        unpacker.feed(packer.pack([1, [2], {"a": "b"}]))
        made += [packer, unpacker, unpacker.unpack(), msgpack.Timestamp(1, 2)]
    return made


def closure(roots):
    """Everything that is alive: what the collector knows, and what that leads to."""
    seen = {id(o): o for o in itertools.chain(gc.get_objects(), roots)}
    todo = list(seen.values())
    while todo:
        batch, todo = todo, []
        for referent in gc.get_referents(*batch):
            if id(referent) not in seen:
                seen[id(referent)] = referent
                todo.append(referent)
    return seen


def make(packages):
    made = [zoo.make()]
    if packages:
        for name, maker in (("numpy", numpy_objects), ("pandas", pandas_objects)):
            if name in sys.modules:
                made.append(maker())
        made.append(package_objects())
    made.append(instances())
    return made
