"""`allocated` is what the process grew by: in blocks of pymalloc and malloc, and roughly in
pages. `./dev differential` makes 300,000 objects of the commonest kinds and prints the
table, `./dev test` a tenth of that."""

import json
import pathlib
import subprocess

import matrix
import pytest

PROGRAM = pathlib.Path(__file__).resolve().parent / "allocations.py"
COMMON = ("instances", "instances with __slots__", "dataclasses", "small dicts", "strings")


def run(interpreter, count, **environment):
    done = subprocess.run(
        [str(interpreter.path), str(PROGRAM), str(matrix.helper_library()), str(count)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=600,
        env=dict(matrix.ENVIRONMENT, **environment))
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout.decode())


@pytest.fixture
def growth(interpreter, pytestconfig):
    growths = pytestconfig.differential_growths
    if interpreter.name not in growths:
        whole = pytestconfig.getoption("--whole")
        growths[interpreter.name] = run(interpreter, 300000 if whole else 30000)
    return growths[interpreter.name]


def too_far(growth):
    """Kinds that are not within 2 % of what the allocators gave out. (A new class makes its
    base's table of subclasses grow, which is the base's: up to 4 %.)"""
    return {kind: row for kind, row in growth.items() if abs(row["allocated"] / row["grown"] - 1)
            > (0.04 if "classes" in kind and kind != "dataclasses" else 0.02)}


def test_blocks(growth):
    assert too_far(growth) == {}
    assert {kind: row["caveats"] for kind, row in growth.items() if row["caveats"]} == {}


def test_without_pymalloc(interpreter):
    """The blocks of malloc tell their sizes, and a caveat that they are another's."""
    growth = run(interpreter, 30000, PYTHONMALLOC="malloc")
    many = {kind: row for kind, row in growth.items() if row["count"] > 2000}
    assert len(many) > 20 and too_far(many) == {}
    assert {kind: row["caveats"] for kind, row in growth.items()
            if row["caveats"] != ["allocator"]} == {}


def test_pages(growth, request):
    """What the process grew by holds it: pools of pymalloc are not filled to the last byte
    (those of 4 KiB, up to 3.9, waste up to 2.4 % on strings)."""
    if not request.config.getoption("--whole"):
        pytest.skip("too few pages for a figure: with --whole")
    for kind in COMMON:
        row = growth[kind]
        assert -0.03 < row["allocated"] / row["resident"] - 1 < 0.01, kind


def test_getsizeof_would_not_do(growth, interpreter):
    """Since 3.11 getsizeof does not see the attributes of an instance."""
    row = growth["instances"]
    assert (row["size"] < 0.7 * row["grown"]) == (interpreter.minor >= (3, 11))
