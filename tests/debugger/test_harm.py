"""Processes that a call could cost their life: an answer or a sentence, and they go on."""

import contextlib
import os
import pathlib
import resource
import signal
import time

import pytest

import session
from counting import counting

from rememberme import seccomp

KILL, TRAP, ERRNO, LOG = 0x80000000, 0x00030000, 0x00050001, 0x7ffc0000
ACTIONS = {"kill": KILL, "kill-thread": 0, "trap": TRAP, "errno": ERRNO, "log": LOG}

# Each call with one action, and the calls of the debuggee itself with all
FILTERS = [("kill", name) for name in seccomp.CALLS] + [
    (action, name) for action in ACTIONS for name in ("mmap", "clone", "munmap", "openat")
    if action != "kill"]

MEMORY = (pathlib.Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.usage_in_bytes",
          "memory.oom_control")
MEMORY_2 = (pathlib.Path("/sys/fs/cgroup"), "memory.max", "memory.current", "memory.events")


@pytest.mark.slow
@pytest.mark.parametrize("action, name", FILTERS)
def test_filtered(tmp_path, debugger, action, name):
    """Whatever a filter does about one of the calls that are made, it is not made."""
    with counting(tmp_path / "count", "filtered.py", seccomp.CALLS[name][0],
                  ACTIONS[action]) as program:
        answer, refused, _ = session.run(debugger, [
            "py-memory data --frame 0 --json", "py-memory data --frame 0", {"detach": 1}],
            attach=program.pid)
        assert answer.reply["size"] > 10000
        reason, = [caveat["message"] for caveat in answer.reply["caveats"]
                   if caveat["kind"] == "hands-off"]
        assert "seccomp filter" in reason and str(program.pid) in reason
        if debugger.family == "gdb" and os.geteuid() == 0:
            assert "does not allow %s." % name in reason
        assert "Note: The process was read from outside" in refused.output
        program.wait()


def test_a_filter_that_allows_all(tmp_path, debugger):
    """Of a process behind a filter that gdb can read, nothing is lost."""
    with counting(tmp_path / "count", "filtered.py", 999, KILL) as program:
        answer, _ = session.run(debugger, ["py-memory data --frame 0 --json", {"detach": 1}],
                                attach=program.pid)
        kinds = [caveat["kind"] for caveat in answer.reply["caveats"]]
        assert ("hands-off" in kinds) == (debugger.family != "gdb" or os.geteuid() != 0)
        program.wait()


def test_inject_on_refuses_what_kills(tmp_path, debugger):
    with counting(tmp_path / "count", "filtered.py", 9, KILL) as program:
        _, refused, _ = session.run(debugger, [
            "py-config inject on", "py-memory data --frame 0" if debugger.family == "gdb" and
            os.geteuid() == 0 else "py-config inject", {"detach": 1}], attach=program.pid)
        if refused.error:
            assert "does not allow mmap; `py-config inject auto`" in refused.error
        program.wait()


@contextlib.contextmanager
def group(folder):
    path = folder / ("rme-test-%d" % os.getpid())
    try:
        path.mkdir()
    except OSError as error:
        pytest.skip("no control group can be made here: %s" % error.strerror)
    try:
        yield path
    finally:
        for _ in range(200):
            with contextlib.suppress(OSError):
                path.rmdir()
                break
            time.sleep(0.01)


@pytest.mark.parametrize("left", [0, 100_000, 400_000, 800_000])
def test_a_full_memory_group(tmp_path, debugger, left):
    if debugger.family == "lldb":
        left += 200_000  # its own breakpoints, at attach, take pages of the process
    folder, limit, usage, events = MEMORY if MEMORY[0].is_dir() else MEMORY_2
    with group(folder) as memory:
        if not (memory / limit).exists():
            pytest.skip("the memory controller is not delegated here")
        with counting(tmp_path / "count", "filtered.py",
                      before=lambda: (memory / "cgroup.procs").write_text(str(os.getpid()))
                      ) as program:
            with contextlib.suppress(OSError):
                (memory / "memory.force_empty").write_text("0")
            (memory / limit).write_text(str(int((memory / usage).read_text()) + left))
            answers = session.run(debugger, [
                "py-memory data --frame 0 --json", "py-retained --json", "py-config inject on",
                "py-memory data --frame 0", {"detach": 1}], attach=program.pid)
            for answer in answers[:2]:
                assert any("memory limit of control group" in caveat["message"]
                           for caveat in answer.reply["caveats"]), answer
            if left < 300_000:
                assert "memory limit of control group" in answers[3].error
            program.wait()
            assert "oom_kill 0" in (memory / events).read_text()


