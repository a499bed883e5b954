"""`a = [1, 2, 3]; b = [a, a, a]`: every command on an example, the same
in each debugger, alive and dead."""

import pytest

import session

pytestmark = pytest.mark.every_debugger

COMMANDS = ["py-memory --frame 1 a", "py-memory --frame 1 b", "py-memory --frame 1 a b",
            "py-memory --frame 1", "py-top --frame 1", "py-mem-print --frame 1 b",
            "py-mem-print --frame 1", "py-top --frame 1 b"]


@pytest.fixture(scope="module")
def seen(subject):
    """seen(kind, interpreter, debugger): (what the oracle says of main, answers, texts)"""
    done = {}

    def look(kind, interpreter, debugger):
        key = kind, interpreter.name, debugger.name
        if key not in done:
            target, where = subject(kind, interpreter, "seed.py")
            traverse = ["py-config references traverse"]
            answers = session.run(
                debugger, traverse + [c + " --json" for c in COMMANDS] + COMMANDS, **where)[1:]
            jsons = dict(zip(COMMANDS, answers))
            texts = dict(zip(COMMANDS, answers[len(COMMANDS):]))
            done[key] = target.frames[0], jsons, texts
        return done[key]

    return look


def figures(row):
    return row["size"], row["objects"], row["size_without_classes"]


def test_memory(seen, kind, interpreter, debugger):
    frame, answers, _ = seen(kind, interpreter, debugger)
    for name in "ab":
        reply = answers["py-memory --frame 1 " + name].reply
        item, = reply["items"]
        local = frame["locals"][name]
        assert reply["command"] == "py-memory"
        assert reply["python"] == interpreter.version
        assert reply["target"]["kind"] == kind
        assert reply["references"] == "traverse"
        assert reply["caveats"] == []
        assert figures(item) == figures(reply) == figures(local)
        assert (item["expr"], item["type"], item["address"]) == (name, "list", local["address"])
    assert answers["py-memory --frame 1 b"].reply["objects"] == 5


def test_together(seen, kind, interpreter, debugger):
    frame, answers, _ = seen(kind, interpreter, debugger)
    reply = answers["py-memory --frame 1 a b"].reply
    assert [item["expr"] for item in reply["items"]] == ["a", "b"]
    assert figures(reply) == figures(frame["locals"]["b"])


def test_frame_weighs_what_b_weighs(seen, kind, interpreter, debugger):
    frame, answers, _ = seen(kind, interpreter, debugger)
    reply = answers["py-memory --frame 1"].reply
    item, = reply["items"]
    assert figures(reply) == figures(item) == figures(frame) == figures(frame["locals"]["b"])
    assert item["expr"] is None and item["frame"] == 1
    assert (item["function"], item["file"], item["line"]) == (
        "main", frame["file"], frame["line"])


def test_top(seen, kind, interpreter, debugger):
    frame, answers, _ = seen(kind, interpreter, debugger)
    reply = answers["py-top --frame 1"].reply
    assert [item["expr"] for item in reply["items"]] == ["b", "a"]
    for item in reply["items"]:
        assert figures(item) == figures(frame["locals"][item["expr"]])
    assert figures(reply) == figures(frame)


def test_tree(seen, kind, interpreter, debugger):
    frame, answers, _ = seen(kind, interpreter, debugger)
    a, b = frame["locals"]["a"], frame["locals"]["b"]
    tree = answers["py-mem-print --frame 1 b"].reply["tree"]
    assert (tree["label"], tree["address"], tree["size"]) == ("b", b["address"], b["size"]) or (
        tree["label"] is None and (tree["address"], tree["size"]) == (b["address"], b["size"]))
    assert [child["address"] for child in tree["children"]] == [a["address"]] * 3
    for child in tree["children"]:
        assert child["size"] == a["size"]
        assert [(n["type"], n["size"]) for n in child["children"]] == [("int", 28)] * 3
        assert child["more"] == {"children": 0, "size": 0}


def test_text(seen, kind, interpreter, debugger, golden):
    _, _, texts = seen(kind, interpreter, debugger)
    text = ""
    for command, answer in texts.items():
        assert answer.error is None, answer
        text += "(debugger) %s\n%s\n" % (command, answer.output)
    golden("seed-%d.%d.txt" % interpreter.minor, text)
