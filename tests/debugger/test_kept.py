"""The graph of the heap that is kept at a stop: the second answer is the first, it is for one
stop only, and whatever goes wrong with it, the question is answered."""

import pytest

import matrix
import procstate
import session

# However small the heap is: copying it takes longer than building it anew
ALWAYS = {"python": "import rememberme.kept; rememberme.kept.FEWEST = 1"}
# Where it makes no difference which
PYTHON, DEBUGGER = (list(found.values())[0] for found in
                    (matrix.interpreters(), matrix.debuggers()))
QUIET = {"GLIBC_TUNABLES": "glibc.pthread.rseq=0"}

QUESTIONS = ["py-why --json %(suspect)s", "py-referrers --json %(suspect)s",
             "py-retained --json %(culprit)s", "py-retained --json leaks:CACHE leaks:BUS",
             "py-retained --json", "py-dominators --json --depth 2", "py-summary --json"]

EXCHANGE = """
import os
import rememberme.kept as kept
original = kept.Keeping.exchange
def exchange(self, state, snapshot, *pieces, **named):
    if state == %d:
        kept.Keeping.exchange = original
        os.kill(kept._pid_here(self._target.pid, snapshot), 9)
    return original(self, state, snapshot, *pieces, **named)
kept.Keeping.exchange = exchange
"""
OFFERED, WANTED = 4, 5

BREAK_COPY = """
import rememberme.kept as kept
kept.copy = kept._copy
def broken(*arguments):
    raise OSError("no space left")
kept._copy = broken
"""
MEND_COPY = "import rememberme.kept as kept\nkept._copy = kept.copy"


def essence(answer):
    """(which graph, the answer)"""
    reply = answer.reply
    for name in "process", "undump":  # these tell of the whole process, and of the run
        reply.pop(name, None)
    return reply.pop("graph"), reply


def graphs(answers):
    return [answer.json.get("graph", answer.json.get("error", {}).get("kind"))
            for answer in answers if answer.step.get("run", "").endswith("--json")]


@pytest.mark.parametrize("kind", ["live", "inject off", "core"])
def test_the_second_answer_is_the_first(shared_target, subject, interpreter, debugger, kind):
    if kind == "core":
        target, where = subject("core", interpreter, "leaks.py")
        options = []
    else:
        target = shared_target(interpreter, "leaks.py")
        where, options = {"attach": target.pid}, ["py-config inject off"] * (kind != "live")
    case = target.info["cases"]["class_attribute"]
    asked = [question % case for question in QUESTIONS]
    # Each after itself, and all after the last
    steps = [step for question in asked for step in (question, question)] + asked
    answers = session.run(debugger, [ALWAYS] + options + steps + ["py-config keep off"] + asked,
                          timeout=300, **where)[1 + len(options):]
    kept = [essence(answer) for answer in answers[:len(steps)]]
    anew = [essence(answer) for answer in answers[len(steps) + 1:]]
    assert [graph for graph, _ in kept] == ["built"] + ["kept"] * (len(steps) - 1)
    assert [graph for graph, _ in anew] == ["built"] * len(asked)
    for i, question in enumerate(asked):
        for _, reply in kept[2 * i], kept[2 * i + 1], kept[2 * len(asked) + i]:
            assert reply == anew[i][1], question


@procstate.in_three_tries
def test_nothing_stays_in_the_process(run_target, interpreter, debugger):
    target = run_target(interpreter, "leaks.py", env=QUIET)
    suspect = target.info["cases"]["class_attribute"]["suspect"]
    answers = session.run(debugger, [
        ALWAYS, {"state": 1}, "py-why %s --json" % suspect, "py-why %s --json" % suspect,
        "py-retained --json", {"state": 1}, {"detach": 1}], attach=target.pid)
    assert graphs(answers) == ["built", "kept", "kept"]
    differences = procstate.differences(answers[1].raw["state"], answers[5].raw["state"])
    assert not differences, "\n".join(differences[:30])
    assert target.finish()