@pytest.mark.parametrize("version", [1, 2])
def test_frozen(tmp_path, debugger, version):
    folder, file, frozen, thawed = [
        ("/sys/fs/cgroup/freezer", "freezer.state", "FROZEN", "THAWED"),
        ("/sys/fs/cgroup/unified" if os.path.isdir("/sys/fs/cgroup/unified") else "/sys/fs/cgroup",
         "cgroup.freeze", "1", "0")][version - 1]
    if not os.path.isdir(folder):
        pytest.skip("%s is not mounted" % folder)
    with group(pathlib.Path(folder)) as path:
        if not (path / file).exists():
            pytest.skip("not a hierarchy of version %d" % version)
        with counting(tmp_path / "count", "filtered.py") as program:
            (path / "cgroup.procs").write_text(str(program.pid))
            freeze = {"python": "open(%r, 'w').write(%r)" % (str(path / file), frozen)}
            try:
                answers = session.run(debugger, [
                    freeze, {"python": "import time; time.sleep(0.5)"},
                    "py-memory data --frame 0 --json", "py-config inject on",
                    "py-memory data --frame 0", {"detach": 1}], attach=program.pid)
            finally:
                (path / file).write_text(thawed)
            # v1: not even whether its memory is at rest can be told then
            found = answers[2].json.get("error") or [
                caveat for caveat in answers[2].reply["caveats"] if caveat["kind"] == "hands-off"][0]
            assert "frozen by its control group" in found["message"]
            assert version == 1 or answers[2].reply["size"] > 10000
            assert "frozen by its control group" in answers[4].error
            program.wait()


def test_stopped_by_sigstop(tmp_path, debugger):
    """The first command works; in gdb, which leaves it so, the process is stopped again afterwards."""
    with counting(tmp_path / "count", "filtered.py") as program:
        os.kill(program.pid, signal.SIGSTOP)
        time.sleep(0.2)
        answers = session.run(debugger, ["py-memory data --frame 0 --json"] * 2 + [{"detach": 1}],
                              attach=program.pid)
        for answer in answers[:2]:
            assert answer.reply["size"] > 10000 and answer.reply["caveats"] == []
        if debugger.family == "gdb":
            with open("/proc/%d/status" % program.pid) as status:
                assert "State:\tT (stopped)" in status.read()
        os.kill(program.pid, signal.SIGCONT)
        program.wait()


@pytest.mark.parametrize("limit, hard", [(resource.RLIMIT_DATA, 1), (resource.RLIMIT_AS, 1),
                                         (resource.RLIMIT_AS, 0)])
def test_no_address_space(tmp_path, debugger, limit, hard):
    """Where the snapshot gets none either, the process is read from outside."""
    with counting(tmp_path / "count", "filtered.py") as program:
        most = resource.prlimit(program.pid, limit)[1]
        resource.prlimit(program.pid, limit, (20 << 20, 20 << 20 if hard else most))
        answer, _, other, _ = session.run(debugger, [
            "py-memory data --frame 0 --json", "py-config inject on", "py-memory data --frame 0",
            {"detach": 1}], attach=program.pid)
        assert answer.reply["size"] > 10000
        if other.error:
            assert "`py-config inject " in other.error
        # What was told is why
        assert bool(other.error) == ("hands-off" in [
            caveat["kind"] for caveat in answer.reply["caveats"]])
        program.wait()
