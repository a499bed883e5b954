"""Objects, frames, names and EXPR as the helper reads them, against what the very
interpreter says: tests/oracle/object_checks.py and frame_checks.py in each of them."""

import pytest

import inside

SCRIPTS = ("object_checks.py", "frame_checks.py")


@pytest.mark.parametrize("script, check", [(script, check) for script in SCRIPTS
                                           for check in inside.checks(script)])
def test_objects(interpreter, script, check):
    wrong = inside.run(interpreter, script, check)
    assert not wrong, "\n".join(wrong)
