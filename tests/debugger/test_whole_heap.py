"""The questions about the whole heap in each debugger, on a program that knows its
culprits: alive, and on its core, with the same answers."""

import pytest

import session
import target as targets

GENERAL = ["py-types --json --limit 0", "py-types --json --by module", "py-types --json --by length",
           "py-types --json --sort count leaks:CACHE", "py-retained --json",
           "py-retained --json leaks:CACHE leaks:BUS", "py-dominators --json --depth 2",
           "py-dominators --json leaks:CACHE", "py-summary --json"]
# What is different when the same process is looked at in another way: where the memory is
ELSEWHERE = ("target", "process", "caveats", "undump")
# Of 1 MB: what blocks take beside sys.getsizeof, and what the interpreter keeps for the next
# frame or tuple instead of giving it back (up to 3.10 a whole frame)
TOLERANCE = 4000


def questions(cases):
    found = list(GENERAL)
    for name in sorted(cases):
        found += ["py-why --json %s" % cases[name]["suspect"],
                  "py-retained --json %s" % cases[name]["culprit"],
                  "py-referrers --json %s" % cases[name]["suspect"]]
    return found


def ask(debugger, cases, **where):
    asked = questions(cases)
    answers = session.run(debugger, asked, timeout=300, **where)
    return {question: answer.reply for question, answer in zip(asked, answers)}


def essence(reply):
    return {key: value for key, value in reply.items() if key not in ELSEWHERE}


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """seen(interpreter, debugger): (the cases, answers alive, of the core, what was freed)"""
    done = {}

    def look(interpreter, debugger):
        key = interpreter.name, debugger.name
        if key not in done:
            target = targets.start(interpreter, "leaks.py")
            try:
                cases = target.info["cases"]
                live = ask(debugger, cases, attach=target.pid)
                core = session.gcore(target.pid, tmp_path_factory.mktemp("core") / "core")
                dead = ask(debugger, cases, core=core, exe=interpreter.path)
                core.unlink()
                done[key] = cases, live, dead, target.finish()["freed"]
            finally:
                target.kill()
        return done[key]

    return look


def test_culprits(seen, interpreter, debugger):
    cases, live, _, _ = seen(interpreter, debugger)
    for name, case in cases.items():
        path = live["py-why --json %s" % case["suspect"]]["paths"][0]
        assert path["root"].startswith(case["root"]), name
        if case["labels"] is not None:
            assert [step["label"] for step in path["steps"]] == case["labels"], name
        assert path["steps"][-1]["address"] == case["suspect"], name


def test_referrers(seen, interpreter, debugger):
    """A direct holder with a name for the place: the list that a key or attribute holds."""
    cases, live, _, _ = seen(interpreter, debugger)
    items = live["py-referrers --json %s" % cases["class_attribute"]["suspect"]]["items"]
    assert [(item["type"], item["label"]) for item in items] == [("dict", '["rows"]')]
    items = live["py-referrers --json %s" % cases["held_by_c"]["suspect"]]["items"]
    assert [(item["root"], item["address"], item["references"]) for item in items] == [
        ("C (1 reference)", None, 1)]


def test_retained_is_what_is_freed(seen, interpreter, debugger):
    cases, live, _, freed = seen(interpreter, debugger)
    for name, case in cases.items():
        item, = live["py-retained --json %s" % case["culprit"]]["items"]
        assert abs(item["retained"] - freed[name]) < TOLERANCE, (name, item, freed[name])


def test_live_equals_core(seen, interpreter, debugger):
    _, live, dead, _ = seen(interpreter, debugger)
    for question in live:
        assert essence(dead[question]) == essence(live[question]), question
        assert dead[question]["caveats"] == live[question]["caveats"] == [], question


def test_it_adds_up(seen, interpreter, debugger):
    _, live, dead, _ = seen(interpreter, debugger)
    types = live["py-types --json --limit 0"]
    assert sum(item["size"] for item in types["items"]) == types["size"]
    assert sum(item["objects"] for item in types["items"]) == types["objects"]
    modules = live["py-types --json --by module"]
    assert (sum(item["size"] for item in modules["items"]) + modules["more"]["size"]
            == modules["size"] == types["size"])
    tree = live["py-dominators --json --depth 2"]["tree"]
    assert sum(child["size"] for child in tree["children"]) + tree["more"]["size"] == tree["size"]
    assert tree["size"] == types["size"]
    for reply in live["py-summary --json"], dead["py-summary --json"]:
        memory = reply["process"]["memory"]
        parts = [reply["size"], memory["rest"]] + [part["size"] for part in memory["parts"]]
        if reply["arenas"]:
            parts.append(reply["arenas"]["free"])
        assert sum(parts) == memory["total"]
        assert reply["size"] == types["size"]
    assert [holder["root"] for holder in live["py-summary --json"]["holders"]].count(
        "module leaks") >= 3
    assert "leaks" in [item["module"] for item in live["py-retained --json"]["modules"]]
