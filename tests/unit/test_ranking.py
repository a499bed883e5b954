"""The largest objects, against walking each alone: oracle/ranking_checks.py in every
interpreter."""

import pytest

import inside


@pytest.mark.parametrize("check", inside.checks("ranking_checks.py"))
def test_ranking(interpreter, check):
    wrong = inside.run(interpreter, "ranking_checks.py", check)
    assert not wrong, "\n".join(wrong)
