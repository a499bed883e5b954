"""Damaged objects: an answer with a caveat, alive and dead."""

import pytest

import session

pytestmark = pytest.mark.every_debugger

DAMAGED = ("wild_type", "wild_item", "freed", "zero_refcount", "wild_key_table", "huge_size",
           "code_item", "unaligned")


@pytest.fixture(scope="module")
def answers(subject):
    done = {}

    def get(kind, interpreter, debugger):
        key = kind, interpreter.name, debugger.name
        if key not in done:
            _, where = subject(kind, interpreter, "corrupt.py")
            commands = ["py-memory --frame 1 good --json", "py-top --frame 1 --json",
                        "py-mem-print --frame 1 --json", "py-top --frame 1", "py-mem-print --frame 1",
                        "py-frames --json"]
            commands += ["py-memory --frame 1 %s --json" % name for name in DAMAGED]
            found = session.run(debugger, commands, **where)
            done[key] = dict(zip(commands, found))
        return done[key]

    return get


@pytest.mark.parametrize("name", DAMAGED)
def test_an_answer_with_a_caveat(answers, kind, interpreter, debugger, name):
    found = answers(kind, interpreter, debugger)
    good = found["py-memory --frame 1 good --json"].reply
    reply = found["py-memory --frame 1 %s --json" % name].reply
    assert good["caveats"] == []
    assert reply["caveats"], reply
    for caveat in reply["caveats"]:
        assert caveat["kind"] and caveat["message"] and caveat["count"] > 0
    if name != "wild_key_table":
        assert good["size"] < reply["size"] < good["size"] + 1000


def test_the_whole_frame(answers, kind, interpreter, debugger):
    found = answers(kind, interpreter, debugger)
    good = found["py-memory --frame 1 good --json"].reply
    for command in ("py-top --frame 1 --json", "py-mem-print --frame 1 --json"):
        reply = found[command].reply
        assert reply["caveats"] and reply["size"] > good["size"]
    names = [item["expr"] for item in found["py-top --frame 1 --json"].reply["items"]]
    assert {"good", "wild_item", "freed"} <= set(names)
    for command in ("py-top --frame 1", "py-mem-print --frame 1"):
        assert found[command].error is None
        assert "Traceback" not in found[command].output
    assert [i["function"] for i in found["py-frames --json"].reply["items"]] == [
        "wait", "look", "<module>"]


def test_goes_on(run_target, interpreter, debugger):
    target = run_target(interpreter, "corrupt.py")
    session.run(debugger, ["py-top --frame 1", "py-mem-print --frame 1", {"detach": 1}],
                attach=target.pid)
    assert target.finish() == {"length": 116}
