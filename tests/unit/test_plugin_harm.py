"""What is looked at before a call: filters, control groups, and what is made of it."""

import os
import re
import struct
import types

import pytest

import matrix
from rememberme import adapter, harm, limits, request, seccomp
from rememberme.errors import Failure
from rememberme.settings import Settings

KILL, ERRNO, LOG = 0x80000000, 0x00050001, 0x7ffc0000
LOAD, EQUAL, GREATER, ANY_BIT, AND, RETURN = 0x20, 0x15, 0x25, 0x45, 0x54, 0x06


def program(*steps):
    return b"".join(struct.pack("<HBBI", *step) for step in steps)


def test_every_call_of_the_helper_is_looked_at():
    made = set()
    for path in (matrix.ROOT / "helper").rglob("*.[ch]"):
        if "undump" not in path.parts and "arch" not in path.parts:
            made |= set(re.findall(r"RME_SYS_(\w+)", path.read_text()))
    numbers = dict(re.findall(r"RME_SYS_(\w+) = (\d+)", (
        matrix.ROOT / "helper/runtime/arch/x86_64/cpu.h").read_text()))
    assert made and made <= set(seccomp.CALLS), made - set(seccomp.CALLS)
    assert {name: int(numbers[name]) for name in made} == {
        name: seccomp.CALLS[name][0] for name in made}


@pytest.mark.parametrize("action", [KILL, 0, 0x00030000, ERRNO, LOG, 0x7ff00000])
def test_only_what_is_allowed_counts(action):
    code = program((LOAD, 0, 0, 0), (EQUAL, 0, 1, 56), (RETURN, 0, 0, action),
                   (RETURN, 0, 0, seccomp.ALLOW))
    assert seccomp.refused([code]) == {"clone": action & 0xffff0000}
    allow = program((RETURN, 0, 0, seccomp.ALLOW))
    assert seccomp.refused([allow, code, allow]) == {"clone": action & 0xffff0000}
    assert seccomp.refused([allow]) == {}


def test_a_list_of_what_is_allowed():
    allowed = [seccomp.CALLS[name][0] for name in seccomp.CALLS if name not in ("wait4", "futex")]
    code = program((LOAD, 0, 0, 4), (EQUAL, 1, 0, 0xc000003e), (RETURN, 0, 0, KILL),
                   (LOAD, 0, 0, 0),
                   *[(EQUAL, len(allowed) - n, 0, number) for n, number in enumerate(allowed)],
                   (RETURN, 0, 0, KILL), (RETURN, 0, 0, seccomp.ALLOW))
    assert set(seccomp.refused([code])) == {"wait4", "futex"}


def test_arguments():
    """Of mmap the protection is known, the address is not."""
    def on_mmap(*steps):
        return program((LOAD, 0, 0, 0), (EQUAL, 1, 0, 9), (RETURN, 0, 0, seccomp.ALLOW), *steps)

    no_code = on_mmap((LOAD, 0, 0, 32), (ANY_BIT, 0, 1, 4), (RETURN, 0, 0, KILL),
                      (RETURN, 0, 0, seccomp.ALLOW))
    no_write_and_code = on_mmap((LOAD, 0, 0, 32), (AND, 0, 0, 6), (EQUAL, 0, 1, 6),
                                (RETURN, 0, 0, KILL), (RETURN, 0, 0, seccomp.ALLOW))
    by_address = on_mmap((LOAD, 0, 0, 20), (GREATER, 0, 1, 0x7000), (RETURN, 0, 0, ERRNO),
                         (RETURN, 0, 0, seccomp.ALLOW))
    assert seccomp.refused([no_code]) == {"mmap": KILL}
    assert seccomp.refused([no_write_and_code]) == {}
    assert seccomp.refused([by_address]) == {"mmap": ERRNO & 0xffff0000}


@pytest.mark.parametrize("arithmetic, operand, result", [
    (0x04, 5, 61), (0x14, 6, 50), (0x24, 2, 112), (0x34, 8, 7), (0x44, 1, 57), (0x54, 0x30, 0x30),
    (0x64, 1, 112), (0x74, 3, 7), (0xa4, 0xff, 56 ^ 0xff), (0x84, 0, -56 & 0xffffffff)])
