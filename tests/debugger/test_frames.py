"""Which Python frame belongs to the frame that is selected in the debugger."""

import pytest

import session

pytestmark = pytest.mark.every_debugger

FUNCTIONS = ["wait", "innermost", "called_back_by_sorted", "generate", "Body", "outermost",
             "<module>"]
EVAL = "_PyEval_EvalFrameDefault"

# Selects the C frame that runs the n-th activation of the eval loop, from inside.
SELECT = {
    "gdb": """
import gdb
frame, found = gdb.newest_frame(), 0
while frame is not None:
    if frame.name() == %r:
        if found == %d:
            frame.select()
            break
        found += 1
    frame = frame.older()
value = frame is not None
""",
    "lldb": """
thread = driver.process.GetSelectedThread()
value = False
found = []  # by CFA: of some activations lldb has only what is inlined into them
for frame in thread:
    if frame.GetSymbol().GetName() == %r and frame.GetCFA() not in found:
        if len(found) == %d:
            thread.SetSelectedFrame(frame.GetFrameID())
            value = True
            break
        found.append(frame.GetCFA())
""",
}


def last(name):
    return name.rpartition(".")[2]


COMMANDS = (["py-frames --json", "py-frames"]
            + ["py-top --frame %d --limit 0 --json" % n for n in range(7)]
            + ["py-memory --frame 1 here[0] --json", "py-memory --frame 3 held[0] --json",
               "py-memory --frame 4 inside --json", "py-memory --frame 1 functools:partial --json",
               "py-memory --frame 1 len --json", "py-memory --frame 2 stage --json"])


@pytest.fixture(scope="module")
def seen(subject):
    """seen(kind, interpreter, debugger): (the target, the answers to all questions here)"""
    done = {}

    def look(kind, interpreter, debugger):
        key = kind, interpreter.name, debugger.name
        if key not in done:
            target, where = subject(kind, interpreter, "nested.py")
            steps = []
            for n in range(7):
                steps += [{"python": SELECT[debugger.family] % (EVAL, n)}, "py-frames --json",
                          "py-memory --json"]
            done[key] = target, session.run(debugger, COMMANDS + [{"where": 1}] + steps,
                                            symbols=True, **where)
        return done[key]

    return look


def test_frames(seen, kind, interpreter, debugger):
    target, answers = seen(kind, interpreter, debugger)
    items = answers[0].reply["items"]
    assert [last(i["function"]) for i in items] == FUNCTIONS
    assert [i["frame"] for i in items] == list(range(len(FUNCTIONS)))
    assert [i["selected"] for i in items] == [True] + [False] * (len(FUNCTIONS) - 1)
    assert {i["lwp"] for i in items} == {target.pid}
    for item in items:
        assert item["file"].endswith((".py")) and item["line"] > 0
    assert len(answers[1].output.splitlines()) >= len(FUNCTIONS) + 1


def test_locals_of_every_kind_of_frame(seen, kind, interpreter, debugger):
    _, answers = seen(kind, interpreter, debugger)
    names = [sorted(i["expr"] for i in answer.reply["items"]) for answer in answers[2:9]]
    assert names[1] == ["here", "one", "two"]
    assert names[2] == ["mine", "values"]
    assert names[3] == ["held", "i", "limit"]
    assert set(names[4]) >= {"inside", "__module__", "__qualname__"}
    assert names[5] == ["free"]
    assert set(names[6]) >= {"innermost", "generate", "functools"}


