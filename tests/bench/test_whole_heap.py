"""The figures of the questions about the whole heap: ratios on the same heap in one run."""

import json
import os
import subprocess

import pytest

import matrix

RECORDS = int(os.environ.get("BENCH_RECORDS", "1110000"))  # nine objects each


@pytest.fixture(scope="module")
def figures():
    interpreter = matrix.interpreters().get("3.12") or next(iter(matrix.interpreters().values()))
    done = subprocess.run(
        [interpreter.path, str(matrix.TESTS / "bench" / "whole_heap.py"), str(RECORDS)],
        stdout=subprocess.PIPE, check=True, timeout=900,
        env=dict(matrix.ENVIRONMENT, RME_LIBRARY=str(matrix.helper_library())))
    found = json.loads(done.stdout.decode())
    print("\npython %s, %d objects, gc.collect() %.3f s" % (
        interpreter.version, found["objects"], found["gc.collect"]))
    for name in found:
        if name not in ("objects", "gc.collect", "bytes"):
            print("%-22s %.3f s = %.2f x gc.collect(), %.0f ns per object" % (
                name, found[name], found[name] / found["gc.collect"],
                found[name] / found["objects"] * 1e9))
    print("%-22s %.1f bytes per object" % ("graph and dominators", found["bytes"] / found["objects"]))
    return found


def test_types(figures):
    assert figures["py-types"] <= 1.5 * figures["gc.collect"]


def test_dominators(figures):
    assert figures["graph and dominators"] <= 6 * figures["gc.collect"]
    # PyHeap's retained heap takes 38 us per object
    assert figures["graph and dominators"] / figures["objects"] <= 38e-6 / 50


def test_memory(figures):
    assert figures["bytes"] / figures["objects"] <= 48
