"""Calls in a traced process: the result, and that nothing else is different."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from rememberme import elf, ptrace
from rememberme.errors import CallFailed, Ended

ATTACH, DETACH, CONT = 16, 17, 7

# Sleeps in a system call that the kernel restarts; says which signals came
PROGRAM = """
import signal, sys, time
signal.signal(signal.SIGUSR1, lambda *_: print("usr1", flush=True))
print("ready", flush=True)
end = time.monotonic() + 1.0
while time.monotonic() < end:
    time.sleep(0.5)
print("done", flush=True)
"""


class Traced:
    def __init__(self):
        self.process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"ready\n"
        time.sleep(0.1)
        self.pid = self.process.pid
        ptrace._ptrace(ATTACH, self.pid, None, None)
        os.waitpid(self.pid, ptrace._WALL)
        self.memory = open("/proc/%d/mem" % self.pid, "r+b", buffering=0)
        self.thread = ptrace.StoppedThread(self.pid, self.pid, self.read, self.write)

    def call(self, address, *arguments):
        try:
            return self.thread.call(address, *arguments)
        finally:
            self.thread.finish()

    def read(self, address, size):
        return os.pread(self.memory.fileno(), size, address)

    def write(self, address, data):
        os.pwrite(self.memory.fileno(), data, address)

    def symbol(self, name):
        with open("/proc/%d/maps" % self.pid) as maps:
            images = elf.images(elf.parse_maps(maps.read()), self.read)
        libc = [image for image in images if "/libc.so" in image.path]
        return elf.find_symbol(self.read, libc, name)

    def state(self):
        pid = self.pid
        xstate = ptrace._regset(pid, ptrace._NT_X86_XSTATE, ptrace._XSTATE_MAX)
        with open("/proc/%d/status" % pid) as status:
            masks = [line for line in status if line.startswith(("SigP", "SigB", "SigI", "SigC", "Shd"))]
        rsp = dict(zip(ptrace._NAMES, ptrace._REGISTERS.unpack(ptrace._registers(pid))))["rsp"]
        return (ptrace._registers(pid), xstate, ptrace._siginfo(pid), masks,
                self.read(rsp - 4096, 8192))

    def finish(self):
        """What the program prints when it goes on to its end."""
        ptrace._ptrace(DETACH, self.pid, None, None)
        output, _ = self.process.communicate(timeout=10)
        assert self.process.returncode == 0
        return output


@pytest.fixture
def traced():
    found = Traced()
    yield found
    if found.process.poll() is None:
        found.process.kill()
    found.process.communicate()


def test_call_returns_and_nothing_changes(traced):
    getppid, labs = traced.symbol("getppid"), traced.symbol("labs")
    before = traced.state()
    assert traced.call(getppid) == os.getpid()
    after = traced.state()
    assert before[:4] == after[:4]
    assert traced.call(labs, -5) == 5
    assert traced.finish() == b"done\n"


def test_six_arguments_reach_mmap(traced):
    address = traced.call(traced.symbol("mmap"), 0, 8192, 3, 0x22, -1, 0)
    traced.write(address, b"x" * 8192)
    assert traced.read(address, 8192) == b"x" * 8192
    assert traced.call(traced.symbol("munmap"), address, 8192) == 0
    assert traced.finish() == b"done\n"


def test_a_call_that_faults(traced):
    before = traced.state()
    for address in (0x10, traced.symbol("abort")):
        with pytest.raises(CallFailed) as caught:
            traced.call(address)
        assert "SIG" in caught.value.message
    after = traced.state()
    # abort() has a lock of its own, and SIGABRT is not pending
    assert before[:4] == after[:4]
    assert traced.finish() == b"done\n"


def test_signals_wait(traced):
    """A signal that comes during a call is delivered when the program goes on."""
    os.kill(traced.pid, signal.SIGUSR1)
    before = traced.state()
    assert traced.call(traced.symbol("getppid")) == os.getpid()
    assert traced.state()[:4] == before[:4]
    assert traced.finish() == b"usr1\ndone\n"


def test_a_thread_that_is_not_stopped():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with pytest.raises(CallFailed):
        ptrace.StoppedThread(process.pid, process.pid, None, None).call(0)
    process.communicate(b"\n")


def test_a_process_that_dies_in_the_call(traced):
    for _ in range(2):  # what cleans up is told the same
        with pytest.raises(Ended) as caught:
            traced.call(traced.symbol("_exit"), 7)
        assert caught.value.message.startswith("Process %d has ended" % traced.pid)
    assert traced.process.wait() == 7  # its status is left to whoever waits for it


def test_ctrl_c_waits_for_the_end_of_the_call(traced, monkeypatch):
    wait = traced.thread._wait

    def interrupted_wait():
        # As in gdb, whose other threads block it
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        return wait()

    monkeypatch.setattr(traced.thread, "_wait", interrupted_wait)
    before = traced.state()
    with pytest.raises(KeyboardInterrupt):
        with ptrace.sigint_held():
            assert traced.call(traced.symbol("getppid")) == os.getpid()
            assert ptrace.sigint_pending()
    assert not ptrace.sigint_pending()
    assert traced.state()[:4] == before[:4]
    assert traced.finish() == b"done\n"


def test_the_time_limit(traced, monkeypatch):
    monkeypatch.setattr(ptrace, "_TIME_LIMIT", 0.2)
    before = traced.state()
    started = time.monotonic()
    with pytest.raises(CallFailed):
        traced.call(traced.symbol("pause"))
    assert time.monotonic() - started < 2
    assert traced.state()[:4] == before[:4]
    assert traced.finish() == b"done\n"
