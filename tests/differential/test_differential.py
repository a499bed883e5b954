"""The helper against the interpreters' own words, for every live object of a process that
holds as much as can be imported and made. `./dev differential` compares every object and
prints the table; `./dev test` some thousands of each type.
"""

import json
import pathlib
import subprocess

import matrix
import pytest

HERE = pathlib.Path(__file__).resolve().parent
CI_LIMIT = 300  # objects of each type


@pytest.fixture
def report(interpreter, pytestconfig):
    """What compare.py found in that interpreter, once per session."""
    whole = pytestconfig.getoption("--whole")
    reports = pytestconfig.differential_reports
    if interpreter.name not in reports:
        python = interpreter.with_packages or interpreter.path
        command = [str(python), str(HERE / "compare.py"), str(matrix.helper_library()), "--packages"]
        if not whole:
            command += ["--limit", str(CI_LIMIT)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=1200, env=matrix.ENVIRONMENT)
        assert done.returncode == 0, done.stderr.decode()[-4000:]
        reports[interpreter.name] = json.loads(done.stdout.decode())
    return reports[interpreter.name]


def told(report, *keys):
    """The types with such differences, with examples."""
    return {name: row for name, row in report["rows"].items() if any(row.get(k) for k in keys)}


def test_own_sizes(report):
    """sys.getsizeof's figure, or an estimate that says so; none of these for a type of the
    interpreter or its standard library."""
    assert report["objects"] > 10000 and report["types"] > 500
    assert not told(report, "size")
    third_party = ("numpy", "pandas", "lxml", "pydantic", "pydantic_core", "sqlalchemy",
                   "msgpack", "greenlet", "markupsafe", "universe")
    assert {name.split(".")[0] for name in told(report, "estimated")} <= set(third_party)


def test_references_by_traverse(report):
    assert not told(report, "traverse")


def test_short_ways_of_the_walk_agree(report):
    assert not told(report, "disagrees")


def test_few_objects_changed_meanwhile(report):
    assert report["changed"] * 1000 < report["objects"]


def test_references_by_layout(report):
    """Never another set of references without the caveat that they are inferred; and no
    difference for the types that most objects are of."""
    assert not told(report, "layout_silent")
    names = ("list tuple dict set frozenset cell function method code type generator coroutine "
             "async_generator int str float bytes weakref property staticmethod classmethod "
             "traceback frame builtin_function_or_method KeyError ValueError").split()
    well_known = {"builtins." + name for name in names} | {
        "collections.deque", "collections.OrderedDict", "collections.defaultdict", "abc.ABCMeta",
        "zoo.Plain", "zoo.Slots", "zoo.SlotsAndDict", "zoo.ListSub", "zoo.DictSub", "zoo.Error",
        "functools.partial", "functools._lru_cache_wrapper", "numpy.ndarray"}
    assert not well_known & set(told(report, "layout"))
