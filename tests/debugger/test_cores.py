"""The dump of a process gives the answers that the process gave while it lived."""

import json
import os
import shutil

import pytest

import matrix
import session
import target as targets

ZOO = ["py-top --frame 1 --limit 0 --json", "py-memory --frame 1 --json",
       "py-memory --frame 1 whole --json", "py-mem-print --frame 1 whole --depth 3 --limit 40 --json",
       "py-frames --json", "py-top --frame 1 --limit 200 --json strings",
       "py-memory os:environ sys:modules --json"]
TRAVERSE = ["py-config references traverse"]


def essence(reply):
    """What must be equal: all but what says where the answer comes from."""
    kept = {key: value for key, value in reply.items() if key not in ("target", "caveats", "undump")}
    return json.loads(json.dumps(kept))


def differences(got, expected, path="reply", limit=20):
    if isinstance(expected, dict) and isinstance(got, dict):
        out = []
        for key in sorted(set(got) | set(expected)):
            out += differences(got.get(key), expected.get(key), "%s.%s" % (path, key))
        return out[:limit]
    if isinstance(expected, list) and isinstance(got, list):
        out = []
        if len(got) != len(expected):
            out.append("%s: %d rows instead of %d" % (path, len(got), len(expected)))
        for n, (one, two) in enumerate(zip(got, expected)):
            out += differences(one, two, "%s[%d]" % (path, n))
        return out[:limit]
    return [] if got == expected else ["%s: %r instead of %r" % (path, got, expected)]


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    """zoo(interpreter): its live answers by gdb, and both kinds of core of that moment."""
    made = {}

    def get(interpreter):
        if interpreter.name not in made:
            target = targets.start(interpreter, "zoo.py", timeout=300)
            live = {}
            for debugger in (d for d in matrix.debuggers().values() if d.full):
                for measure in (TRAVERSE, []):
                    answers = session.run(debugger, measure + ZOO, attach=target.pid, timeout=300)
                    live[debugger.name, bool(measure)] = [
                        essence(a.reply) for a in answers[len(measure):]]
            cores = {"gcore": session.gcore(target.pid, tmp_path_factory.mktemp("core") / "gcore")}
            cores["kernel"] = targets.kernel_core(target)
            target.kill()
            made[interpreter.name] = live, cores
        return made[interpreter.name]

    return get


@pytest.mark.parametrize("measure", ["traverse", "owned"])
@pytest.mark.parametrize("origin", ["gcore", "kernel"])
def test_core_equals_live(zoo, interpreter, debugger, origin, measure):
    live, cores = zoo(interpreter)
    if cores[origin] is None:
        pytest.skip("core_pattern does not leave cores where the process died")
    before = TRAVERSE if measure == "traverse" else []
    answers = session.run(debugger, before + ZOO, core=cores[origin], exe=interpreter.path,
                          timeout=300)[len(before):]
    wrong = []
    for command, answer, expected in zip(ZOO, answers, live[debugger.name, bool(before)]):
        reply = answer.reply
        assert reply["target"]["kind"] == "core"
        wrong += ["%s: %s" % (command, line) for line in differences(essence(reply), expected)]
        wrong += ["%s: caveat %s" % (command, c) for c in reply["caveats"]
                  if c["kind"] != "anonymous-mapping"]  # the zoo has an mmap
    assert not wrong, "\n".join(wrong[:40])


def test_debuggers_agree(zoo, interpreter):
    live, _ = zoo(interpreter)
    names = sorted({name for name, _ in live})
    for name in names[1:]:
        for measure in (True, False):
            assert differences(live[name, measure], live[names[0], measure]) == []


def test_inject_off_equals_inject_on(shared_target, interpreter, debugger):
    target = shared_target(interpreter, "zoo.py")
    answers = session.run(debugger, ["py-config inject on"] + ZOO + ["py-config inject off"] + ZOO,
                          attach=target.pid, timeout=300)
    wrong = []
    for command, on, off in zip(ZOO, answers[1:], answers[2 + len(ZOO):]):
        wrong += ["%s: %s" % (command, line)
                  for line in differences(essence(off.reply), essence(on.reply))]
    assert not wrong, "\n".join(wrong[:40])


CRASHES = {
    "segfault": "segfault", "abort_in_thread": "worker_that_aborts",
    "overflow": "recurse_through_c", "fatal_error": "fatal_error", "killed": "wait",
}


@pytest.fixture(scope="module")
def crashed(library, tmp_path_factory):
    """crashed(interpreter, how): the core of a program that died so."""
    made = {}

    def get(interpreter, how):
        key = interpreter.name, how
        if key not in made:
            target = targets.start(interpreter, "crash.py", how, library,
                                   wait_ready=how == "killed")
            if how == "killed":
                made[key] = session.gcore(target.pid, tmp_path_factory.mktemp("core") / "core")
                target.kill()
            else:
                target.process.wait(120)
                # The kernel wrote it where the process stood, if it wrote one there.
                made[key] = targets.kernel_core(target)
        return made[key]

    return get


