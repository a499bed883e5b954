"""Programs of a real size, stopped inside: every local of every frame is what the
in-process oracle says."""

import pytest

import session
import target as targets

PROGRAMS = ("flask_app.py", "pytest_run.py", "pandas_session.py")


@pytest.fixture(scope="module")
def packages(interpreter):
    path = interpreter.with_packages
    if path is None:
        pytest.fail("no venv for %s under build/venvs: run ./dev setup" % interpreter.name)
    return str(path)


def compare(wrong, what, got, expected, fields=("size", "objects", "size_without_classes")):
    for field in fields:
        if got[field] != expected[field]:
            wrong.append("%s: %s is %s instead of %s" % (what, field, got[field], expected[field]))


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_local_of_every_frame(subject, kind, interpreter, debugger, packages, program):
    if kind == "core" and program == "pandas_session.py":
        pytest.skip("see test_a_library_without_a_build_id")
    target, where = subject(kind, packages, program)
    numbers = range(1, len(target.frames) + 1)
    answers = session.run(debugger, ["py-config references traverse", "py-frames --json"]
                          + ["py-top --frame %d --limit 0 --json" % n for n in numbers],
                          timeout=300, **where)
    rows = answers[1].reply["items"]
    wrong = []
    assert len(rows) == len(target.frames) + 1
    for number, expected, row, answer in zip(numbers, target.frames, rows[1:], answers[2:]):
        what = "frame %d, %s" % (number, expected["function"])
        if row["function"].rpartition(".")[2] != expected["function"] or (
                row["file"], row["line"]) != (expected["file"], expected["line"]):
            wrong.append("%s at %s:%s: told as %s" % (what, expected["file"], expected["line"], row))
        compare(wrong, what + " in py-frames", row, expected)
        reply = answer.reply
        compare(wrong, what, reply, expected)
        found = {item["expr"]: item for item in reply["items"]}
        for name in sorted(set(found) ^ set(expected["locals"])):
            wrong.append("%s: %s is told %s" % (what, name, "too much" if name in found else "not"))
        for name, local in expected["locals"].items():
            if name in found:
                compare(wrong, "%s: %s, a %s" % (what, name, local["type"]), found[name], local)
                if found[name]["address"] != local["address"]:
                    wrong.append("%s: %s is at another address" % (what, name))
    assert not wrong, "\n".join(wrong[:40])
    assert reply["references"] == "traverse"


def test_a_library_without_a_build_id(run_target, interpreter, debugger, packages):
    """The tool that makes wheels moves the build-id of numpy's main library away from its
    ELF header: its types are read by layouts, and the answer says so."""
    target = run_target(packages, "pandas_session.py")
    core = targets.kernel_core(target)
    if core is None:
        pytest.skip("core_pattern does not leave cores where the process died")
    expected = target.frames[0]["locals"]
    answers = session.run(debugger, ["py-config references traverse",
                                     "py-top --frame 1 --limit 0 --json"], core=core, exe=packages)
    reply = answers[1].reply
    found = {item["expr"]: item for item in reply["items"]}
    if any(found[name]["size"] != expected[name]["size"] for name in expected):
        assert {"unverifiable-binary", "inferred-references"} & {c["kind"] for c in reply["caveats"]}
    for name in ("numbers", "matrix", "view", "flat", "text"):
        assert found[name]["size"] == expected[name]["size"], name


@pytest.fixture(scope="module")
def result_alone():
    """What a program ends with that nobody looks at."""
    results = {}

    def get(path, program):
        if (path, program) not in results:
            with targets.start(path, program) as target:
                results[path, program] = target.finish()
        return results[path, program]

    return get


@pytest.mark.parametrize("program", PROGRAMS)
def test_goes_on_to_its_result(run_target, result_alone, interpreter, debugger, packages, program):
    target = run_target(packages, program)
    session.run(debugger, ["py-top --frame 1", "py-mem-print --frame 1", "py-frames",
                           "py-memory --all-threads", {"detach": 1}], attach=target.pid)
    assert target.finish() == result_alone(packages, program)
