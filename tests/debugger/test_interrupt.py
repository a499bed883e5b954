"""Somebody sits at the terminal: the line of progress, and Ctrl-C."""

import re
import time

import pexpect
import pytest

import matrix
import procstate
import target as targets

RECORDS = 1500000
DELAYS = (0.5, 0.25, 0.12, 0.06, 0.03)  # seconds until Ctrl-C; the first may come too late

pytestmark = [pytest.mark.every_debugger, pytest.mark.slow]


class Terminal:
    def __init__(self, debugger, pid):
        argv = (["-nx", "-iex", "set debuginfod enabled off"] if debugger.family == "gdb"
                else ["-x"])
        self.prompt = r"\(gdb\) " if debugger.family == "gdb" else r"\(lldb\) "
        load = ("source %s" if debugger.family == "gdb" else "command script import %s")
        environment = dict(matrix.ENVIRONMENT, TERM="xterm",
                           REMEMBERME_LIBDIR=str(matrix.helper_library().parent))
        self.child = pexpect.spawn(debugger.path, argv + ["-p", str(pid)], env=environment,
                                   encoding="utf-8", timeout=90, dimensions=(50, 120))
        self.child.expect(self.prompt)
        self.run(load % matrix.PLUGIN[debugger.family])

    def send(self, command):
        self.child.sendline(command)

    def run(self, command):
        self.send(command)
        return self.read()

    def read(self):
        """Everything up to the end of the command before. The prompt does not tell it:
        lldb draws it more than once."""
        self.child.sendline("help quit")
        self.child.expect("(?i)(exit gdb|quit the lldb debugger)")
        text = self.child.before
        self.child.expect(self.prompt)
        return text

    def close(self):
        self.child.close(force=True)


@pytest.fixture(scope="module")
def heap():
    """One program that all debuggers look at, one after another."""
    with targets.start(matrix.interpreters()[matrix.DEBIAN], "heap.py", str(RECORDS)) as target:
        yield target
        assert target.finish() == {"n": RECORDS}


@pytest.fixture
def terminal(heap, debugger):
    opened = Terminal(debugger, heap.pid)
    yield opened
    opened.run("detach")
    opened.close()


def test_progress(heap, terminal):
    text = terminal.run("py-top --frame 1 records --limit 3")
    drawn = re.findall(r"([\d,]+) objects, [\d.]+MiB so far \(Ctrl-C ends it\)", text)
    assert drawn, text
    counts = [int(count.replace(",", "")) for count in drawn]
    assert counts == sorted(counts)
    # The line is erased before the answer is written
    assert re.search(r"\r\x1b\[K[^\r]*Size +Objects", text.rpartition("so far")[2]), text


def test_ctrl_c(heap, terminal):
    before = maps(heap.pid)
    for delay in DELAYS:
        terminal.send("py-memory --frame 1 records")
        time.sleep(delay)
        sent = time.monotonic()
        terminal.child.sendintr()
        found = terminal.child.expect(["Interrupted", "Without classes"])
        took = time.monotonic() - sent
        terminal.read()
        assert maps(heap.pid) == before
        if found == 0:
            break
    assert found == 0, "every walk was over before Ctrl-C"
    assert took < 3, took
    assert procstate.children(heap.pid) == []
    assert "dict" in terminal.run("py-memory --frame 1 records[0]")


def maps(pid):
    with open("/proc/%d/maps" % pid) as opened:
        return opened.read()
