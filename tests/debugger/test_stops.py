"""Stopped anywhere: the commands answer, nothing of the process is different afterwards,
and the program goes on to its right result."""

import time

import pytest

import procstate
import session
import target as targets

# The scheduler writes the number of the CPU into glibc's rseq area whenever it likes.
QUIET = {"GLIBC_TUNABLES": "glibc.pthread.rseq=0"}

COMMANDS = ["py-frames --json", "py-memory --json", "py-top --json", "py-mem-print --json",
            "py-memory --all-threads --json", "py-top os:environ --json", "py-frames --all-threads"]

# Where each scenario of targets/stops.py is stopped, and the Python function there.
STOPS = {
    "allocate": ("mmap", "allocate"),
    "collect": ("rme_test_stop", "collect"),
    "resize": ("munmap", "resize"),
    "handle": ("rme_test_stop", "handle"),
    "handle_python": ("rme_test_stop", "handler"),
    "many": ("rme_test_stop", "many"),
}

PASS_SIGNAL = {"native": {"gdb": "handle SIGUSR1 nostop noprint pass",
                          "lldb": "process handle SIGUSR1 --stop false --notify false --pass true"}}


@pytest.fixture(scope="module")
def result_alone(library):
    results = {}

    def get(interpreter, scenario):
        key = interpreter.name, scenario
        if key not in results:
            with targets.start(interpreter, "stops.py", scenario, library,
                               rests=scenario != "compute") as target:
                results[key] = target.finish()
        return results[key]

    return get


def unchanged(before, after):
    differences = procstate.differences(before.raw["state"], after.raw["state"])
    assert not differences, "\n".join(differences[:30])


def answered(answers):
    for answer in answers:
        if answer.step["run"].endswith("--json"):
            assert answer.reply["caveats"] == [] or answer.reply["caveats"], answer
        else:
            assert answer.error is None, answer


@pytest.mark.parametrize("scenario", STOPS)
@procstate.in_three_tries
def test_stopped_at(run_target, library, result_alone, interpreter, debugger, scenario):
    function, python_function = STOPS[scenario]
    target = run_target(interpreter, "stops.py", scenario, library, env=QUIET)
    steps = [PASS_SIGNAL, {"break": function}, {"go": target.fifo}, {"continue": 1}, {"where": 1},
             {"state": 1}]
    steps += COMMANDS
    steps += [{"state": 1}, {"where": 1}, {"clear": 1}, {"detach": 1}]
    answers = session.run(debugger, steps, attach=target.pid)
    where, before = answers[4:6]
    assert function in where.raw["names"][0], where  # "__GI___munmap"
    commands = answers[6:6 + len(COMMANDS)]
    answered(commands)
    after, there = answers[6 + len(COMMANDS):8 + len(COMMANDS)]
    unchanged(before, after)
    assert there.raw == where.raw
    frames = commands[0].reply["items"]
    assert frames[0]["function"].rpartition(".")[2] == python_function
    local = "local" if python_function == "handler" else "mine"
    assert local in [item["expr"] for item in commands[2].reply["items"]]
    assert target.wait_result() == result_alone(interpreter, scenario)


def test_malloc_holds_its_lock(run_target, library, interpreter, debugger):
    """The scenario above is what it says: malloc is among the callers."""
    target = run_target(interpreter, "stops.py", "allocate", library)
    answers = session.run(debugger, [{"break": "mmap"}, {"go": target.fifo}, {"continue": 1},
                                     {"where": 1}, {"clear": 1}, {"detach": 1}],
                          attach=target.pid, symbols=True)
    assert any("malloc" in (name or "").lower() for name in answers[3].raw["names"]), answers[3]


@pytest.mark.parametrize("scenario", ["sleep", "compute"])
@procstate.in_three_tries
def test_stopped_while_it_runs(run_target, library, result_alone, interpreter, debugger, scenario):
    """Attached at a moment of the scheduler's choice."""
    target = run_target(interpreter, "stops.py", scenario, library, env=QUIET,
                        rests=scenario != "compute")
    steps = [{"state": 1}] + COMMANDS + [{"state": 1}, {"detach": 1}]
    answers = session.run(debugger, steps, attach=target.pid)
    answered(answers[1:-2])
    unchanged(answers[0], answers[-2])
    assert answers[1].reply["items"][0]["function"].rpartition(".")[2] in (
        scenario, "select_go", "__call__")
    assert target.finish() == result_alone(interpreter, scenario)


@procstate.in_three_tries
def test_stopped_in_a_thread_that_is_not_pythons(run_target, library, result_alone, interpreter,
                                                 debugger):
    target = run_target(interpreter, "stops.py", "foreign", library, env=QUIET)
    steps = [{"break": "rme_test_stop"}, {"go": target.fifo}, {"continue": 1}, {"where": 1},
             {"state": 1}, "py-memory os:environ --json", "py-frames --all-threads --json",
             "py-top --json", "py-top", {"state": 1}, {"clear": 1}, {"detach": 1}]
    answers = session.run(debugger, steps, attach=target.pid)
    assert answers[3].raw["lwp"] != target.pid
    assert answers[5].reply["size"] > 0
    assert answers[6].reply["items"][0]["function"] in ("foreign", "write")
    assert answers[7].json["error"]["kind"] == "no-python-thread"
    assert "Traceback" not in (answers[8].error or "") and answers[8].error
    unchanged(answers[4], answers[9])
    assert target.wait_result() == result_alone(interpreter, "foreign")


def test_two_hundred_threads(run_target, library, interpreter, debugger):
    target = run_target(interpreter, "stops.py", "many", library)
    answers = session.run(debugger, ["py-frames --all-threads --json", "py-memory --all-threads --json",
                                     {"detach": 1}], attach=target.pid)
    items = answers[0].reply["items"]
    waiting = [i for i in items if i["function"].rpartition(".")[2] == "wait_in_thread"]
    assert len(waiting) == 200
    assert len({i["thread"] for i in waiting}) == len({i["lwp"] for i in waiting}) == 200
    assert [i["function"].rpartition(".")[2] for i in items if i["lwp"] == target.pid] == [
        "wait", "many", "main", "<module>"]
    assert len(answers[1].reply["items"]) == len(items)
    target.finish()


@procstate.in_three_tries
def test_nothing_is_left_behind(run_target, interpreter, debugger):
    """The process that nobody is attached to any more, against itself before."""
    target = run_target(interpreter, "seed.py", env=QUIET)
    before = procstate.read(target.pid, procstate.stack_pointer(target.pid))
    session.run(debugger, COMMANDS + ["py-memory --frame 1 nothing", {"detach": 1}],
                attach=target.pid)
    time.sleep(0.05)
    after = procstate.read(target.pid, procstate.stack_pointer(target.pid))
    differences = procstate.differences(before, after)
    assert not differences, "\n".join(differences[:30])
    target.finish()
