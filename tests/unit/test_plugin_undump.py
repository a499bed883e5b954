"""Running rememberme-undump: its arguments, progress, Ctrl-C and bad ends. A script
stands for the program."""

import json
import os
import stat
import time

import pytest

from rememberme import adapter, library, request, undump
from rememberme.errors import Failure
from rememberme.settings import Settings

SCRIPT = """#!/usr/bin/python3
import json, os, signal, sys, time
arguments = sys.argv[1:]
progress = int(arguments[arguments.index("--progress") + 1])
def receive():
    size = sys.stdin.buffer.read(8)
    return sys.stdin.buffer.read(int.from_bytes(size, "little")) if size else None
asked = receive()
def tell(text):
    os.write(progress, text.encode())
def send(text):
    sys.stdout.buffer.write(len(text).to_bytes(8, "little") + text.encode())
    sys.stdout.flush()
def reply(**members):
    send(json.dumps(members))
"""


class Watched(adapter.Adapter):
    def __init__(self):
        self.lines = []
        self.is_interrupted = False

    def is_terminal(self):
        return True

    def show_progress(self, text):
        self.lines.append(text)

    def interrupted(self):
        return self.is_interrupted


@pytest.fixture
def program(tmp_path, monkeypatch):
    monkeypatch.setenv("REMEMBERME_LIBDIR", str(tmp_path))
    (tmp_path / library.LIBRARY).write_bytes(b"")

    def write(body):
        path = tmp_path / library.UNDUMP
        path.write_text(SCRIPT + body)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    return write


def ask(watched=None, target=None, binaries="", asked=None):
    target = target or adapter.Target(adapter.CORE, core_path="/tmp/the core")
    asked = asked or request.Request(request.FRAMES, thread=adapter.Thread(1, 1, 1))
    settings = Settings()
    settings.binaries = binaries
    image = undump.make(target, settings)
    try:
        return image.ask(watched or Watched(), Settings(), asked)
    finally:
        image.close()


def test_arguments_and_reply(program, tmp_path):
    program("reply(arguments=arguments, size=len(asked), "
            "caveats=[{'message': 'a'}], undump={'pid': 5, 'caveats': [{'message': 'b'}]})")
    target = adapter.Target(adapter.CORE, core_path="/tmp/the core", files=["/bin/python3"],
                            sysroot="/sys root", search_path=["/x", "/y"])
    reply = ask(target=target, binaries="/binaries")
    given = reply["arguments"]
    assert given[:-2] == ["--library", str(tmp_path / library.LIBRARY), "--serve",
                          "--watchdog", "1000", "--core", "/tmp/the core", "--search", "/binaries",
                          "--search", "/sys root", "--search", "/x", "--search", "/y",
                          "--file", "/bin/python3"]
    assert reply["size"] == len(request.Request(
        request.FRAMES, thread=adapter.Thread(1, 1, 1)).encode())
    assert reply["caveats"] == [{"message": "a"}, {"message": "b"}]
    assert reply["undump"] == {"pid": 5}


def test_live_process_gets_an_open_memory_file(program):
    program("mem = int(arguments[arguments.index('--mem') + 1])\n"
            "reply(link=os.readlink('/proc/self/fd/%d' % mem), arguments=arguments, caveats=[])")
    before = os.listdir("/proc/self/fd")
    reply = ask(target=adapter.Target(adapter.LIVE, pid=os.getpid(), local=True))
    assert reply["link"] == "/proc/%d/mem" % os.getpid()
    assert "--pid" in reply["arguments"]
    assert os.listdir("/proc/self/fd") == before


def test_hands_off_needs_the_thread_pointer(program):
    program("receive()")
    with pytest.raises(Failure) as caught:
        ask(target=adapter.Target(adapter.LIVE, pid=os.getpid(), local=True),
            asked=request.Request(request.FRAMES, thread=adapter.Thread(1, 1, 0)))
    assert caught.value.kind == "no-thread-pointer"


def test_progress_is_shown_and_erased(program, monkeypatch):
    monkeypatch.setattr("rememberme.progress.DELAY", 0.05)
    program("tell('mapping 0 0\\n')\n"
            "for i in range(8): tell('objects %d %d\\n' % (i * 1000, i << 20)); time.sleep(0.05)\n"
            "reply(caveats=[])")
    watched = Watched()
    ask(watched)
    assert watched.lines[-1] == ""
    assert [line for line in watched.lines if "000 objects, " in line and "MiB so far" in line]


