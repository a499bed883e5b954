"""References by layout alone, and CPython without its binary: tests/oracle/
inferred_checks.py in every interpreter."""

import subprocess

import pytest

import inside
import matrix

SCRIPT = "inferred_checks.py"


@pytest.fixture(scope="module")
def blind(tmp_path_factory):
    """The library that hides memory while the helper runs."""
    path = tmp_path_factory.mktemp("blind") / "blind.so"
    subprocess.run(["cc", "-O1", "-Wall", "-Wextra", "-Werror", "-fno-stack-protector", "-fPIC",
                    "-shared", "-nostdlib", matrix.TESTS / "support" / "blind.c", "-o", path],
                   check=True, env=matrix.ENVIRONMENT)
    return path


@pytest.mark.parametrize("check", inside.checks(SCRIPT))
def test_inferred(interpreter, check, blind):
    wrong = inside.run(interpreter, SCRIPT, check, RME_BLIND=str(blind))
    assert not wrong, "\n".join(wrong)
