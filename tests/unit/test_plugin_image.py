"""Which image a question goes to: threads that have run, files that have changed, settings, and
what became of the question before."""

import os
import signal
import subprocess
import sys
import time

import pytest

from rememberme import adapter, image, request
from rememberme.errors import Failure
from rememberme.settings import Settings


@pytest.fixture(autouse=True)
def no_image(tmp_path, monkeypatch):
    library = tmp_path / "library.so"
    library.write_bytes(b"")
    monkeypatch.setattr(image.library, "find", lambda _: str(library))
    yield
    image.drop()


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
    while image._threads(pid) is None and time.monotonic() < deadline:
        time.sleep(0.01)


def test_threads_that_have_run(sleeper):
    assert image._threads(sleeper) is None
    stop(sleeper)
    stopped = image._threads(sleeper)
    time.sleep(0.2)
    assert stopped is not None and image._threads(sleeper) == stopped
    os.kill(sleeper, signal.SIGCONT)
    time.sleep(0.05)
    stop(sleeper)
    again = image._threads(sleeper)
    assert again is not None and again != stopped
    assert again[0] == stopped[0]  # when it began


class Fake(object):
    """An image that says which one it is."""

    made = 0

    def __init__(self, *_):
        Fake.made += 1
        self.number = Fake.made
        self.stays, self.ended, self.closed = True, False, False

    def ask(self, adapter_, settings, asked):
        assert not self.closed
        if isinstance(asked.query, Exception):
            raise asked.query
        self.ended = asked.query == "ends it"
        return self.number

    def close(self):
        self.closed = self.ended = True


class Moments(adapter.Adapter):
    def __init__(self):
        self.now = 0

    def moment(self):
        return self.now


@pytest.fixture
def ask(monkeypatch):
    """ask(target, query, …) -> the number of the image that answered."""
    monkeypatch.setattr(image.undump, "make", Fake)
    monkeypatch.setattr(image.inject, "make", Fake)
    Fake.made = 0
    debugger = Moments()

    def asking(target, query=request.WHY, inject="off", pointer=1, binaries="", **options):
        settings = Settings()
        settings.inject = inject
        settings.binaries = binaries
        asked = request.Request(query, thread=adapter.Thread(1, 2, pointer), **options)
        return image.answer(debugger, settings, target, asked)

    asking.debugger = debugger
    return asking


@pytest.fixture
def core(tmp_path):
    path = tmp_path / "core"
    path.write_bytes(b"core")
    (tmp_path / "python").write_bytes(b"")
    return adapter.Target(adapter.CORE, core_path=str(path), files=[str(tmp_path / "python")])


def test_one_for_all_questions(ask, core):
    assert [ask(core, query) for query in (request.WHY, request.FRAMES, request.MEMORY)] == [1] * 3


def test_an_error_is_no_end(ask, core):
    ask(core)
    with pytest.raises(Failure):
        ask(core, Failure("no-such-name", "no x"))
    assert ask(core) == 1


def test_one_that_has_ended(ask, core):
    assert [ask(core), ask(core, "ends it"), ask(core), ask(core)] == [1, 1, 2, 2]


def test_settings_that_say_where_files_are(ask, core, tmp_path):
    assert [ask(core), ask(core, binaries=str(tmp_path)), ask(core)] == [1, 2, 3]


@pytest.mark.parametrize("name", ["core", "python", "library.so"])
def test_files_that_change(ask, core, tmp_path, name):
    ask(core)
    (tmp_path / name).write_bytes(b"another")
    assert ask(core) == 2


def test_a_remote_process(ask):
    target = adapter.Target(adapter.LIVE, pid=os.getpid(), local=False)
    assert [ask(target, inject="on") for _ in range(2)] == [1, 2]
    with pytest.raises(Failure) as caught:
        ask(target)
    assert caught.value.kind == "not-local"


def test_a_process_that_runs(ask, sleeper):
    target = adapter.Target(adapter.LIVE, pid=sleeper, local=True)
    assert [ask(target), ask(target)] == [1, 2]
    stop(sleeper)
    assert [ask(target), ask(target), ask(target, inject="on"), ask(target, inject="on")] == [
        3, 3, 4, 4]
    os.kill(sleeper, signal.SIGCONT)
    time.sleep(0.05)
    stop(sleeper)
    assert [ask(target, inject="on")] * 2 == [5, 5]
    ask.debugger.now = 1
    assert ask(target, inject="on") == 6
    # of a thread whose pointer is not known an image knows nothing
    assert [ask(target, inject="on", pointer=0) for _ in range(2)] == [7, 7]
    image.drop()
    assert ask(target, inject="on") == 8