@pytest.mark.parametrize("cooperates", [True, False])
def test_ctrl_c_ends_it(program, tmp_path, monkeypatch, cooperates):
    monkeypatch.setattr(undump, "_TERM_TIME", 0.3)
    marker = tmp_path / "pid"
    program("signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
            + ("" if cooperates else "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n")
            + "open(%r, 'w').write(str(os.getpid()))\ntime.sleep(60)" % str(marker))
    watched = Watched()
    poll = watched.interrupted

    def interrupted():
        return marker.exists() and bool(marker.read_text()) or poll()

    watched.interrupted = interrupted
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        ask(watched)
    assert time.monotonic() - started < 5
    with pytest.raises(ProcessLookupError):
        os.kill(int(marker.read_text()), 0)


@pytest.mark.parametrize("body, kind, part", [
    ("reply(error={'kind': 'not-a-core', 'message': 'x is none'})", "not-a-core", "x is none"),
    ("reply(error={'kind': 'not-python', 'message': 'No Python.'}, "
     "undump={'caveats': [{'message': 'libpython is missing.'}]})", "not-python",
     "No Python. libpython is missing"),
    ("sys.exit('cannot')", "died", "status 1): cannot"),
    ("os.kill(os.getpid(), 9)", "died", "status -9"),
    ("send('nonsense')", "bad-reply", "not JSON"),
    ("send('[1]')", "bad-reply", "not a JSON object"),
    ("send('[' * 100000)", "too-deep", "--depth"),
    ("sys.stdout.write('short')", "died", "status 0"),
])
def test_bad_ends(program, body, kind, part):
    program(body)
    with pytest.raises(Failure) as caught:
        ask()
    assert caught.value.kind == kind and part in caught.value.message


def test_many_questions(program):
    """One program answers them; an error is no end."""
    program("import itertools\n"
            "for i in itertools.count():\n"
            "    if asked is None: break\n"
            "    if i == 1: reply(error={'kind': 'no-such-name', 'message': 'no x'})\n"
            "    else: reply(caveats=[], i=i, pid=os.getpid(), size=len(asked))\n"
            "    asked = receive()\n")
    before = os.listdir("/proc/self/fd")
    image = undump.make(adapter.Target(adapter.CORE, core_path="/tmp/core"), Settings())
    asked = request.Request(request.FRAMES)
    first = image.ask(Watched(), Settings(), asked)
    with pytest.raises(Failure) as caught:
        image.ask(Watched(), Settings(), asked)
    assert caught.value.kind == "no-such-name" and not image.ended
    third = image.ask(Watched(), Settings(), asked)
    assert (first["pid"], first["i"], third["i"]) == (third["pid"], 0, 2)
    image.close()
    image.close()
    assert image.ended and os.listdir("/proc/self/fd") == before
    with pytest.raises(ProcessLookupError):
        os.kill(first["pid"], 0)


def test_ctrl_c_ends_a_question(program, tmp_path):
    """The program says so, and answers the next one."""
    marker = tmp_path / "busy"
    program("signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])\n"
            "open(%r, 'w').close()\n"
            "signal.sigwait([signal.SIGINT])\n"
            "reply(error={'kind': 'cancelled', 'message': 'cancelled'})\n"
            "asked = receive()\nreply(caveats=[], again=1)\nreceive()" % str(marker))
    image = undump.make(adapter.Target(adapter.CORE, core_path="/tmp/core"), Settings())
    watched = Watched()
    watched.interrupted = marker.exists
    with pytest.raises(KeyboardInterrupt):
        image.ask(watched, Settings(), request.Request(request.FRAMES))
    assert not image.ended
    assert image.ask(Watched(), Settings(), request.Request(request.FRAMES))["again"] == 1
    image.close()


def test_a_core_whose_path_is_not_known(program):
    program("")
    with pytest.raises(Failure) as caught:
        ask(target=adapter.Target(adapter.CORE))
    assert caught.value.kind == "no-core-path"


def test_no_program(tmp_path, monkeypatch):
    monkeypatch.setenv("REMEMBERME_LIBDIR", str(tmp_path))
    with pytest.raises(Failure) as caught:
        ask()
    assert caught.value.kind == "no-library" and str(tmp_path) in caught.value.message
    (tmp_path / library.UNDUMP).write_text("no program")
    (tmp_path / library.LIBRARY).write_text("")
    with pytest.raises(Failure) as caught:
        ask()
    assert "cannot be run" in caught.value.message


def test_where_the_library_is_looked_for(monkeypatch):
    monkeypatch.delenv("REMEMBERME_LIBDIR", raising=False)
    monkeypatch.setattr(os.path, "exists", lambda path: path.endswith("CMakeLists.txt"))
    with pytest.raises(Failure) as caught:
        library.find(library.LIBRARY)
    assert "./dev build" in caught.value.message and "/build" in caught.value.message


def test_replies_are_json(program):
    program("reply(caveats=[], text='gr\\u00f6\\u00dfe')")
    assert json.loads(json.dumps(ask()))["text"] == "größe"
