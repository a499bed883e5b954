"""The child of undump can do nothing but compute: no system call, no descriptor, no
memory beyond its limits, no life without its parent."""

import os
import signal
import subprocess
import time

import pytest

import cores
import undump
from cores import PAGE, R, W, X

DATA, CODE = 0x10000000, 0x10002000
MEMORY = [(DATA, b"\x01" * PAGE, PAGE, R | W), (CODE, b"\xc3" * PAGE, PAGE, R | X)]

# Which arguments undump_probe.c gives: 1 open, 2 small numbers, 3 descriptor and buffer
SYSTEM_CALLS = {
    "open": (2, 1), "openat": (257, 1), "creat": (85, 1), "socket": (41, 2), "connect": (42, 3),
    "fork": (57, 0), "vfork": (58, 0), "clone": (56, 0), "execve": (59, 1), "kill": (62, 0),
    "getpid": (39, 0), "mmap": (9, 0), "mprotect": (10, 0), "ptrace": (101, 0), "pipe": (22, 1),
    "unlink": (87, 1), "ioctl": (16, 3), "prctl": (157, 0), "seccomp": (317, 0),
    "io_uring_setup": (425, 1), "userfaultfd": (323, 0), "exit_group": (231, 0),
    "nanosleep": (35, 0), "futex": (202, 1), "32-bit table": (0x40000000 | 2, 1),
}
# Allowed on the one descriptor that brings requests.
USELESS = {"read": (0, 3), "write": (1, 3)}
EBADF = -9


@pytest.fixture
def core(tmp_path):
    path = tmp_path / "core"
    path.write_bytes(cores.core(MEMORY))
    return path


@pytest.mark.parametrize("name", SYSTEM_CALLS)
def test_system_call_kills(core, name):
    if os.path.exists("/tmp/undump-probe"):
        os.unlink("/tmp/undump-probe")
    number, which = SYSTEM_CALLS[name]
    answer = undump.ask(core, undump.request(undump.SYSCALL, limit=number, depth=which))
    assert answer.kind == "died" and "system call" in answer.message, answer.output
    assert not os.path.exists("/tmp/undump-probe")


@pytest.mark.parametrize("name", USELESS)
def test_no_descriptors(core, name):
    number, which = USELESS[name]
    answer = undump.ask(core, undump.request(undump.SYSCALL, limit=number, depth=which))
    assert answer.kind is None and answer.json["result"] == EBADF, answer.output


@pytest.mark.parametrize("address", [DATA, CODE])
def test_the_cores_pages_are_not_executable(core, address):
    answer = undump.ask(core, undump.request(undump.CALL, [address]))
    assert answer.kind == "died" and "Segmentation fault" in answer.message


def test_read_only_pages_stay_so(core):
    answer = undump.ask(core, undump.request(undump.WRITE, [CODE]))
    assert answer.kind == "died" and "Segmentation fault" in answer.message


@pytest.mark.parametrize("address", [0, 0x1000, DATA + PAGE, DATA - 8, 0x7fffffffe000])
def test_nothing_else_is_there(core, address):
    answer = undump.ask(core, undump.request(undump.WORDS, [address]))
    assert answer.kind == "died" and "Segmentation fault" in answer.message


@pytest.fixture
def spinning(core):
    """undump and its child, which computes for ever."""
    process = undump.start(core, undump.request(undump.SPIN), "--cpu", "60")
    child = undump.child_of(process.pid)
    for _ in range(2000):
        if is_confined(child, process.pid):
            break
        time.sleep(0.002)
    yield process, child
    process.kill()
    process.communicate(timeout=20)


def is_confined(pid, parent):
    """Strict mode, or one filter more than undump itself has."""
    got = status(pid)
    return got.get("Seccomp") == "1" or int(got.get("Seccomp_filters", 0)) > int(
        status(parent).get("Seccomp_filters", 0))


def status(pid):
    try:
        with open("/proc/%d/status" % pid) as file:
            return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    except (FileNotFoundError, ProcessLookupError):
        return {}


def wait_gone(pid):
    for _ in range(1000):
        if status(pid).get("State", "Z")[0] in "ZX":
            return
        time.sleep(0.005)
    raise AssertionError("process %d lives" % pid)


