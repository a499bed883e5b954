"""The questions about the whole heap by ctypes in every interpreter: what
oracle/heap_checks.py checks there."""

import pytest

import inside


@pytest.mark.parametrize("check", inside.checks("heap_checks.py"))
def test_heap(interpreter, check):
    wrong = inside.run(interpreter, "heap_checks.py", check)
    assert not wrong, "\n".join(wrong)
