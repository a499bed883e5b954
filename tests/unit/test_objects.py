"""Objects, frames, names and EXPR as the helper reads them, against what the very
interpreter says: tests/oracle/object_checks.py in each of them."""

import pytest

import inside

SCRIPT = "object_checks.py"


@pytest.mark.parametrize("check", inside.checks(SCRIPT))
def test_objects(interpreter, check):
    wrong = inside.run(interpreter, SCRIPT, check)
    assert not wrong, "\n".join(wrong)
