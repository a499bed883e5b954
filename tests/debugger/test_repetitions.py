"""Every command a thousand times on one process: nothing grows, in the debuggee or in
the debugger."""

import pytest

import matrix
import session

COMMANDS = ["py-memory --frame 1", "py-memory --frame 1 a b", "py-top --frame 1", "py-top --frame 1 b",
            "py-mem-print --frame 1 b", "py-frames --all-threads"]
# One with a shared libpython, one static and stripped: the way in is the same for all.
INTERPRETERS = [i for name, i in matrix.interpreters().items() if name in ("3.12", matrix.DEBIAN)]
TIMES = {"3.12": 1000, matrix.DEBIAN: 100}


@pytest.mark.slow
@pytest.mark.parametrize("python", INTERPRETERS, ids=[i.name for i in INTERPRETERS])
def test_a_thousand_times(run_target, debugger, python):
    target = run_target(python, "seed.py", env={"STAGE_LIFETIME": "900"})
    for times in (20, TIMES[python.name]):  # the first for what either side builds once
        answer = session.run(debugger, [
            {"repeat": COMMANDS, "times": times}, {"detach": 1}], attach=target.pid,
            timeout=800)[0].raw
    before, after = answer["before"], answer["after"]
    assert answer["errors"] == []
    assert {key: (before[key], after[key]) for key in ("maps", "descriptors", "children", "Threads",
                                                       "VmSize", "VmData")
            if before[key] != after[key]} == {}
    assert after["VmRSS"] - before["VmRSS"] < 200, (before, after)  # KiB
    assert after["VmPTE"] - before["VmPTE"] < 32, (before, after)
    mine, mine_after = answer["debugger_before"], answer["debugger_after"]
    assert mine_after["descriptors"] <= mine["descriptors"] + 2
    assert mine_after["children"] <= mine["children"] + 1
    # A debugger keeps things per command line that it runs; a leak of ours per command
    # (a reply, a mapping of the helper) would be a hundred times that.
    assert mine_after["VmRSS"] - mine["VmRSS"] < 60000, (mine, mine_after)
    target.finish()


@pytest.mark.parametrize("python", INTERPRETERS, ids=[i.name for i in INTERPRETERS])
def test_errors_do_not_grow_either(run_target, debugger, python):
    target = run_target(python, "seed.py")
    answer = session.run(debugger, [
        {"repeat": ["py-memory 0x10", "py-memory --frame 1 a.b", "py-top --frame 77"], "times": 50},
        {"detach": 1}], attach=target.pid, timeout=300)[0].raw
    before, after = answer["before"], answer["after"]
    assert len(answer["errors"]) > 0
    for key in ("maps", "descriptors", "children", "VmSize"):
        assert before[key] == after[key], key
    target.finish()
