"""The helper by ctypes in every interpreter: what oracle/checks.py checks there."""

import json
import re
import subprocess

import pytest

import matrix

CHECKS = re.findall(r"^@check\ndef (\w+)", (matrix.TESTS / "oracle" / "checks.py").read_text(), re.M)


@pytest.mark.parametrize("check", CHECKS)
def test_helper(interpreter, check):
    done = subprocess.run(
        [interpreter.path, str(matrix.TESTS / "oracle" / "checks.py"), check],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300,
        env=dict(matrix.ENVIRONMENT, RME_LIBRARY=str(matrix.helper_library()), PYTHONHASHSEED="0"))
    errors = done.stderr.decode(errors="replace")
    assert done.returncode == 0, "ended with %d:\n%s" % (done.returncode, errors[-3000:])
    wrong = json.loads(done.stdout.decode().splitlines()[-1])
    assert not wrong, "\n".join(wrong)
