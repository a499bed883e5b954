"""An image that answers many questions, by ctypes in every interpreter: what
oracle/image_checks.py checks there."""

import pytest

import inside


@pytest.mark.parametrize("check", inside.checks("image_checks.py"))
def test_image(interpreter, check):
    wrong = inside.run(interpreter, "image_checks.py", check)
    assert not wrong, "\n".join(wrong)
