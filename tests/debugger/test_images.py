"""An image answers every question at a stop: the answers are those of an image of their own, it is
for one stop only, and whatever becomes of it, the question is answered."""

import pytest

import matrix
import procstate
import session

# Where it makes no difference which
PYTHON, DEBUGGER = (list(found.values())[0] for found in
                    (matrix.interpreters(), matrix.debuggers()))
QUIET = {"GLIBC_TUNABLES": "glibc.pthread.rseq=0"}

QUESTIONS = ["py-why --json %(suspect)s", "py-referrers --json %(suspect)s",
             "py-retained --json %(culprit)s", "py-retained --json leaks:CACHE leaks:BUS",
             "py-retained --json", "py-dominators --json --depth 2", "py-summary --json",
             "py-memory --json %(culprit)s", "py-top --json", "py-types --json"]

DROP = {"python": "import rememberme.image; rememberme.image.drop()"}
PID = {"python": "import builtins, rememberme.image; "
                 "value = builtins.rememberme_test_pid = rememberme.image._current.image._pid"}
KILL = {"python": "import os, rememberme.image; os.kill(rememberme.image._current.image._pid, 9)"}


def essence(answer):
    """(which graph, the answer)"""
    reply = answer.reply
    for name in "process", "undump":  # these tell of the whole process, and of the run
        reply.pop(name, None)
    return reply.pop("graph", None), reply


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
    alone = [step for question in asked for step in (DROP, question)]
    answers = [answer for answer in session.run(debugger, options + steps + alone, timeout=300,
                                                **where)[len(options):] if "run" in answer.step]
    kept = [essence(answer) for answer in answers[:len(steps)]]
    anew = [essence(answer) for answer in answers[len(steps):]]
    assert [graph for graph, _ in kept if graph] == ["built"] + ["kept"] * (7 * 3 - 1)
    assert [graph for graph, _ in anew if graph] == ["built"] * 7
    for i, question in enumerate(asked):
        for _, reply in kept[2 * i], kept[2 * i + 1], kept[2 * len(asked) + i]:
            assert reply == anew[i][1], question


@procstate.in_three_tries
def test_nothing_stays_in_the_process(run_target, interpreter, debugger):
    """Not even while the snapshot lives."""
    target = run_target(interpreter, "leaks.py", env=QUIET)
    suspect = target.info["cases"]["class_attribute"]["suspect"]
    answers = session.run(debugger, [
        {"state": 1}, "py-why %s --json" % suspect, {"state": 1}, "py-why %s --json" % suspect,
        "py-retained --json", {"state": 1}, {"detach": 1}], attach=target.pid)
    assert graphs(answers) == ["built", "kept", "kept"]
    for later in 2, 5:
        differences = procstate.differences(answers[0].raw["state"], answers[later].raw["state"])
        assert not differences, "\n".join(differences[:30])
    assert target.finish()


def test_for_one_stop_only(run_target, interpreter, debugger):
    """The program runs, and the answer is of its heap as it is then."""
    target = run_target(interpreter, "grows.py")
    ask = "py-retained __main__:ROWS --json"
    native = {"native": {"gdb": "stepi", "lldb": "thread step-inst"}}
    steps = [{"break": "getppid"}, {"go": target.fifo}, {"continue": 1}, ask, ask,
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
    answers = session.run(debugger, [ask, ask, touch, ask, ask, folder, ask, ask], **where)
    assert graphs(answers) == ["built", "kept"] * 3


def test_of_this_process_only(run_target, debugger):
    """Another one, one that is gone, and settings."""
    target, other = (run_target(PYTHON, "grows.py") for _ in range(2))
    ask = "py-summary --json"
    attach = {"native": {"gdb": "attach %d" % other.pid,
                         "lldb": "process attach -p %d" % other.pid}}
    steps = [ask, ask, "py-config references traverse", ask, "py-config inject off", ask,
             ask, "py-config inject on", ask, {"kill": 1}, ask, attach, ask, ask, {"detach": 1}]
    answers = session.run(debugger, steps, attach=target.pid)
    assert graphs(answers) == ["built", "kept", "kept", "built", "kept", "built", "no-target",
                               "built", "kept"]
    assert other.finish()


def test_the_snapshot_is_killed(run_target, debugger):
    """Between two questions: this one is answered from outside, the next one has another."""
    target = run_target(PYTHON, "grows.py")
    ask = "py-summary --json"
    answers = session.run(debugger, [ask, ask, KILL, ask, ask, ask, {"detach": 1}],
                          attach=target.pid)
    assert graphs(answers) == ["built", "kept", "built", "built", "kept"]
    notes = [[caveat["message"] for caveat in answer.reply["caveats"]
              if caveat["kind"] == "hands-off"] for answer in answers if "run" in answer.step]
    assert [len(found) for found in notes] == [0, 0, 1, 0, 0] and "killed" in notes[2][0]
    assert target.finish()


def test_the_snapshot_and_its_process(run_target, debugger):
    """It is no child, has nothing open and hears no signals; the process goes on, and it ends."""
    target = run_target(PYTHON, "grows.py")
    answers = session.run(debugger, [
        "py-summary --json", PID, {"python": """
import os, rememberme.image
pid = rememberme.image._current.image._pid
status = dict(line.split(":", 1) for line in open("/proc/%d/status" % pid) if ":" in line)
value = [status[name].strip() for name in ("PPid", "NoNewPrivs", "Seccomp")]
value += [os.listdir("/proc/%d/fd" % pid), open("/proc/%d/oom_score_adj" % pid).read().strip()]"""},
        {"detach": 1}], attach=target.pid)
    pid = answers[1].raw["value"]
    parent, *others = answers[2].raw["value"]
    assert int(parent) != target.pid
    assert others == ["1", "2", [], "1000"]
    assert procstate.gone(pid)
    assert procstate.children(target.pid) == []
    assert target.finish()


def test_it_ends_when_the_process_goes_on(run_target, debugger):
    """Though nobody asks: each page that the process writes would be copied for it."""
    target = run_target(PYTHON, "grows.py")
    answers = session.run(debugger, ["py-summary --json", PID, {"detach": 1}, {"python": """
import builtins, time
end = time.monotonic() + 20
while time.monotonic() < end:
    try:
        with open("/proc/%d/stat" % builtins.rememberme_test_pid) as stat:
            if stat.read().rpartition(")")[2].split()[0] in "ZX":
                break
    except OSError:
        break
    time.sleep(0.05)
value = time.monotonic() < end"""}], attach=target.pid)
    assert answers[3].raw["value"] is True
    assert target.finish()


def test_shared_memory_is_read_only_in_it(run_target, debugger):
    target = run_target(PYTHON, "grows.py", "shared")
    answers = session.run(debugger, ["py-summary --json", {"python": """
import rememberme.image
pid = rememberme.image._current.image._pid
value = [line.split()[1] for line in open("/proc/%d/maps" % pid) if line.split()[1][3] == "s"]"""},
        {"detach": 1}], attach=target.pid)
    found = answers[1].raw["value"]
    assert found and not [flags for flags in found if "w" in flags], found
    with open("/proc/%d/maps" % target.pid) as maps:
        assert [line for line in maps if line.split()[1] == "rw-s"]
    assert target.finish()
