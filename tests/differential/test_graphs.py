"""Random graphs over all kinds of containers (graphs.py): the helper equals the oracle."""

import json
import pathlib
import re
import subprocess

import hypothesis
import matrix
import pytest
from hypothesis import strategies

PROGRAM = pathlib.Path(__file__).resolve().parent / "graphs.py"
KINDS = re.findall(r'^    "([a-z ]+)": ', PROGRAM.read_text(), re.M)

nodes = strategies.lists(
    strategies.tuples(strategies.sampled_from(KINDS),
                      strategies.lists(strategies.integers(0, 40), max_size=6)),
    min_size=1, max_size=40)
graphs = strategies.fixed_dictionaries(
    {"nodes": nodes, "roots": strategies.lists(strategies.integers(0, 40), min_size=1, max_size=3)})


@pytest.fixture(scope="module")
def check():
    """check(interpreter, graph): the differences, from one process per interpreter."""
    running = {}

    def ask(interpreter, graph):
        process = running.get(interpreter.name)
        if process is None:
            process = running[interpreter.name] = subprocess.Popen(
                [str(interpreter.path), str(PROGRAM), str(matrix.helper_library())],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=matrix.ENVIRONMENT)
        try:
            process.stdin.write(json.dumps(graph).encode() + b"\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = b""
        if not line:
            del running[interpreter.name]
            return ["the interpreter ended with %s" % process.wait()]
        return json.loads(line.decode())

    yield ask
    for process in running.values():
        process.stdin.close()
        process.wait()


def test_random_graphs(interpreter, check, request):
    whole = request.config.getoption("--whole")

    @hypothesis.settings(max_examples=1500 if whole else 60, deadline=None, database=None,
                         derandomize=not whole,
                         suppress_health_check=list(hypothesis.HealthCheck))
    @hypothesis.given(graphs)
    def equal(graph):
        assert check(interpreter, graph) == []

    equal()


def test_every_kind(interpreter, check):
    """One of each kind that leads to two others and to itself where it can."""
    for kind in KINDS:
        graph = {"nodes": [["text", []], ["list", [0]], [kind, [0, 1, 1, 2]]], "roots": [2, 1]}
        assert check(interpreter, graph) == [], kind