def test_arithmetic(arithmetic, operand, result):
    """As the kernel computes it, by way of memory and the other register."""
    code = program((LOAD, 0, 0, 0), (arithmetic, 0, 0, operand), (0x02, 0, 0, 3), (0x61, 0, 0, 3),
                   (0x00, 0, 0, 0), (0x87, 0, 0, 0), (EQUAL, 0, 1, result),
                   (RETURN, 0, 0, seccomp.ALLOW), (RETURN, 0, 0, KILL))
    assert seccomp.outcomes(code, 56, {}) == {seccomp.ALLOW}


@pytest.mark.parametrize("code", [
    b"", program((LOAD, 0, 0, 0)), program((0xff, 0, 0, 0), (RETURN, 0, 0, seccomp.ALLOW)),
    program((0x05, 0, 0, 70000), (RETURN, 0, 0, seccomp.ALLOW))],
    ids=["empty", "no end", "unknown", "beyond the end"])
def test_what_is_not_understood_kills(code):
    assert seccomp.outcomes(code, 1, {}) == {0}


def write(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(str(content))


@pytest.fixture
def proc(tmp_path, monkeypatch):
    """A /proc with process 77 in it, and the hierarchies of control groups that it names."""
    root = tmp_path / "proc"
    mounts = "".join(
        "30 24 0:26 / %s/%s rw - %s cgroup rw%s\n" % (tmp_path, name, kind, options)
        for name, kind, options in (("v1", "cgroup", ",memory"), ("ice", "cgroup", ",freezer"),
                                    ("v2", "cgroup2", "")))
    write(root / "self", mountinfo=mounts, cgroup="0::/\n")
    write(root / str(os.getpid()), cgroup="4:memory:/\n6:freezer:/\n0::/\n")
    status = ("State:\tt (tracing stop)\nPPid:\t1\nVmRSS:\t 300000 kB\nVmPTE:\t 700 kB\n"
              "VmData:\t 290000 kB\nSeccomp:\t0\n")
    write(root / "77", cgroup="4:memory:/a/b\n6:freezer:/f\n0::/x/y\n", status=status)
    write(root / "77" / "task" / "77", status=status, children="")
    write(root / "sys" / "vm", overcommit_memory="0\n")
    for module in (harm, limits):
        monkeypatch.setattr(module, "PROC", str(root))
    return tmp_path


def question(query=request.MEMORY):
    return request.Request(query, thread=adapter.Thread(1, 77, 0x1000))


TARGET = adapter.Target(adapter.LIVE, pid=77, local=True)


def asked(inject="auto", query=request.MEMORY, ask=None):
    """(what `inject` was when the question was asked, the caveats of the reply)."""
    settings = Settings()
    settings.inject = inject
    ways = []

    def answer(chosen):
        ways.append(chosen.inject)
        return {"caveats": []}

    reply = harm.guarded(settings, TARGET, question(query), ask or answer)
    return ways, [caveat["message"] for caveat in reply["caveats"]]


def test_nothing_speaks_against_it(proc):
    assert asked() == (["on"], [])
    assert asked("on") == (["on"], [])
    assert asked("off") == (["off"], [])


V1 = dict(memory__limit_in_bytes=9223372036854771712, memory__usage_in_bytes=10 ** 9)


@pytest.mark.parametrize("left, fatal", [(0, True), (800_000, True), (3_000_000, False)])
def test_a_full_group(proc, left, fatal):
    write(proc / "v1" / "a" / "b", memory__limit_in_bytes=10 ** 9 + left,
          memory__usage_in_bytes=10 ** 9)
    ways, (reason,) = asked()
    assert ways == ["off"] and "memory limit of control group %s/v1/a/b" % proc in reason
    assert "%.1f MiB" % (left / 2 ** 20) in reason
    if fatal:
        with pytest.raises(Failure) as caught:
            asked("on")
        assert caught.value.kind == "no-room" and "inject auto" in caught.value.message
    else:
        assert asked("on")[0] == ["on"]


def test_pages_of_files_make_room(proc):
    write(proc / "v1" / "a" / "b", memory__limit_in_bytes=10 ** 9, memory__usage_in_bytes=10 ** 9,
          memory__stat="total_inactive_file 100000000\ntotal_dirty 1000\n")
    assert asked()[0] == ["on"]
    assert asked(query=request.RETAINED)[0] == ["off"]  # which needs more
    assert asked(query=request.TYPES)[0] == ["on"]


@pytest.mark.parametrize("hierarchy, way", [("1", "off"), ("0", "on")])
def test_the_group_above(proc, hierarchy, way):
    write(proc / "v1" / "a" / "b", **V1)
    write(proc / "v1" / "a", memory__limit_in_bytes=10 ** 9, memory__usage_in_bytes=10 ** 9,
          memory__use_hierarchy=hierarchy)
    assert asked()[0] == [way]


@pytest.mark.parametrize("most, high, way", [
    ("max", "max", "on"), (10 ** 9, "max", "off"), ("max", 10 ** 9, "off"),
    (2 * 10 ** 9, 2 * 10 ** 9, "on")])
def test_version_2(proc, most, high, way):
    write(proc / "v2" / "x" / "y", memory__current=10 ** 6, memory__max="max", memory__high="max")
    write(proc / "v2" / "x", memory__current=10 ** 9, memory__max=most, memory__high=high)
    assert asked()[0] == [way]


def test_the_debugger_is_in_the_full_group(proc):
    write(proc / "v1", memory__limit_in_bytes=10 ** 9, memory__usage_in_bytes=10 ** 9)
    for inject in ("auto", "on"):
        with pytest.raises(Failure) as caught:
            asked(inject)
        assert caught.value.kind == "no-room" and "outside of it" in caught.value.message


@pytest.mark.parametrize("folder, files", [
    ("ice/f", {"freezer__state": "FROZEN"}), ("v2/x/y", {"cgroup__freeze": "1"}),
    ("v2/x", {"cgroup__freeze": "1"}), ("v2/x/y", {"cgroup__events": "populated 1\nfrozen 1\n"})])
def test_frozen(proc, folder, files):
    write(proc / folder, **files)
    ways, (reason,) = asked()
    assert ways == ["off"] and "is frozen by its control group" in reason
    with pytest.raises(Failure):
        asked("on")


@pytest.mark.parametrize("line, words", [
    ("Seccomp:\t1\n", "strict mode"), ("Seccomp:\t2\n", "cannot be read"),
    ("State:\tZ (zombie)\n", "has ended"),
    ("x86_Thread_features:\tshstk wrss\n", "shadow stack")])
def test_what_the_thread_says(proc, line, words):
    write(proc / "proc" / "77" / "task" / "77", status=line)
    ways, (reason,) = asked()
    assert ways == ["off"] and words in reason


def test_what_a_filter_that_was_read_says(proc, monkeypatch):
    write(proc / "proc" / "77" / "task" / "77", status="Seccomp:\t2\n")
    for number, action, ways, fatal in ((999, KILL, ["on"], False), (56, KILL, ["off"], True),
                                        (56, ERRNO, ["off"], False), (257, KILL, ["off"], False)):
        code = program((LOAD, 0, 0, 0), (EQUAL, 0, 1, number), (RETURN, 0, 0, action),
                       (RETURN, 0, 0, seccomp.ALLOW))
        monkeypatch.setattr(seccomp, "filters", lambda _, code=code: [code])
        assert asked()[0] == ways
        if fatal:
            with pytest.raises(Failure):
                asked("on")
        else:
            assert asked("on")[0] == ["on"]


def test_no_overcommit(proc):
    write(proc / "proc" / "sys" / "vm", overcommit_memory="2\n")
    for limit, way in ((600_000, "off"), (6_000_000, "on")):
        write(proc / "proc", meminfo="CommitLimit: %d kB\nCommitted_AS: 100000 kB\n" % limit)
        assert asked()[0] == [way]


def test_one_address_space(proc, monkeypatch):
    write(proc / "proc" / "77" / "task" / "77", children="99 ")
    monkeypatch.setattr(harm.ctypes, "CDLL", lambda *_, **__: types.SimpleNamespace(
        syscall=lambda number, one, other, *_: (one, other) != (77, 99)))
    ways, (reason,) = asked()
    assert ways == ["off"] and "shares its whole memory with process 99" in reason


def test_what_is_refused_without_harm_is_asked_from_outside(proc):
    def ask(chosen):
        if chosen.inject == "on":
            raise Failure("no-memory", "The process was refused 9 bytes.")
        return {"caveats": []}

    assert asked(ask=ask)[1] == ["The process was read from outside (inject auto): The process was "
                                 "refused 9 bytes."]
    with pytest.raises(Failure):
        asked("on", ask=ask)


@pytest.mark.parametrize("kind", ["process-ended", "no-such-name", "cancelled"])
def test_other_failures_end_it(proc, kind):
    def ask(_):
        raise Failure(kind, "No.")

    with pytest.raises(Failure) as caught:
        asked(ask=ask)
    assert caught.value.kind == kind
