"""A debuggee in another mount and pid namespace, with a root of its own in which no
file of ours exists."""

import json
import os
import pathlib
import shutil
import subprocess
import time

import pytest

import matrix
import procstate
import session

SCRIPT = r"""
set -eu
root=$1 stage=$2 python=$3
shift 3
mount --make-rprivate /
mount -t tmpfs tmpfs "$root"
mkdir -p "$root/opt/inside" "$root/usr/lib" "$root/lib" "$root/lib64" "$root/stage" "$root/proc" \
	"$root/dev" "$root/tmp" "$root/opt/programs"
mount --bind "$python" "$root/opt/inside"
for dir in /lib /lib64 /usr/lib; do
	mount --bind "$dir" "$root$dir"
done
mount --bind "$stage" "$root/stage"
cp -r "$PROGRAMS/targets" "$PROGRAMS/oracle" "$root/opt/programs/"
mount -t proc proc "$root/proc"
if [ "$INIT" = program ]; then
	exec chroot "$root" "$@"
fi
chroot "$root" "$@" &
wait $!
"""


@pytest.fixture
def container(tmp_path):
    """container(interpreter, init): the pid, as it is outside, of the seed program in there,
    which is the init of its namespace, or the child of a shell that is."""
    if os.geteuid() != 0 or not shutil.which("unshare", path=matrix.ENVIRONMENT["PATH"]):
        pytest.skip("needs root and unshare")
    processes = []

    def start(interpreter, init):
        stage = tmp_path / "stage"
        root = tmp_path / "root"
        stage.mkdir()
        root.mkdir()
        os.mkfifo(stage / "go")
        python = pathlib.Path(interpreter.path).resolve()
        if interpreter.is_debians:
            home = tmp_path / "python"
            (home / "bin").mkdir(parents=True)
            shutil.copy2(python, home / "bin")
            environment = {"PYTHONHOME": "/usr"}
        else:
            home = python.parents[1]
            environment = {"PYTHONHOME": "/opt/inside", "LD_LIBRARY_PATH": "/opt/inside/lib"}
        environment.update(matrix.ENVIRONMENT, STAGE_DIR="/stage", PROGRAMS=str(matrix.TESTS),
                           INIT=init)
        process = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", SCRIPT, "sh",
             str(root), str(stage), str(home), "/opt/inside/bin/" + python.name,
             "/opt/programs/targets/seed.py"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=environment)
        processes.append(process)
        deadline = time.monotonic() + 60
        while not (stage / "ready.json").exists():
            if process.poll() is not None:
                text = process.stdout.read().decode(errors="replace")
                if "Operation not permitted" in text or "permission denied" in text:
                    pytest.skip("no new namespaces here: " + text.strip())
                raise AssertionError(text)
            assert time.monotonic() < deadline
            time.sleep(0.01)
        info = json.loads((stage / "ready.json").read_text())
        assert (info["pid"] == 1) == (init == "program")
        pid = child_of(process.pid)
        return pid if init == "program" else child_of(pid), info, stage, process

    yield start
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()


def child_of(pid):
    children = pathlib.Path("/proc/%d/task/%d/children" % (pid, pid))
    return int(children.read_text().split()[0])


@pytest.mark.every_debugger
@pytest.mark.parametrize("init", ["program", "shell"])
def test_container(container, interpreter, debugger, init):
    pid, info, stage, process = container(interpreter, init)
    assert not os.path.exists("/opt/inside")
    try:
        answers = session.run(debugger, [
            "py-config references traverse", "py-frames --json", "py-top --frame 1 --json",
            "py-memory --frame 1 a b --json", "py-mem-print --frame 1 b",
            "py-memory os:environ --json",
            "py-why os:environ --json", "py-why os:environ --json", {"detach": 1}], attach=pid)
    except session.SessionFailed as e:
        if debugger.name == "lldb-14" and "setup" in str(e):
            pytest.skip("lldb 14 cannot attach when the executable is not in its own root")
        raise
    main = info["frames"][0]
    assert [f["function"] for f in answers[1].reply["items"]] == ["stop", "main", "<module>"]
    assert answers[1].reply["target"]["pid"] == pid
    items = answers[2].reply["items"]
    assert [(i["expr"], i["size"]) for i in items] == [
        (name, main["locals"][name]["size"]) for name in "ba"]
    assert answers[3].reply["size"] == main["size"]
    assert answers[4].output.startswith(" ") and "list (" in answers[4].output
    assert answers[5].reply["objects"] > 1
    # The snapshot has another pid out here than the process knows it by. One that the process would
    # have to reap itself does not outlast its question.
    built, kept = answers[6].reply, answers[7].reply
    assert (built.pop("graph"), kept.pop("graph")) == (
        "built", "built" if init == "program" else "kept")
    assert built == kept
    if init == "program":
        assert procstate.children(pid) == []
    (stage / "go").open("wb").write(b"x")
    assert process.wait(30) == 0
    assert json.loads((stage / "result.json").read_text())["a"] == [1, 2, 3]
