"""The checks of the helper once more, on its sources built with ASan and UBSan: the oldest
and the newest interpreter, for what they read differs most."""

import subprocess

import pytest

import inside
import matrix

SCRIPTS = ("checks.py", "heap_checks.py", "image_checks.py")
LIBRARY = matrix.BUILD / "sanitized" / "librememberme.so"
# The helper's own fault guard must see the faults of the debuggee's damaged objects.
OPTIONS = "detect_leaks=0:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:" \
          "allow_user_segv_handler=1"
# ASan keeps such frames by thread, and knows nothing of the threads that the helper makes.
THREADS = ("snapshot", "two_threads")
# A flat copy stands alone, which what ASan is linked into does not; nor does its memory grow as
# the helper's own.
ALONE = ("every_kind_flat", "memory_is_given_back")


def _runtime():
    return subprocess.check_output(["gcc", "-print-file-name=libasan.so"]).decode().strip()


def _oldest_and_newest():
    found = [i for i in matrix.interpreters().values() if not i.is_debians]
    return [found[0], found[-1]] if found else list(matrix.interpreters().values())


@pytest.mark.parametrize("python", _oldest_and_newest(), ids=lambda i: i.name)
@pytest.mark.parametrize("script, check", [(script, check) for script in SCRIPTS
                                           for check in inside.checks(script)
                                           if check not in ALONE])
def test_sanitized(python, script, check):
    options = OPTIONS + ":detect_stack_use_after_return=%d" % (check not in THREADS)
    wrong = inside.run(python, script, check, timeout=600, LD_PRELOAD=_runtime(),
                       RME_LIBRARY=str(LIBRARY), ASAN_OPTIONS=options, RME_ROUNDS="200")
    assert not wrong, "\n".join(wrong)
