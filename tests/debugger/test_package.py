"""The rememberme package as a second oracle: its own tests, translated to commands, and what
it answers where we differ on purpose. `references traverse` is its measure."""

import pytest

import matrix
import session

TRAVERSE = "py-config references traverse"


@pytest.fixture(scope="module")
def package(shared_target):
    """package(interpreter, debugger): (target, {(function, expressions): reply})"""
    done = {}

    def ask(interpreter, debugger):
        key = interpreter.name, debugger.name
        if key in done:
            return done[key]
        target = shared_target(interpreter.with_packages or interpreter, "package.py")
        # Frame 0 is the one that waits.
        number = {frame["function"]: n + 1 for n, frame in enumerate(target.frames)}
        wanted = [(function, expressions) for function, rows in target.info["expected"].items()
                  for expressions in rows]
        wanted.append(("a_function", "function"))
        commands = ["py-memory --json --frame %d %s" % (number[f], e) for f, e in wanted]
        tops = {"top": "py-top --json --frame %d" % number["test_top"],
                "top n": "py-top --json --limit 2 --frame %d n" % number["test_top"],
                "node": "py-memory --json --frame %d n n.__class__ a" % number["test_top"],
                "cycle": "py-top --json --frame %d root" % number["cycle"]}
        answers = session.run(debugger, [TRAVERSE] + commands + list(tops.values()),
                              attach=target.pid)[1:]
        replies = dict(zip(wanted + list(tops), answers))
        done[key] = target, {k: answer.reply for k, answer in replies.items()
                             if k != "node"}
        return done[key]

    return ask


def test_its_own_assertions(package, interpreter, debugger):
    target, replies = package(interpreter, debugger)
    for function, rows in target.info["expected"].items():
        for expressions, size in rows.items():
            reply = replies[function, expressions]
            assert (reply["size"], reply["caveats"]) == (size, []), (function, expressions)


def test_top(package, interpreter, debugger):
    _, replies = package(interpreter, debugger)
    locals_ = [item["expr"] for item in replies["top"]["items"]]
    assert locals_[0] == "n"  # an instance and its class
    assert locals_[1:4] == ["a", "b", "c"]
    first, second = replies["top n"]["items"]
    assert (first["expr"], first["type"]) == ("n", "Node") or first["type"].endswith(".Node")
    assert second["type"] == "type" and second["size"] < first["size"]


def test_shared_locals_are_counted_once(package, interpreter, debugger):
    """The package adds up the locals: what two of them share counts twice there."""
    target, replies = package(interpreter, debugger)
    ours, theirs = replies["shared_locals", ""]["size"], target.info["package"]["shared_locals"]
    locals_ = next(f for f in target.frames if f["function"] == "shared_locals")["locals"]
    assert ours == locals_["b"]["size"]
    assert theirs == locals_["a"]["size"] + locals_["b"]["size"]


def test_builtins_are_no_part_of_a_function(package, interpreter, debugger):
    """Since 3.10 a function leads to its builtins, and the package with it to all of them."""
    target, replies = package(interpreter, debugger)
    ours, theirs = replies["a_function", "function"]["size"], target.info["package"]["a_function"]
    if interpreter.minor >= (3, 10):
        assert theirs > ours + 20000
    else:
        assert theirs == ours


def test_cycles_do_not_depend_on_the_order(package, interpreter, debugger):
    """In a cycle the package ends at what it is working on: the size of what was met inside
    lacks what led to it."""
    target, replies = package(interpreter, debugger)
    sizes = {item["expr"]: item["size"] for item in replies["cycle"]["items"]}
    both = target.info["expected"]["cycle"]["second"]
    assert [sizes[name] for name in sizes if name.endswith(("[0]", "[1]")) and sizes[name] == both]
    assert target.info["package"]["cycle"] < both


def test_numpy_was_there(interpreter):
    if not interpreter.with_packages:
        pytest.skip("no packages for %s under %s" % (interpreter.name, matrix.BUILD))
