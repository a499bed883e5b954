"""Somebody sits at the terminal: the line of progress, Ctrl-C, completion, the width."""

import contextlib
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
PYTHON = matrix.one_interpreter()


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
    assert snapshot not in procstate.snapshots(heap.pid)
    assert procstate.children(heap.pid) == []
    assert procstate.maps(heap.pid) == before
    assert "dict" in terminal.run("py-memory --frame 1 records[0]")


def test_ctrl_c_leaves_the_image(heap, terminal):
    """A walk that ends when it is told to: what was built before is there still."""
    assert '"built"' in terminal.run("py-summary --json")
    snapshot, = procstate.snapshots(heap.pid)
    for _ in range(5):
        terminal.send("py-mem-print --frame 1 --depth 0 --limit 0 --json")
        time.sleep(0.3)
        terminal.child.sendintr()
        if "Interrupted" in terminal.read():
            break
    assert procstate.snapshots(heap.pid) == [snapshot]
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
    with contextlib.suppress(ProcessLookupError):  # it may have ended at once
        os.kill(snapshot, signal.SIGCONT)
    assert target.finish() == {"n": RECORDS}
    assert procstate.gone(snapshot)


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
            if re.match(r"\s+[\d,.]+[KM]iB ", line)]  # a note may be longer
    opened.close()
    assert len(rows) >= 10
    assert max(map(len, rows)) <= 100