def test_for_one_stop_only(run_target, interpreter, debugger):
    """The program runs, and the answer is of its heap as it is then."""
    target = run_target(interpreter, "grows.py")
    ask = "py-retained __main__:ROWS --json"
    native = {"native": {"gdb": "stepi", "lldb": "thread step-inst"}}
    steps = [ALWAYS, {"break": "getppid"}, {"go": target.fifo}, {"continue": 1}, ask, ask,
             {"continue": 1}, ask, ask, native, ask, "py-memory __main__:ROWS --json", ask,
             {"native": {"gdb": "call (int)getpid()", "lldb": "expression -- (int)getpid()"}}, ask,
             {"native": {"gdb": "set var *(char *)$rsp = *(char *)$rsp"}}, ask, {"clear": 1},
             {"detach": 1}]
    answers = session.run(debugger, steps, attach=target.pid)
    replies = [answer.reply for answer in answers if answer.step.get("run") == ask]
    changed = "built" if debugger.family == "gdb" else "kept"  # lldb has no such event
    assert [reply["graph"] for reply in replies] == [
        "built", "kept", "built", "kept", "built", "kept", "built", changed]
    objects = [reply["objects"] for reply in replies]
    assert objects[0] == objects[1]
    assert objects[2:] == [objects[2]] * 6 and objects[2] > objects[0]
    assert target.wait_result() == {"rows": 51}


def test_of_this_core_only(subject, debugger):
    """Whose file is as it was."""
    target, where = subject("core", PYTHON, "leaks.py")
    ask = "py-summary --json"
    touch = {"python": "import os; os.utime(%r)" % str(where["core"])}
    folder = "py-config binaries /usr/share"
    answers = session.run(debugger, [ALWAYS, ask, ask, touch, ask, ask, folder, ask, ask], **where)
    assert graphs(answers) == ["built", "kept"] * 3


def test_of_this_process_only(run_target, debugger):
    """Another one, one that is gone, and settings."""
    target, other = (run_target(PYTHON, "grows.py") for _ in range(2))
    ask = "py-summary --json"
    attach = {"native": {"gdb": "attach %d" % other.pid,
                         "lldb": "process attach -p %d" % other.pid}}
    steps = [ALWAYS, ask, ask, "py-config references traverse", ask, "py-config inject off", ask,
             ask, "py-config inject on", ask, {"kill": 1}, ask, attach, ask, ask,
             "py-config keep off", ask, "py-config keep on", ask, ask, {"detach": 1}]
    answers = session.run(debugger, steps, attach=target.pid)
    assert graphs(answers) == ["built", "kept", "kept", "built", "kept", "built", "no-target",
                               "built", "kept", "built", "built", "kept"]
    assert other.finish()


@pytest.mark.parametrize("when", ["offered", "wanted"])
def test_the_snapshot_is_killed_meanwhile(run_target, debugger, when):
    target = run_target(PYTHON, "grows.py")
    ask = "py-summary --json"
    kill = {"python": EXCHANGE % (OFFERED if when == "offered" else WANTED)}
    before = [ask] * (when == "wanted")
    answers = session.run(debugger, [ALWAYS] + before + [kill, ask, ask, ask, {"detach": 1}],
                          attach=target.pid)
    assert graphs(answers) == ["built"] * len(before) + ["died", *(
        ["built", "kept"] if when == "offered" else ["kept", "kept"])]
    assert procstate.children(target.pid) == []
    assert target.finish()


SLOW_COPY = """
import time
import rememberme.kept as kept
copy = kept._copy
def slow(source, destination, size, interrupted):
    kept._copy = copy
    end = time.monotonic() + 12
    while time.monotonic() < end:
        time.sleep(0.1)
        %s
    return copy(source, destination, size, interrupted)
kept._copy = slow
"""


@pytest.mark.parametrize("waits", [True, False])
def test_the_snapshot_has_patience(run_target, waits):
    """As long as something happens; else it goes on, and what is copied then is not kept."""
    target = run_target(PYTHON, "grows.py")
    ask = "py-summary --json"
    slow = {"python": SLOW_COPY % ("interrupted()" if waits else "pass")}
    answers = session.run(DEBUGGER, [ALWAYS, slow, ask, ask, ask, {"detach": 1}], attach=target.pid)
    assert graphs(answers) == ["built", "kept" if waits else "built", "kept"]
    assert target.finish()


def test_what_cannot_be_copied_is_built(run_target, debugger):
    target = run_target(PYTHON, "grows.py")
    ask = "py-summary --json"
    broken, mended = {"python": BREAK_COPY}, {"python": MEND_COPY}
    answers = session.run(debugger, [ALWAYS, broken, ask, ask, mended, ask, ask, broken, ask, ask,
                                     mended, ask, ask, {"detach": 1}], attach=target.pid)
    assert graphs(answers) == ["built", "built", "built", "kept", "built", "built", "built", "kept"]
    assert target.finish()
