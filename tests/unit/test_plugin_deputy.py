"""A process that lies about its snapshot must not have a debugger with more rights than its own
read or write another process for it: whom it names is looked at, and what it claims is bounded."""

import contextlib
import ctypes
import os
import subprocess
import sys
import time

import pytest

import matrix
from rememberme import request, snapshot
from rememberme.errors import Failure

NOBODY = 65534
SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root becomes somebody else")


@contextlib.contextmanager
def process(command=SLEEP, user=None, **options):
    def become():
        if user is not None:
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)

    running = subprocess.Popen([str(word) for word in command], preexec_fn=become,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)
    try:
        assert running.stdout.read(2) == b"up"
        yield running.pid
    finally:
        running.kill()
        running.wait()
        running.stdin.close()
        running.stdout.close()


def refused(parent, named, since, *words):
    with pytest.raises(Failure) as caught:
        snapshot.Snapshot(parent, named, since, 0x1000, (), ())
    assert caught.value.kind == "no-snapshot"
    for word in words:
        assert word in caught.value.message, caught.value.message


def test_a_process_that_was_there_before():
    with process() as other, process() as debuggee:
        time.sleep(0.05)
        since = snapshot.clock() + 1
        time.sleep(0.05)
        refused(debuggee, other, since, "older", "nothing was written")
        refused(debuggee, debuggee, since, "older")      # itself
        refused(debuggee, os.getpid(), since, "")        # whoever debugs it


@needs_root
def test_a_process_of_another_user():
    with process(user=NOBODY) as debuggee:
        since = snapshot.clock()
        with process(user=NOBODY - 1) as other:
            refused(debuggee, other, since, "rights")
        with process() as other:
            refused(debuggee, other, since, "rights")


@needs_root
def test_a_program_that_gained_rights(tmp_path):
    """The very attack: a set-user-ID program that an ordinary user has started."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.owner() == "root" and "pytest-" in str(folder):
            folder.chmod(0o755)
    source, program = tmp_path / "suid.c", tmp_path / "suid"
    source.write_text('#include <unistd.h>\nint main(void) { if (write(1, "up", 2) == 2) sleep(60); '
                      'return 0; }\n')
    subprocess.run(["cc", str(source), "-o", str(program)], check=True, env=matrix.ENVIRONMENT)
    program.chmod(0o4755)
    with process(user=NOBODY) as debuggee:
        since = snapshot.clock()
        with process([program], user=NOBODY) as other:
            refused(debuggee, other, since, "rights")


def test_another_program():
    with process() as debuggee:
        since = snapshot.clock()
        with process(["/bin/sh", "-c", "printf up; read x"]) as other:
            refused(debuggee, other, since, "program")


def test_a_process_that_is_not():
    with process() as debuggee:
        since = snapshot.clock()
        with process() as gone:
            pass
        refused(debuggee, gone, since)


class Forged:
    """A block in this very process, as a hostile snapshot would write it."""

    def __init__(self, **fields):
        self.room = ctypes.create_string_buffer(1 << 16)
        self.at = ctypes.addressof(self.room)
        for name, value in fields.items():
            offset = request.BLOCK_OFFSETS[name]
            size = 4 if name in ("magic", "state", "cancel") else 8
            self.room[offset:offset + size] = value.to_bytes(size, "little")


class Watcher:
    """What Progress and _wait ask of an adapter."""

    def is_terminal(self):
        return False

    def interrupted(self):
        return False


class Question:
    def encode(self, *_, **__):
        return b"x" * 64


@pytest.mark.parametrize("reply, size, capacity", [
    (0x1000, 16, 1 << 20), (0, 1 << 62, 1 << 62), (0, (1 << 64) - 1, (1 << 64) - 1),
    (0, 1 << 40, 1 << 40), (0, 0, 0), (0, 5, 4), ((1 << 64) - 8, 16, 16)])
def test_a_reply_that_it_claims(monkeypatch, reply, size, capacity):
    monkeypatch.setattr(snapshot, "_require_ours", lambda *_: None)
    monkeypatch.setattr(snapshot.limits, "move_here", lambda *_: None)
    monkeypatch.setattr(snapshot.Snapshot, "_kill", lambda self: None)
    monkeypatch.setattr(snapshot.Snapshot, "_wake", lambda self: None)
    forged = Forged(magic=request.MAGIC, state=request.DONE, request=1, request_capacity=1 << 12,
                    reply=reply, reply_size=size, reply_capacity=capacity)
    forged.room[4096:4097] = b"\0"
    offset = request.BLOCK_OFFSETS["request"]
    forged.room[offset:offset + 8] = (forged.at + 8192).to_bytes(8, "little")
    one = snapshot.Snapshot(os.getpid(), os.getpid(), 0, forged.at, (), ())

    def answered(_adapter, _progress):  # it ends at once, with what it likes
        for name, claimed in (("reply_size", size), ("state", request.DONE)):
            at, n = request.BLOCK_OFFSETS[name], 8 if name == "reply_size" else 4
            forged.room[at:at + n] = claimed.to_bytes(n, "little")

    monkeypatch.setattr(one, "_wait", answered)
    with pytest.raises(Failure) as caught:
        one.ask(Watcher(), None, Question())
    assert caught.value.kind in ("bad-reply", "died", "too-large")
