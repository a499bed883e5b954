"""At a terminal: progress while a walk takes long, Ctrl-C, completion, the pager."""

import os
import signal
import threading
import time

import pytest

import matrix
import procstate

pexpect = pytest.importorskip("pexpect")

PROMPT = {"gdb": r"\(gdb\) $", "lldb": r"\(lldb\) (\x1b\[[0-9;]*[A-Za-z])*$"}
# One interpreter is enough: what is tested here is between a debugger and its user.
INTERPRETER = [i for name, i in matrix.interpreters().items() if name in ("3.12", matrix.DEBIAN)][:1]

pytestmark = [pytest.mark.every_debugger,
              pytest.mark.parametrize("python", INTERPRETER, ids=[i.name for i in INTERPRETER])]


class Terminal:
    def __init__(self, debugger):
        self.prompt = PROMPT[debugger.family]
        environment = dict(matrix.ENVIRONMENT, TERM="xterm",
                           REMEMBERME_LIBDIR=str(matrix.helper_library().parent))
        arguments = ["-nx", "-q", "-iex", "set debuginfod enabled off"] if (
            debugger.family == "gdb") else ["-x"]
        self.child = pexpect.spawn(debugger.path, arguments, env=environment, timeout=90,
                                   encoding="utf-8", codec_errors="replace", dimensions=(50, 100))
        self.child.expect(self.prompt)
        plugin = matrix.PLUGIN[debugger.family]
        if debugger.family == "gdb":
            self.run("set confirm off")
            self.run("source %s" % plugin)
        else:
            self.run("settings set auto-confirm true")
            self.run("command script import %s" % plugin)

    def run(self, text):
        """What a command prints."""
        self.child.sendline(text)
        self.child.expect(self.prompt)
        return self.child.before

    def attach(self, debugger, pid):
        self.run("attach %d" % pid if debugger.family == "gdb" else "process attach -p %d" % pid)

    def close(self):
        self.child.sendline("detach" if "gdb" in self.prompt else "process detach")
        self.child.sendline("quit")
        self.child.close(force=True)


@pytest.fixture
def terminal(debugger):
    made = Terminal(debugger)
    yield made
    made.close()


class Freezer(threading.Thread):
    """Stops the snapshot of a process as soon as there is one, so that its walk takes
    as long as the test needs."""

    def __init__(self, pid):
        super().__init__()
        self.pid = pid
        self.frozen = None
        self.ended = threading.Event()

    def run(self):
        deadline = time.monotonic() + 60
        while self.frozen is None and time.monotonic() < deadline and not self.ended.is_set():
            for child in procstate.children_of_tasks(self.pid):
                os.kill(child, signal.SIGSTOP)
                self.frozen = child
                return


def freeze_a_walk(terminal, target, command):
    """Runs the command until its snapshot is caught."""
    for _ in range(5):
        freezer = Freezer(target.pid)
        freezer.start()
        terminal.child.sendline(command)
        while freezer.is_alive():
            freezer.join(0.05)
            if terminal.child.expect([terminal.prompt, pexpect.TIMEOUT], timeout=0) == 0:
                break  # too fast: it has ended before
        freezer.ended.set()
        freezer.join()
        if freezer.frozen:
            return freezer.frozen
    pytest.fail("no snapshot was seen")


def test_progress_and_ctrl_c(run_target, terminal, debugger, python):
    target = run_target(python, "big.py", "1500000")
    terminal.attach(debugger, target.pid)
    before = procstate.footprint(target.pid)
    for command in ("py-memory --frame 1", "py-top --frame 1 large"):
        snapshot = freeze_a_walk(terminal, target, command)
        terminal.child.expect(r"\(Ctrl-C ends it\)", timeout=20)
        started = time.monotonic()
        terminal.child.sendintr()
        terminal.child.expect(terminal.prompt, timeout=20)
        assert time.monotonic() - started < 2.0
        assert "nterrupted" in terminal.child.before
        assert "Traceback" not in terminal.child.before
        assert not os.path.exists("/proc/%d" % snapshot)
        assert procstate.children(target.pid) == []
        assert "small" in terminal.run("py-top --frame 1")
    after = procstate.footprint(target.pid)
    assert after["maps"] == before["maps"] and after["descriptors"] == before["descriptors"]
    terminal.run("detach" if debugger.family == "gdb" else "process detach")
    assert target.finish() == {"small": [1, 2, 3], "large": 1500000}


def test_a_snapshot_that_is_killed(run_target, terminal, debugger, python):
    """By the OOM killer, say: a sentence, and the next command works."""
    target = run_target(python, "big.py", "1500000")
    terminal.attach(debugger, target.pid)
    snapshot = freeze_a_walk(terminal, target, "py-memory --frame 1")
    os.kill(snapshot, signal.SIGKILL)
    terminal.child.expect(terminal.prompt)
    assert "Traceback" not in terminal.child.before
    assert "signal 9" in terminal.child.before or "killed" in terminal.child.before.lower()
    assert "small" in terminal.run("py-top --frame 1")
    assert procstate.children(target.pid) == []


def test_the_debugger_is_killed(run_target, debugger, python):
    """The snapshot dies with the thread that was stopped, or is alone and ends; the
    program is never harmed by it."""
    target = run_target(python, "big.py", "1500000")
    terminal = Terminal(debugger)
    terminal.attach(debugger, target.pid)
    snapshot = freeze_a_walk(terminal, target, "py-memory --frame 1")
    os.kill(terminal.child.pid, signal.SIGKILL)
    terminal.child.close(force=True)
    os.kill(snapshot, signal.SIGCONT)
    assert target.finish() == {"small": [1, 2, 3], "large": 1500000}
    deadline = time.monotonic() + 30
    while os.path.exists("/proc/%d" % snapshot) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not os.path.exists("/proc/%d" % snapshot)


def test_completion(run_target, terminal, debugger, python):
    if debugger.family != "gdb":
        pytest.skip("lldb offers no completion to a command that reads its own text")
    target = run_target(python, "seed.py")
    terminal.attach(debugger, target.pid)
    listed = terminal.run("complete py-memory --al")
    assert "py-memory --all-threads" in listed
    assert "py-memory --json" in terminal.run("complete py-memory --j")
    assert "py-mem-print" in terminal.run("complete py-mem-")


def test_text_fits_the_terminal(run_target, terminal, debugger, python):
    target = run_target(python, "zoo.py")
    terminal.attach(debugger, target.pid)
    if debugger.family == "gdb":
        terminal.run("set height 0")
    text = terminal.run("py-top --frame 1 --limit 20")
    lines = [line.rstrip() for line in text.splitlines()[1:]]
    rows = [line for line in lines if "KiB" in line]
    assert len(rows) >= 10
    assert max(map(len, rows)) <= 100
