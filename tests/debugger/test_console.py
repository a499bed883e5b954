"""What a user types into the debugger itself, in batch mode, and what stands there then."""

import json

import pytest

import session

pytestmark = pytest.mark.every_debugger


def test_batch(subject, kind, interpreter, debugger):
    _, where = subject(kind, interpreter, "seed.py")
    text = session.console(debugger, ["py-top --frame 1", "py-mem-print --frame 1 b",
                                      "py-memory --frame 1 b --json"], **where)
    assert "list  b" in text
    assert text.count("┼") >= 4
    assert "Traceback" not in text and "\x1b[" not in text
    objects = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert [o["items"][0]["expr"] for o in objects] == ["b"]


def test_loading_it_twice(shared_target, interpreter, debugger):
    target = shared_target(interpreter, "seed.py")
    answers = session.run(debugger, [{"plugin": 1}, "py-memory --frame 1 b --json", {"plugin": 1},
                                     "py-memory --frame 1 b --json"], attach=target.pid)
    assert answers[1].reply == answers[3].reply
