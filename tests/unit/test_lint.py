"""./dev lint: formatting, unused names, the syntax that the oldest debuggers' Python knows."""

import subprocess

import matrix


def test_lint():
    done = subprocess.run(["./dev", "lint"], cwd=str(matrix.TESTS.parent),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=120)
    assert done.returncode == 0, done.stdout.decode(errors="replace")
