"""What cannot be answered: one clear sentence, no Python traceback, and the debuggee as
it was."""

import os
import re
import subprocess
import time

import pytest

import matrix
import procstate
import session
import target as targets

COMMANDS = ("py-memory", "py-top", "py-mem-print", "py-frames")


def one_sentence(answer, *words):
    """The error of a command as a user sees it."""
    error = answer.error
    assert error, "no error: %s" % answer
    assert "Traceback" not in error + answer.output
    assert error.count("\n") == 0, error
    assert len(error) < 500
    for word in words:
        assert word in error, "%r is not in: %s" % (word, error)


def kind_of(answer):
    value = answer.json
    assert set(value) <= {"command", "error", "python", "target"}
    assert value["error"]["message"]
    return value["error"]["kind"]


def untouched(pid, look):
    before = procstate.read(pid, procstate.stack_pointer(pid))
    answers = look()
    assert procstate.differences(before, procstate.read(
        pid, procstate.stack_pointer(pid))) == []
    return answers


QUIET = {"GLIBC_TUNABLES": "glibc.pthread.rseq=0"}


@pytest.fixture
def no_python():
    """A program that waits in read. (nanosleep would not do: the kernel writes the
    rest of the time into the program's memory when a debugger interrupts it.)"""
    process = subprocess.Popen(["/bin/cat"], env=dict(matrix.ENVIRONMENT, **QUIET),
                               stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    time.sleep(0.2)
    yield process.pid
    process.kill()
    process.wait()


@pytest.mark.every_debugger
@procstate.in_three_tries
def test_not_python_at_all(no_python, debugger):
    answers = untouched(no_python, lambda: session.run(
        debugger, list(COMMANDS) + ["py-top --json", {"detach": 1}], attach=no_python))
    for answer in answers[:4]:
        one_sentence(answer, "Python")
    assert kind_of(answers[4]) == "not-python"


@pytest.mark.parametrize("old", matrix.UNSUPPORTED)
@procstate.in_three_tries
def test_a_python_that_is_too_old(debugger, old):
    interpreter = matrix.unsupported_interpreters().get(old)
    if interpreter is None:
        pytest.skip("no Python %s here" % old)
    process = subprocess.Popen(
        [interpreter.path, "-c", "import sys, time\nsys.stdout.write('ready')\n"
         "sys.stdout.flush()\ntime.sleep(120)"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=dict(matrix.ENVIRONMENT, **QUIET))
    try:
        assert process.stdout.read(5) == b"ready"
        answers = session.run(debugger, list(COMMANDS) + ["py-top --json", {"state": 1},
                                                          "py-memory 0x1000", {"state": 1},
                                                          {"detach": 1}], attach=process.pid)
        for answer in answers[:4]:
            one_sentence(answer, "3.8")
        if old == "3.7":
            one_sentence(answers[0], "3.7")
        assert kind_of(answers[4]) == "unsupported-python"
        assert procstate.differences(answers[5].raw["state"], answers[7].raw["state"]) == []
    finally:
        process.kill()
        process.wait()


READY = """
import sys, time
sys.stdout.write("ready")
sys.stdout.flush()
time.sleep(120)
"""
MOVED = """
import ctypes
def word(offset):
    address = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime"))
    return ctypes.c_uint64.from_address(address + offset)
if word(0).value == int.from_bytes(b"xdebugpy", "little"):
    word(40).value += 8  # _Py_DebugOffsets.runtime_state.interpreters_head
""" + READY
SAYS_SO = """
import ctypes
def word(offset):
    address = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime"))
    return ctypes.c_uint64.from_address(address + offset)
if word(0).value == int.from_bytes(b"xdebugpy", "little"):
    word(16).value = 1  # _Py_DebugOffsets.free_threaded; nothing in the process reads it
""" + READY


def asked(debugger, path, program):
    """What py-top says of that program, in text and as JSON."""
    process = subprocess.Popen([str(path), "-c", program], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, env=matrix.ENVIRONMENT)
    try:
        assert process.stdout.read(5) == b"ready"
        return session.run(debugger, ["py-top", "py-top --json", {"detach": 1}],
                           attach=process.pid)
    finally:
        process.kill()
        process.wait()


def test_a_build_without_the_gil_is_refused_with_its_own_words(interpreter, debugger):
    """3.13 and later say in their data which build they are; an older one has no such build."""
    answers = asked(debugger, interpreter.path, SAYS_SO)
    if interpreter.minor < (3, 13):
        assert not answers[0].error
        return
    one_sentence(answers[0], "free-threaded", interpreter.version, "with the GIL")
    assert kind_of(answers[1]) == "unsupported-python"


def test_a_structure_that_moved_is_noticed(interpreter, debugger):
    """A later patch release may move what no table has seen: 3.13+ says where things are."""
    answers = asked(debugger, interpreter.path, MOVED)
    if interpreter.minor < (3, 13):
        assert not answers[0].error
        return
    one_sentence(answers[0], interpreter.version, "structures")
    assert kind_of(answers[1]) == "layout-mismatch"


def test_a_debug_build_is_refused_with_its_own_words(debugger):
    """Debian's python3.x-dbg, where there is one."""
    if not matrix.debug_interpreters():
        pytest.skip("no debug build (/usr/bin/python3.Nd) here")
    for path in matrix.debug_interpreters():
        answers = asked(debugger, path, READY)
        one_sentence(answers[0], "debug build", "release builds")
        assert kind_of(answers[1]) == "unsupported-python"


@pytest.fixture(scope="module")
def embed(tmp_path_factory):
    path = tmp_path_factory.mktemp("embed") / "embed"
    subprocess.run(["cc", "-Wall", str(matrix.TARGETS / "embed.c"), "-o", str(path), "-ldl"],
                   check=True, timeout=60)
    return path


@pytest.mark.parametrize("moment, kind", [("before", "not-initialized"), ("after", "finalized")])
@procstate.in_three_tries
def test_python_is_not_up(interpreter, debugger, embed, moment, kind):
    libraries = sorted((matrix.pathlib.Path(interpreter.path).resolve().parents[1] / "lib").glob(
        "libpython3.*.so.1.0"))
    if not libraries:
        pytest.skip("%s has no libpython.so" % interpreter.name)
    home = str(libraries[0].parents[1])
    with targets.Target([embed, libraries[0], moment], env=dict(QUIET, PYTHONHOME=home)) as target:
        answers = untouched(target.pid, lambda: session.run(
            debugger, list(COMMANDS) + ["py-frames --json", {"detach": 1}], attach=target.pid))
        for answer in answers[:4]:
            one_sentence(answer)
        assert kind_of(answers[4]) == kind
        target.finish()


@pytest.mark.every_debugger
def test_launched_and_not_started(interpreter, debugger):
    """The debugger has just started the program: Python's main has not run."""
    answers = session.run(debugger, list(COMMANDS) + ["py-frames --json", {"kill": 1}],
                          launch=[interpreter.path, "-c", "0"], launch_breaks=["Py_BytesMain"])
    for answer in answers[:4]:
        one_sentence(answer)
    assert kind_of(answers[4]) == "not-initialized"


CASES = {
    "nothing_of_that_name": "no-such-name",
    "a.nothing": "no-such-attribute",
    "a[17]": "no-such-key",
    'os:environ["no such variable"]': None,
    "no.such.module:name": "no-such-module",
    "os:nothing": "no-such-attribute",
    "a[": "bad-expression",
    "a..b": "bad-expression",
    "a b[": "bad-expression",
    "0x10": "no-object",
    "0x7fffffffe000": "no-object",
    "a[0][0]": "not-subscriptable",
    "--frame 99": "no-such-frame",
    "--frame": "usage",
    "--frame x": "usage",
    "--nonsense": "usage",
    "--limit -3": "usage",
    "--thread 77": "no-such-thread",
}


@pytest.mark.every_debugger
def test_bad_arguments(shared_target, interpreter, debugger):
    target = shared_target(interpreter, "seed.py")
    lines = []
    for argument in CASES:
        where = "" if argument.startswith(("--frame", "--thread")) else "--frame 1 "
        lines += ["py-memory %s%s" % (where, argument), "py-memory %s%s --json" % (where, argument)]
    answers = session.run(debugger, lines + [{"detach": 1}], attach=target.pid)
    wrong = []
    for n, (argument, kind) in enumerate(CASES.items()):
        one_sentence(answers[2 * n])
        found = kind_of(answers[2 * n + 1])
        if kind and found != kind:
            wrong.append("%s: %s instead of %s: %s" % (argument, found, kind, answers[2 * n].error))
    assert not wrong, "\n".join(wrong)


@pytest.mark.every_debugger
def test_an_address_inside_an_object(shared_target, interpreter, debugger):
    target = shared_target(interpreter, "seed.py")
    address = int(target.frames[0]["locals"]["a"]["address"], 16)
    answers = session.run(debugger, ["py-memory %#x" % address, "py-memory %#x --json" % (address + 4),
                                     "py-memory %#x --json" % (address + 16)], attach=target.pid)
    assert answers[0].error is None
    assert kind_of(answers[1]) == "no-object"
    assert kind_of(answers[2]) == "no-object"


def test_settings(shared_target, interpreter, debugger):
    target = shared_target(interpreter, "seed.py")
    answers = session.run(debugger, [
        "py-config", "py-config nonsense 1", "py-config limit many", "py-config inject maybe",
        "py-config references all", "py-config binaries /no/such/directory", "py-config limit 1",
        "py-top --frame 1 --json", "py-config classes off", "py-memory --frame 2 --json"],
        attach=target.pid)
    assert answers[0].error is None
    for name in ("inject", "classes", "references", "limit", "depth", "binaries"):
        assert name in answers[0].output
    for answer in answers[1:6]:
        one_sentence(answer)
    assert len(answers[7].reply["items"]) == 1
    assert answers[7].reply["more"] == {"items": 1}
    reply = answers[9].reply
    assert reply["classes"] == "off"
    assert reply["size"] == reply["size_without_classes"]


@pytest.mark.every_debugger
def test_nothing_to_debug(debugger):
    answers = session.run(debugger, list(COMMANDS) + ["py-top --json", "py-config", "help py-top"])
    for answer in answers[:4]:
        one_sentence(answer)
    assert kind_of(answers[4]) == "no-target"
    assert answers[5].error is None and answers[6].error is None


@pytest.mark.every_debugger
def test_help(debugger):
    commands = COMMANDS + ("py-config",)
    answers = session.run(debugger, ["help " + c for c in commands] + [c + " --help" for c in commands])
    for command, answer in zip(commands * 2, answers):
        assert answer.error is None
        assert "Example" in answer.output, answer.output
        assert re.search(r"^ *%s\b" % command, answer.output, re.M)


def bad_core(path, how):
    if how == "no ELF":
        path.write_bytes(b"this is no core" * 100)
    elif how == "no core":
        path.write_bytes(open("/bin/true", "rb").read())
    elif how == "32 bits":
        header = bytearray(open("/bin/true", "rb").read(64))
        header[4], header[16] = 1, 4
        path.write_bytes(bytes(header) + bytes(4096))
    elif how == "zstd":
        path.write_bytes(b"\x28\xb5\x2f\xfd" + os.urandom(1000))
    return path


@pytest.mark.parametrize("how", ["no ELF", "no core", "32 bits", "zstd"])
def test_bad_cores(debugger, tmp_path, how):
    """The debugger itself may refuse; whatever it does, ours ends with a sentence."""
    core = bad_core(tmp_path / "core", how)
    try:
        answers = session.run(debugger, list(COMMANDS) + ["py-top --json"], core=core)
    except session.SessionFailed as e:
        assert "Traceback" not in str(e).partition("raised in the debugger")[0]
        return
    for answer in answers[:4]:
        one_sentence(answer)
    kind_of(answers[4])
