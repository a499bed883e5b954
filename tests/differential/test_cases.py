"""Owned references, each kind a case of its own (cases.py)."""

import json
import pathlib
import subprocess

import matrix
import pytest

CASES = pathlib.Path(__file__).resolve().parent / "cases.py"
NAMES = [line.split("(")[0][4:] for previous, line in
         zip([""] + CASES.read_text().splitlines(), CASES.read_text().splitlines())
         if previous == "@case"]

_found = {}


def found(interpreter):
    if interpreter.name not in _found:
        python = interpreter.with_packages or interpreter.path
        done = subprocess.run([str(python), str(CASES), str(matrix.helper_library())],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=300, env=matrix.ENVIRONMENT)
        assert done.returncode == 0, done.stderr.decode()
        _found[interpreter.name] = json.loads(done.stdout.decode())
    return _found[interpreter.name]


@pytest.mark.parametrize("name", NAMES)
def test_owned(interpreter, name):
    assert found(interpreter)[name] == []
