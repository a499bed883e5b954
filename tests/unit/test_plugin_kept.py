"""Which graph is still good: threads that have run, files that have changed, what became of
the question before."""

import os
import signal
import struct
import subprocess
import sys
import time

import pytest

from rememberme import adapter, kept, request
from rememberme.errors import CallFailed, Failure
from rememberme.settings import Settings

HEAD = struct.pack("<IIQ", 1, 24, 100) + b"the head"
DATA = b"x" * 100


@pytest.fixture(autouse=True)
def nothing_kept(tmp_path, monkeypatch):
    library = tmp_path / "library.so"
    library.write_bytes(b"")
    monkeypatch.setattr(kept.library, "find", lambda _: str(library))
    yield
    kept.drop()


@pytest.fixture
def sleeper():
    """A process of two threads, one of which works now and then."""
    process = subprocess.Popen([sys.executable, "-c", "import threading, time\n"
                                "def work():\n    while 1: time.sleep(0.001)\n"
                                "threading.Thread(target=work).start()\n"
                                "print(1, flush=True)\ntime.sleep(60)"], stdout=subprocess.PIPE)
    process.stdout.readline()
    yield process.pid
    process.kill()
    process.wait()
    process.stdout.close()


def stop(pid):
    os.kill(pid, signal.SIGSTOP)
    deadline = time.monotonic() + 10
    while kept._threads(pid) is None and time.monotonic() < deadline:
        time.sleep(0.01)


def test_threads_that_have_run(sleeper):
    assert kept._threads(sleeper) is None
    stop(sleeper)
    stopped = kept._threads(sleeper)
    time.sleep(0.2)
    assert stopped is not None and kept._threads(sleeper) == stopped
    os.kill(sleeper, signal.SIGCONT)
    time.sleep(0.05)
    stop(sleeper)
    again = kept._threads(sleeper)
    assert again is not None and again != stopped
    assert again[0] == stopped[0]  # when it began


def test_the_pid_of_a_child(sleeper):
    assert kept._pid_here(os.getpid(), sleeper) == sleeper
    assert kept._pid_here(os.getpid(), os.getpid()) is None
    assert kept._pid_here(sleeper, 1) is None


def ask(target, graph="built", query=request.WHY, keep="on", data=DATA, error=None):
    """As session.answer does it for a question to undump; returns what it was told:
    (fewest objects, head, position of the file)."""
    settings = Settings()
    settings.set("inject", "off")
    settings.set("keep", keep)
    asked = request.Request(query)
    try:
        with kept.Keeping(target, settings, asked) as keeping:
            fd = keeping.descriptor()
            at = None
            if fd is not None:
                at = os.lseek(fd, 0, os.SEEK_CUR)
                if asked.keep_from:
                    os.write(fd, HEAD + data)
            if error is not None:
                raise error
            keeping.answered({"graph": graph})
    except BaseException as caught:
        assert caught is error
    return asked.keep_from, asked.kept, at


NEW, TAKEN = (kept.FEWEST, b"", 0), (0, HEAD, len(HEAD))


@pytest.fixture
def core(tmp_path):
    path = tmp_path / "core"
    path.write_bytes(b"core")
    (tmp_path / "python").write_bytes(b"")
    return adapter.Target(adapter.CORE, core_path=str(path), files=[str(tmp_path / "python")])


def test_taken_again_and_again(core):
    assert [ask(core, "kept" if i else "built") for i in range(3)] == [NEW, TAKEN, TAKEN]
    assert ask(core, query=request.FRAMES) == (0, b"", None)
    assert ask(core, "kept") == TAKEN


@pytest.mark.parametrize("options, then", [
    ({"graph": None}, NEW),          # the question had none
    ({"data": DATA[:-1]}, NEW),      # cut off
    ({"error": Failure("no-such-name", "no x")}, NEW),
    ({"keep": "off"}, NEW)])
def test_not_kept(core, options, then):
    ask(core, **options)
    assert ask(core) == then


@pytest.mark.parametrize("options, then", [
    ({"error": Failure("no-such-name", "no x")}, TAKEN),
    ({"error": CallFailed("it did not return")}, NEW),
    ({"error": KeyboardInterrupt()}, NEW),
    ({"graph": "built"}, NEW),       # the helper did not take it
    ({"keep": "off"}, NEW)])
def test_dropped(core, options, then):
    ask(core)
    ask(core, **dict({"graph": "kept"}, **options))
    assert ask(core) == then


@pytest.mark.parametrize("name", ["core", "python", "library.so"])
def test_files_that_change(core, tmp_path, name):
    ask(core)
    (tmp_path / name).write_bytes(b"another")
    assert ask(core) == NEW


def test_a_remote_process():
    target = adapter.Target(adapter.LIVE, pid=os.getpid(), local=False)
    assert ask(target) == (0, b"", None)


def test_a_process_that_runs(sleeper):
    assert ask(adapter.Target(adapter.LIVE, pid=sleeper, local=True)) == (0, b"", None)
    stop(sleeper)
    target = adapter.Target(adapter.LIVE, pid=sleeper, local=True)
    assert [ask(target), ask(target, "kept")] == [NEW, TAKEN]
    os.kill(sleeper, signal.SIGCONT)
    time.sleep(0.05)
    stop(sleeper)
    assert ask(target) == NEW


def test_nothing_is_left_open(core):
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        ask(core)
        ask(core, "kept")
        ask(core, error=KeyboardInterrupt())
    assert len(os.listdir("/proc/self/fd")) == before
