"""The graph that is kept between two questions, by ctypes in every interpreter: what
oracle/kept_checks.py checks there."""

import pytest

import inside


@pytest.mark.parametrize("check", inside.checks("kept_checks.py"))
def test_kept(interpreter, check):
    wrong = inside.run(interpreter, "kept_checks.py", check)
    assert not wrong, "\n".join(wrong)
