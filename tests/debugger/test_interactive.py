"""Somebody sits at the terminal: the line of progress, Ctrl-C, completion, the width."""

import os
import re
import signal
import time

import pytest

import matrix
import procstate
import target as targets
import terminal as terminals

RECORDS = 500000

# One interpreter: what is tested here is between a debugger and its user.
pytestmark = [pytest.mark.every_debugger, pytest.mark.slow]
PYTHON = matrix.interpreters()[matrix.DEBIAN] if matrix.DEBIAN in matrix.interpreters() else (
    list(matrix.interpreters().values())[-1])


@pytest.fixture(scope="module")
def heap():
    """One program that all debuggers look at, one after another."""
    with targets.start(PYTHON, "heap.py", str(RECORDS)) as target:
        yield target
        assert target.finish() == {"n": RECORDS}


@pytest.fixture
def terminal(heap, debugger):
    opened = terminals.Terminal(debugger, heap.pid)
    yield opened
    opened.close()


def test_progress(heap, terminal):
    """After a second a line tells how far the walk is; it is erased before the answer."""
    snapshot = terminals.freeze_a_walk(terminal, heap.pid, "py-memory --frame 1 records")
    terminal.child.expect(r"so far \(Ctrl-C ends it\)|working \(Ctrl-C ends it\)", timeout=20)
    os.kill(snapshot, signal.SIGCONT)
    text = terminal.read()
    assert re.search(r"\r\x1b\[K[^\r]*Size +Objects", text), text
    assert "records" in text


@pytest.mark.parametrize("command", ["py-memory --frame 1 records", "py-top --frame 1 records",
                                     "py-mem-print --frame 1"])
def test_ctrl_c(heap, terminal, command):
    before = procstate.maps(heap.pid)
    snapshot = terminals.freeze_a_walk(terminal, heap.pid, command)
    sent = time.monotonic()
    terminal.child.sendintr()
    terminal.child.expect("Interrupted")
    took = time.monotonic() - sent
    assert "Traceback" not in terminal.read()
    assert took < 2, took
    assert not os.path.exists("/proc/%d" % snapshot)
    assert procstate.children(heap.pid) == []
    assert procstate.maps(heap.pid) == before
    assert "dict" in terminal.run("py-memory --frame 1 records[0]")


SLOW_COPY = """
import time
import rememberme.kept as kept
kept.FEWEST = 1
kept.copy = getattr(kept, "copy", kept._copy)
def slow(source, destination, size, interrupted):
    while not interrupted():
        time.sleep(0.01)
    raise KeyboardInterrupt()
"""


@pytest.mark.parametrize("when", ["offered", "wanted"])
def test_ctrl_c_while_the_graph_is_copied(heap, debugger, terminal, when):
    script = "python" if debugger.family == "gdb" else "script"
    terminal.run("%s exec(%r)" % (script, SLOW_COPY))
    before = procstate.maps(heap.pid)
    if when == "wanted":
        terminal.run("%s kept._copy = kept.copy" % script)
        assert '"built"' in terminal.run("py-summary --json")
    terminal.run("%s kept._copy = slow" % script)
    terminal.send("py-summary --json")
    deadline = time.monotonic() + 30
    while not procstate.children_of_tasks(heap.pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(2)  # longer than the walk takes
    terminal.child.sendintr()
    terminal.child.expect("Interrupted")
    assert "Traceback" not in terminal.read()
    assert procstate.children(heap.pid) == []
    assert procstate.maps(heap.pid) == before
    terminal.run("%s kept._copy = kept.copy" % script)
    assert '"built"' in terminal.run("py-summary --json")
    assert '"kept"' in terminal.run("py-summary --json")


def test_a_snapshot_that_is_killed(heap, terminal):
    """By the OOM killer, say: a sentence, and the next command works."""
    snapshot = terminals.freeze_a_walk(terminal, heap.pid, "py-memory --frame 1")
    os.kill(snapshot, signal.SIGKILL)
    text = terminal.read()
    assert "Traceback" not in text
    assert "signal 9" in text or "killed" in text.lower(), text
    assert "dict" in terminal.run("py-memory --frame 1 records[0]")
    assert procstate.children(heap.pid) == []


def test_the_debugger_is_killed(run_target, debugger):
    """In the middle of a walk: the program goes on, and the snapshot ends."""
    target = run_target(PYTHON, "heap.py", str(RECORDS))
    opened = terminals.Terminal(debugger, target.pid)
    snapshot = terminals.freeze_a_walk(opened, target.pid, "py-memory --frame 1")
    opened.kill()
    os.kill(snapshot, signal.SIGCONT)
    assert target.finish() == {"n": RECORDS}
    deadline = time.monotonic() + 30
    while os.path.exists("/proc/%d" % snapshot) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not os.path.exists("/proc/%d" % snapshot)


def test_completion(heap, debugger, terminal):
    if debugger.family != "gdb":
        pytest.skip("lldb offers no completion to a command that reads its own text")
    assert "py-memory --all-threads" in terminal.run("complete py-memory --al")
    assert "py-memory --frame 1 records" in terminal.run("complete py-memory --frame 1 rec")
    assert "py-mem-print" in terminal.run("complete py-mem-")


def test_text_fits_the_terminal(run_target, debugger):
    target = run_target(PYTHON, "zoo.py")
    opened = terminals.Terminal(debugger, target.pid)
    if debugger.family == "gdb":
        opened.run("set height 0")
    rows = [line.rstrip() for line in opened.run("py-top --frame 1 --limit 20").splitlines()
            if "KiB" in line]
    opened.close()
    assert len(rows) >= 10
    assert max(map(len, rows)) <= 100
