"""The debugger ends at a random moment, with commands back to back: the process goes on as if
there had been none. RME_MOMENTS says how many moments of each kind, for a long run."""

import os
import random
import signal
import subprocess
import time

import pytest

import matrix
import procstate
from counting import counting

MOMENTS = int(os.environ.get("RME_MOMENTS", "6"))
COMMANDS = {"small": "py-top", "heap": "py-retained"}
BEGUN = b"the commands begin"
# What answers at a stop is made once: anew for each command
ANEW = "from rememberme import session; getattr(session, 'image', None) and session.image.drop()"


def start(debugger, pid, command):
    plugin = str(matrix.PLUGIN[debugger.family])
    if debugger.family == "gdb":
        argv = [debugger.path, "-nx", "-q", "--readnever", "-ex", "set confirm off", "-ex",
                "source " + plugin, "-p", str(pid), "-ex", "python print(%r, flush=True)" %
                BEGUN.decode()] + ["-ex", command, "-ex", "python " + ANEW] * 200
    else:
        argv = [debugger.path, "-x", "-b", "-o", "command script import " + plugin, "-p", str(pid),
                "-o", "script print(%r, flush=True)" % BEGUN.decode()]
        argv += ["-o", command, "-o", "script " + ANEW] * 200
    started = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=dict(matrix.ENVIRONMENT, REMEMBERME_LIBDIR=str(matrix.helper_library().parent)))
    for line in started.stdout:
        if line.strip() == BEGUN:
            break
    return started


def end(debugger, number):
    debugger.send_signal(number)
    try:
        debugger.communicate(timeout=2)  # gdb goes on with what it was told, after a HUP
    except subprocess.TimeoutExpired:
        debugger.kill()
        debugger.communicate()


def left(pid, before):
    return procstate.children(pid) != [] or procstate.maps(pid) != before


@pytest.mark.slow
@pytest.mark.parametrize("kind", COMMANDS)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_the_debugger_ends(tmp_path, debugger, number, kind):
    moments = random.Random(number)
    with counting(tmp_path / "count", "waits.py") as program:
        before = procstate.maps(program.pid)
        for _ in range(MOMENTS):
            started = start(debugger, program.pid, COMMANDS[kind])
            time.sleep(moments.uniform(0, 0.5))
            end(started, number)
            program.wait()
            deadline = time.monotonic() + 5
            while left(program.pid, before) and time.monotonic() < deadline:
                time.sleep(0.05)
            assert procstate.children(program.pid) == []
            assert procstate.maps(program.pid) == before
