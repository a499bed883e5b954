"""The helper against the interpreters' own words, for every live object of a process that
holds as much as can be imported and made. `./dev differential` compares every object and
prints the table; `./dev test` some thousands of each type.
"""

import collections
import json
import pathlib
import subprocess

import matrix
import pytest

HERE = pathlib.Path(__file__).resolve().parent
CI_LIMIT = 300  # objects of each type

_reports = {}


def report_of(interpreter, whole):
    """What compare.py found in that interpreter, once per session."""
    if interpreter.name not in _reports:
        python = interpreter.with_packages or interpreter.path
        command = [str(python), str(HERE / "compare.py"), str(matrix.helper_library()), "--packages"]
        if not whole:
            command += ["--limit", str(CI_LIMIT)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=1200, env=matrix.ENVIRONMENT)
        assert done.returncode == 0, done.stderr.decode()[-4000:]
        _reports[interpreter.name] = json.loads(done.stdout.decode())
    return _reports[interpreter.name]


@pytest.fixture
def report(interpreter, request):
    return report_of(interpreter, request.config.getoption("--whole"))


def totals(report):
    total = collections.Counter()
    for row in report["rows"].values():
        total.update({key: value for key, value in row.items() if key != "examples"})
    return total


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
    """Never another set of references without the caveat that they are inferred."""
    assert not told(report, "layout_silent")


@pytest.fixture(scope="module", autouse=True)
def table(request):
    """Printed at the end by `./dev differential`."""
    yield
    if not request.config.getoption("--whole"):
        return
    print("\n%-10s %9s %6s | %7s %9s | %10s | %9s %9s" % (
        "python", "objects", "types", "sizes", "estimated", "references", "by layout", "types"))
    for name, one in _reports.items():
        total = totals(one)
        print("%-10s %9d %6d | %7d %9d | %10d | %9d %9d" % (
            one["python"] + ("*" if name == matrix.DEBIAN else ""), one["objects"], one["types"],
            total["size"], total["estimated"], total["traverse"], total["layout"],
            len(told(one, "layout"))))
    print("sizes, references, by layout: objects whose figure differs from sys.getsizeof and\n"
          "gc.get_referents; estimated: a size with a caveat; the last column: types that differ\n"
          "by layout. *: Debian's stripped python3.\n")
    for name, one in _reports.items():
        for kind, row in sorted(told(one, "layout").items()):
            print("  by layout, %s: %s: %d of %d objects, %d lack some, %d have more" % (
                one["python"], kind, row["layout"], row["objects"],
                row.get("layout_missing", 0), row.get("layout_surplus", 0)))
