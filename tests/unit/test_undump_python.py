"""The real helper in undump: the same answers from a stopped process, from a gcore and
from the kernel's core, equal to what the interpreter says of itself; and what remains
of them when the core is cut or its binaries are gone."""

import os
import shutil
import subprocess

import pytest

import cores
import matrix
import target as targets
import undump

TOP, FRAMES = 2, undump.FRAMES
TRAVERSE_ONLY = 1
FIGURES = ("size", "objects", "size_without_classes")


class Stage:
    """The zoo, frozen; its answers, alive and dead."""

    def __init__(self, interpreter):
        # What stands above the frames on the main thread's stack.
        self.target = targets.start(interpreter, "zoo.py", env={"PADDING": "x" * 8 * cores.PAGE})
        cores.freeze(self.target)
        self.pid = self.target.pid
        self.frames = self.target.info["frames"]
        self.thread_pointer = cores.thread_pointer(self.pid)
        cores.freeze(self.target)
        self.live = self.answers(self.pid)
        self.gcore = cores.gcore(self.pid, self.target.directory)
        self.kernel = cores.kernel_core(self.target)

    def ask(self, source, query, flags=0):
        more = {}
        if isinstance(source, int):
            more = {"thread_pointer": self.thread_pointer, "lwp": self.pid,
                    "threads": [(1, self.pid, self.thread_pointer)]}
        answer = undump.ask(source, undump.request(query, flags=flags, **more),
                            library=matrix.helper_library())
        assert answer.kind is None, answer.output[:2000]
        return answer.json

    def answers(self, source):
        found = {}
        for name, query, flags in (("frames", FRAMES, 0), ("top", TOP, 0),
                                   ("traverse", FRAMES, TRAVERSE_ONLY)):
            reply = self.ask(source, query, flags)
            found[name] = {key: value for key, value in reply.items() if key != "undump"}
            assert reply["undump"]["caveats"] == []
        return found


@pytest.fixture(scope="module")
def stages():
    made = {}
    yield made
    for stage in made.values():
        stage.target.kill()
        shutil.rmtree(stage.target.directory, ignore_errors=True)


@pytest.fixture
def stage(stages, interpreter):
    if interpreter.name not in stages:
        stages[interpreter.name] = Stage(interpreter)
    return stages[interpreter.name]


@pytest.mark.parametrize("way", ["gcore", "kernel"])
def test_core_equals_live(stage, way):
    core = getattr(stage, way)
    if core is None:
        pytest.skip("core_pattern sends cores elsewhere")
    for name, answer in stage.answers(core).items():
        assert answer == stage.live[name], name


def test_equals_the_interpreter(stage):
    """Sizes to the byte, by the measure that an interpreter can take itself. Frame 0
    is the one that waits."""
    frames = stage.live["traverse"]["items"][1:]
    assert [f["function"].rpartition(".")[2] for f in frames] == \
        [f["function"] for f in stage.frames]
    for got, want in zip(frames, stage.frames):
        assert {k: got[k] for k in FIGURES} == {k: want[k] for k in FIGURES}, got["function"]