def test_selected_frame(seen, subject, kind, interpreter, debugger):
    """Up and down in C move among the Python frames. From 3.11 on several of them share
    one activation of the eval loop: then the innermost of them is meant."""
    answers = seen(kind, interpreter, debugger)[1][len(COMMANDS):]
    if "_start" not in answers[0].raw["names"]:
        # In the eval loop of these, built by gcc -O3.
        assert debugger.family == "lldb" and interpreter.minor >= (3, 11)
        pytest.skip("%s does not unwind the stack to its end" % debugger.name)
    if not any((name or "").partition(".")[0] == EVAL for name in answers[0].raw["names"]):
        # gcc 16 cuts the eval loop into functions without names: that is said, not guessed.
        _, where = subject(kind, interpreter, "nested.py")
        up = {"native": {"gdb": "up 3", "lldb": "frame select 3"}}
        answers = session.run(debugger, [up, "py-memory --json", "py-memory --frame 1 --json"],
                              symbols=True, **where)
        assert answers[1].json["error"]["kind"] == "no-symbols"
        assert answers[2].reply["items"][0]["frame"] == 1
        return
    answers = answers[1:]
    numbers = []
    for n in range(7):
        if not answers[3 * n].raw["value"]:
            break
        items = answers[3 * n + 1].reply["items"]
        selected = [i["frame"] for i in items if i["selected"]]
        assert selected == [i["frame"] for i in answers[3 * n + 2].reply["items"]]
        numbers += selected
    if not numbers:
        # What runs is a part of the loop that gcc moved away, and its name is not exported.
        assert debugger.family == "lldb" and interpreter.minor >= (3, 14)
        pytest.skip("no name tells the eval loop here: test_c_frames_without_names")
    assert numbers == sorted(set(numbers)) and numbers[0] == 0
    functions = [FUNCTIONS[n] for n in numbers]
    if interpreter.minor < (3, 11):
        assert functions == FUNCTIONS
    else:
        # A call from C begins an activation: wait runs in innermost's, and so on.
        assert functions[0] == "wait"
        assert "called_back_by_sorted" in functions
        assert "innermost" not in functions
        assert len(functions) < len(FUNCTIONS)


# Selects the C frame of that level, if there is one.
LEVEL = {
    "gdb": """
import gdb
frame = gdb.newest_frame()
for _ in range(%d):
    frame = frame and frame.older()
if frame is not None:
    frame.select()
value = frame is not None
""",
    "lldb": """
thread = driver.process.GetSelectedThread()
value = thread.GetFrameAtIndex(%d).IsValid()
if value:
    thread.SetSelectedFrame(%d)
""",
}


def test_c_frames_without_names(subject, kind, interpreter, debugger):
    """Since 3.12 the stack alone tells which activation a C frame is in, where no name does
    (parts that the compiler moved away, handlers that are tail-called)."""
    if interpreter.minor < (3, 12):
        return
    target, options = subject(kind, interpreter, "nested.py")
    steps = []
    for level in range(40):
        code = LEVEL[debugger.family]
        steps += [{"python": code % ((level,) * code.count("%d"))}, "py-frames --json"]
    answers = session.run(debugger, [{"where": 1}] + steps, symbols=True, **options)
    if "_start" not in answers.pop(0).raw["names"]:
        assert debugger.name == "lldb-19" and interpreter.name in ("3.11", "3.12")
        pytest.skip("%s does not unwind the stack to its end" % debugger.name)
    numbers = []
    for selected, frames in zip(answers[::2], answers[1::2]):
        if selected.raw["value"]:
            numbers += [item["frame"] for item in frames.reply["items"] if item["selected"]]
    # Outside of the outermost activation there is no Python frame: the innermost is meant.
    while numbers[-1] == 0 and len(numbers) > 1:
        numbers.pop()
    assert numbers == sorted(numbers)
    functions = [FUNCTIONS[n] for n in sorted(set(numbers))]
    assert functions[0] == "wait" and "innermost" not in functions
    assert "called_back_by_sorted" in functions and len(functions) >= 3


def test_paths_through_the_frame(seen, kind, interpreter, debugger):
    answers = seen(kind, interpreter, debugger)[1][9:len(COMMANDS)]
    types = [answer.reply["items"][0]["type"] for answer in answers]
    assert types == ["str", "str", "list", "type", "builtin_function_or_method", "module"]
    assert answers[5].reply["objects"] > 10