def test_the_child_from_outside(spinning, core):
    process, child = spinning
    got = status(child)
    assert is_confined(child, process.pid)
    assert (got["NoNewPrivs"], got["Threads"]) == ("1", "1")
    with open("/proc/%d/limits" % child) as file:
        limits = {line[:25].strip(): line[26:46].strip() for line in file}
    assert limits["Max core file size"] == "0"
    assert limits["Max address space"] == "0"
    assert limits["Max open files"] == "0"
    assert limits["Max processes"] == "0"
    assert limits["Max cpu time"] == "60"
    with open("/proc/%d/oom_score_adj" % child) as file:
        assert file.read() == "1000\n"
    if os.getuid() != 0:  # nobody else may look into it
        with pytest.raises(PermissionError):
            cores.mappings(child)
        return
    links = [os.readlink("/proc/%d/fd/%s" % (child, name))
             for name in os.listdir("/proc/%d/fd" % child)]
    assert len(links) == 1 and links[0].startswith("socket:"), links
    maps = cores.mappings(child)
    assert not [m for m in maps if "w" in m.permissions and "x" in m.permissions]
    # Of undump only its place is left: the stub and the helper, and nothing with a name.
    executable = [m for m in maps if "x" in m.permissions and m.path != "[vsyscall]"]
    assert len(executable) == 2 and not any(m.path for m in executable)
    named = {m.path for m in maps if m.path}
    assert named <= {"[vsyscall]", "/dev/zero (deleted)", str(core)}


def test_time_limit(core):
    start = time.monotonic()
    answer = undump.ask(core, undump.request(undump.SPIN), "--cpu", "1")
    assert answer.kind == "time-limit" and " 1 second" in answer.message
    assert 0.9 < time.monotonic() - start < 20


def test_memory_limit(core):
    answer = undump.ask(core, undump.request(undump.GREEDY), "--memory", str(64 << 20))
    assert answer.kind == "memory-limit" and "64 MiB" in answer.message


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_cancel(spinning, number):
    process, child = spinning
    start = time.monotonic()
    process.send_signal(number)
    answer = undump.finish(process)
    assert time.monotonic() - start < 1
    assert answer.kind == "cancelled"
    wait_gone(child)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_child_is_ended_by_others(spinning, number):
    process, child = spinning
    os.kill(child, number)
    assert undump.finish(process).kind == ("cancelled" if number == signal.SIGINT else "died")


def test_parent_killed(spinning):
    process, child = spinning
    process.kill()
    process.communicate(timeout=20)
    wait_gone(child)


def test_progress(core):
    read, write = os.pipe()
    process = undump.start(core, undump.request(undump.SPIN), "--progress", str(write),
                           pass_fds=[write])
    os.close(write)
    with os.fdopen(read) as lines:
        got = [lines.readline().split() for _ in range(3)]
    # Nobody listens any more: it ends, and so does its child.
    child = undump.child_of(process.pid)
    process.communicate(timeout=20)
    wait_gone(child)
    assert {line[0] for line in got} <= {"mapping", "objects"}
    counts = [int(line[1]) for line in got]
    assert counts == sorted(counts) and counts[-1] > 0


def test_garbage_reply(core):
    assert undump.ask(core, undump.request(undump.GARBAGE)).kind == "died"


def test_reply_that_does_not_fit(core):
    """The probe's buffer stops at the end; nothing beyond it is written."""
    data = undump.request(undump.WORDS, [DATA] * 1000)
    assert undump.ask(core, data, "--reply-max", "4096").kind == "died"
    answer = undump.ask(core, data, "--reply-max", str(1 << 20))
    assert answer.json["words"] == [0x0101010101010101] * 1000


def test_no_core_of_the_child(core, tmp_path):
    """A crash of the child must not overwrite the user's core."""
    before = core.read_bytes()
    answer = undump.ask(core, undump.request(undump.WORDS, [0]), cwd=tmp_path,
                        preexec_fn=cores.targets._allow_cores)
    assert answer.kind == "died"
    assert os.listdir(tmp_path) == ["core"] and core.read_bytes() == before


def test_output_to_nowhere(core):
    """Standard output closed: no crash, no child left."""
    process = undump.start(core, undump.request(undump.TABLES))
    process.stdout.close()
    process.stderr.close()
    assert process.wait(20) in (0, 1)


def test_used_from_a_script():
    """No question, no terminal, no environment."""
    done = subprocess.run([undump.PROGRAM], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env={}, timeout=20)
    assert done.returncode == 2