def test_cut_anywhere(stage, interpreter, tmp_path):
    """A hundred places: an answer with a caveat, or one sentence, never a crash."""
    path = tmp_path / "core"
    shutil.copy(stage.kernel or stage.gcore, path)
    size = path.stat().st_size
    # Versions differ in what is where, not in how it is read: a few places for most.
    for i in range(99, -1, -1 if interpreter.name in (matrix.DEBIAN, "3.13") else -11):
        os.truncate(path, size * i // 100)
        answer = undump.ask(path, undump.request(undump.FRAMES), library=matrix.helper_library())
        assert answer.kind not in ("died", "system", "bad-request"), answer.output
        if "undump" in answer.json:
            assert "truncated-core" in [c["kind"] for c in answer.json["undump"]["caveats"]]
            assert answer.json["undump"]["missing"]["bytes"] > 0
        else:
            assert answer.kind in ("not-a-core", "damaged-core") and str(path) in answer.message


def test_the_end_is_cut(stage, tmp_path):
    """The last pages are the environment: nothing that matters."""
    data = stage.kernel.read_bytes() if stage.kernel else pytest.skip("no kernel core")
    path = tmp_path / "core"
    path.write_bytes(data[:-4 * cores.PAGE])
    answer = undump.ask(path, undump.request(undump.FRAMES), library=matrix.helper_library())
    assert answer.kind is None, answer.output
    assert answer.json["items"] == stage.live["frames"]["items"]
    assert [c["kind"] for c in answer.json["undump"]["caveats"]] == ["truncated-core"]


@pytest.fixture
def uninstalled(interpreter, tmp_path):
    """An interpreter that is gone when its core is looked at: the core, its answer
    while everything was there, and where its files went."""
    home = os.path.realpath(interpreter.path)
    prefix = os.path.dirname(os.path.dirname(home))
    here = tmp_path / "gone"
    here.mkdir()
    shutil.copy(home, here / "python")
    libraries = [name for name in os.listdir(prefix + "/lib") if name.startswith("libpython")] \
        if not interpreter.is_debians else []
    for name in libraries:
        if ".so.1" in name:
            shutil.copy(os.path.join(prefix, "lib", name), here / name)
    target = targets.start(here / "python", "seed.py", directory=_made(tmp_path / "stage"),
                           env={"PYTHONHOME": prefix, "LD_LIBRARY_PATH": str(here)})
    try:
        core = cores.gcore(target.pid, tmp_path)
    finally:
        target.kill()
    whole = undump.ask(core, undump.request(TOP), library=matrix.helper_library())
    assert whole.kind is None and whole.json["undump"]["caveats"] == [], whole.output[:1000]
    there = tmp_path / "binaries"
    shutil.move(here, there)
    return core, whole.json, there


def _made(path):
    path.mkdir()
    return path


def without_undump(reply):
    return {key: value for key, value in reply.items() if key not in ("undump", "caveats")}


def test_binaries_elsewhere(uninstalled):
    core, whole, there = uninstalled
    answer = undump.ask(core, undump.request(TOP), "--search", there,
                        library=matrix.helper_library())
    assert answer.kind is None
    assert without_undump(answer.json) == without_undump(whole)


def test_no_binaries(uninstalled):
    """The core alone tells enough, and undump says what is missing."""
    core, whole, _ = uninstalled
    answer = undump.ask(core, undump.request(TOP), library=matrix.helper_library())
    missing = [c for c in answer.json["undump"]["caveats"] if c["kind"] == "missing-binary"]
    assert len(missing) == 1 and "python" in missing[0]["message"]
    assert answer.kind is None, answer.output
    assert answer.json["items"] == whole["items"]


CRASHES = {
    "in C": """
    import ctypes
    ctypes.string_at(8)""",
    "abort": """
    import os
    os.abort()""",
    "fatal error": """
    import ctypes
    ctypes.pythonapi.Py_FatalError(b"on purpose")""",
    "in a thread without the GIL": """
    import ctypes
    import threading
    abort = ctypes.CDLL(None).abort
    threading.Thread(target=work, args=(abort,)).start()
    threading.Event().wait()""",
    "stack overflow": """
    import threading
    threading.stack_size(1 << 16)
    threading.Thread(target=work, args=(endless,)).start()
    threading.Event().wait()""",
}
SCRIPT = """
import sys
sys.setrecursionlimit(1 << 30)


def endless():
    return list(map(lambda _: endless(), [1]))


def work(function):
    held = [function] * 3
    function()


def crash():
    held = [1, 2, 3]%s


crash()
"""


@pytest.mark.parametrize("how", CRASHES)
def test_crashes(interpreter, how, tmp_path):
    """The frames of the thread that crashed, as they happen."""
    if how == "stack overflow" and interpreter.minor >= (3, 14):
        pytest.skip("3.14 knows where the C stack ends, and raises RecursionError before")
    script = tmp_path / "crash.py"
    script.write_text(SCRIPT % CRASHES[how])
    subprocess.run([interpreter.path, script], cwd=tmp_path, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120,
                   env=matrix.ENVIRONMENT, preexec_fn=targets._allow_cores)
    found = sorted(tmp_path.glob("core*"))
    if not found:
        pytest.skip("no core was written")
    answer = undump.ask(found[0], undump.request(undump.FRAMES), library=matrix.helper_library())
    assert answer.kind is None, answer.output
    items = answer.json["items"]
    functions = [f["function"].rpartition(".")[2] for f in items]
    assert {f["lwp"] for f in items} == {answer.json["undump"]["lwp"]}
    assert answer.json["undump"]["signal"] in (6, 11)
    if "threading" in CRASHES[how]:
        assert functions[-4:] == ["work", "run", "_bootstrap_inner", "_bootstrap"]
        assert items[-4]["file"] == str(script)
        assert (functions[0] == "work") == (how != "stack overflow")
    else:
        assert functions[-2:] == ["crash", "<module>"]
        assert items[-2]["file"] == str(script) and items[-2]["size"] > 0
