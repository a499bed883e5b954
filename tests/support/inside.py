"""Runs one check of a script of tests/oracle inside an interpreter, with the helper."""

import json
import re
import subprocess

import matrix


def checks(script):
    """The names of a script's checks, without running it here."""
    text = (matrix.TESTS / "oracle" / script).read_text()
    return re.findall(r"^@check\ndef (\w+)", text, re.M)


def run(interpreter, script, check, timeout=300, **environment):
    """The differences that the check found."""
    done = subprocess.run(
        [interpreter.path, str(matrix.TESTS / "oracle" / script), check],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout,
        env={**matrix.ENVIRONMENT, "RME_LIBRARY": str(matrix.helper_library()),
             "PYTHONHASHSEED": "0", **environment})
    errors = done.stderr.decode(errors="replace")
    assert done.returncode == 0, "ended with %d:\n%s" % (done.returncode, errors[-3000:])
    return json.loads(done.stdout.decode().splitlines()[-1])