@pytest.mark.parametrize("how", CRASHES)
def test_crashes(crashed, interpreter, debugger, how):
    core = crashed(interpreter, how)
    if core is None:
        pytest.skip("core_pattern does not leave cores where the process died")
    answers = session.run(debugger, ["py-frames --json", "py-top --json", "py-frames", "py-top",
                                     "py-memory --all-threads --json"],
                          core=core, exe=interpreter.path, timeout=300)
    frames = answers[0].reply["items"]
    functions = [frame["function"].rpartition(".")[2] for frame in frames]
    assert CRASHES[how] in functions[:3], functions[:10]
    if how == "overflow":
        assert len(frames) > 100
    top = answers[1].reply
    # The frame that died, or wait() of the stage that it called.
    at = functions.index(CRASHES[how])
    if how != "killed":
        names = [item["expr"] for item in session.run(
            debugger, ["py-top --frame %d --json" % at], core=core,
            exe=interpreter.path)[0].reply["items"]]
        assert "cargo" in names
    assert top["command"] == "py-top"
    assert all(answer.error is None for answer in answers[2:4])
    if how == "abort_in_thread":
        everything = answers[4].reply["items"]
        assert {"abort_in_thread", "worker_that_aborts"} <= {
            item["function"].rpartition(".")[2] for item in everything}


# Of an installed Python, what the zoo does not need.
UNUSED = shutil.ignore_patterns("test", "tests", "site-packages", "config-*", "*.a", "idlelib",
                                "ensurepip", "include", "share")


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """A core of a Python that is not here any more, and a tree with its binaries."""
    made = {}

    def get(interpreter):
        if interpreter.name not in made:
            root = tmp_path_factory.mktemp("elsewhere")
            home = root / "gone"
            source = matrix.pathlib.Path(interpreter.path).resolve()
            if source.parents[1] == matrix.pathlib.Path("/usr"):
                (home / "bin").mkdir(parents=True)
                shutil.copy2(source, home / "bin" / "python")
                environment = {"PYTHONHOME": "/usr"}
            else:
                shutil.copytree(source.parents[1], home, symlinks=True, ignore=UNUSED)
                environment = {"LD_LIBRARY_PATH": str(home / "lib"), "PYTHONHOME": str(home)}
                (home / "bin" / "python").unlink()
                shutil.copy2(home / "bin" / source.name, home / "bin" / "python")
            target = targets.start(str(home / "bin" / "python"), "zoo.py", env=environment,
                                   timeout=300)
            gdb = matrix.debuggers()["gdb"]
            live = session.run(gdb, TRAVERSE + ZOO, attach=target.pid, timeout=300)[1:]
            core = session.gcore(target.pid, root / "core")
            target.kill()
            binaries = root / "binaries"
            shutil.move(str(home), str(binaries))
            made[interpreter.name] = core, binaries, [essence(a.reply) for a in live]
        return made[interpreter.name]

    return get


def test_core_from_elsewhere_with_its_binaries(elsewhere, interpreter, debugger):
    core, binaries, live = elsewhere(interpreter)
    answers = session.run(debugger, TRAVERSE + ["py-config binaries %s" % binaries] + ZOO, core=core,
                          timeout=300)[2:]
    wrong = []
    for command, answer, expected in zip(ZOO, answers, live):
        wrong += ["%s: %s" % (command, line)
                  for line in differences(essence(answer.reply), expected)]
    assert not wrong, "\n".join(wrong[:40])


def test_core_from_elsewhere_without_its_binaries(elsewhere, interpreter, debugger):
    """Known layouts instead of code: names, frames and the plain kinds are right, and
    the caveats tell what was read so."""
    core, _, live = elsewhere(interpreter)
    answers = session.run(debugger, TRAVERSE + ZOO, core=core, timeout=300)[1:]
    expected = live[ZOO.index("py-frames --json")]["items"]
    frames = answers[ZOO.index("py-frames --json")].json
    if "error" in frames:
        # Without a binary there are no symbols; from 3.13 on the core itself tells.
        assert interpreter.minor < (3, 13), frames
        assert "binaries" in frames["error"]["message"]
        return
    assert [(f["function"], f["line"]) for f in frames["items"]] == [
        (f["function"], f["line"]) for f in expected]
    reply = answers[0].reply
    assert reply["caveats"]
    told = {item["expr"]: item for item in reply["items"]}
    right = {item["expr"]: item for item in live[0]["items"]}
    for name in ("strings", "lists", "dicts", "sets"):
        assert told[name]["size_without_classes"] == right[name]["size_without_classes"], name


def test_a_truncated_core(zoo, interpreter, debugger, tmp_path):
    """What is not in the file is a caveat or a sentence, never a crash."""
    _, cores = zoo(interpreter)
    size = os.path.getsize(cores["gcore"])
    for part in (0.3, 0.7, 0.95):
        cut = tmp_path / "cut"
        shutil.copyfile(cores["gcore"], cut)
        os.truncate(cut, int(size * part))
        try:
            answers = session.run(debugger, ["py-frames --json", "py-memory --frame 1 --json"],
                                  core=cut, exe=interpreter.path, timeout=300)
        except session.SessionFailed as e:
            assert "step 0" in str(e) or "setup" in str(e), e  # the debugger refused the file
            continue
        for answer in answers:
            reply = answer.json
            assert reply.get("error", {}).get("message") or reply["caveats"], (part, reply)


def test_core_only_questions_on_a_live_process(shared_target, interpreter, debugger):
    target = shared_target(interpreter, "seed.py")
    answers = session.run(debugger, ["py-config binaries /usr", "py-memory --frame 1 --json"],
                          attach=target.pid)
    assert answers[1].reply["objects"] == 5
