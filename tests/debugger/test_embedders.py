"""Programs that have CPython in them and are not python."""

import pathlib
import subprocess

import pytest

import matrix
import session
import target as targets

SOURCE = """
import sys
sys.path.insert(0, %r)
import stage
kept = [bytes(1000 + n) for n in range(100)]
stage.wait(address=hex(id(kept)), size=sys.getsizeof(kept) + sum(map(sys.getsizeof, kept)))
"""


def shared_library(interpreter):
    """(libpython, prefix), or None for an interpreter that is not built with one."""
    prefix = pathlib.Path(interpreter.path).resolve().parents[1]
    found = sorted(prefix.glob("lib/libpython3.*.so.1.0"))
    return (found[0], prefix) if found else None


@pytest.fixture(scope="module")
def program(interpreter, tmp_path_factory):
    if shared_library(interpreter) is None:
        pytest.skip("%s has no libpython.so" % interpreter.name)
    library, prefix = shared_library(interpreter)
    path = tmp_path_factory.mktemp("embed") / "embed_copies"
    subprocess.run(["cc", "-Wall", "-no-pie", "-fno-pie", str(matrix.TARGETS / "embed_copies.c"),
                    "-o", str(path), str(library), "-Wl,-rpath," + str(library.parent)],
                   check=True, timeout=60)
    relocations = subprocess.run(["readelf", "-rW", str(path)], check=True, timeout=60,
                                 stdout=subprocess.PIPE, universal_newlines=True).stdout
    copied = [line for line in relocations.splitlines() if "R_X86_64_COPY" in line]
    assert len([line for line in copied if "PyType_Type" in line or "PyDict_Type" in line]) == 2
    return path, {"PYTHONHOME": str(prefix)}


@pytest.mark.parametrize("kind", ["live", "core"])
def test_copied_types(kind, interpreter, debugger, program, tmp_path):
    """The image that defines Python is told by what is never copied."""
    path, environment = program
    commands = ["py-memory __main__:kept --json", "py-frames --json"]
    source = SOURCE % str(matrix.TARGETS)
    with targets.Target([path, source], env=environment) as target:
        where = {"attach": target.pid}
        if kind == "core":
            where = {"core": session.gcore(target.pid, tmp_path / "core"), "exe": path}
        memory, frames = session.run(
            debugger, commands + ([{"detach": 1}] if kind == "live" else []), **where)[:2]
        assert memory.error is None, memory.error
        assert memory.reply["items"][0]["address"] == target.info["address"]
        assert memory.reply["size"] == target.info["size"]
        assert [row["function"] for row in frames.reply["items"]][-1] == "<module>"
        target.finish()


def test_pypy_is_told_by_its_name(debugger, tmp_path):
    """By the function that its library exports to embedders."""
    source, program = tmp_path / "pypy.c", tmp_path / "pypy"
    source.write_text("#include <unistd.h>\nint pypy_setup_home(char *home, int verbose)\n"
                      "{ return home != 0 && verbose; }\n"
                      "int main(void) { alarm(120); return pause(); }\n")
    subprocess.run(["cc", "-rdynamic", str(source), "-o", str(program)], check=True, timeout=60)
    process = subprocess.Popen([str(program)])
    try:
        answer = session.run(debugger, ["py-memory", {"detach": 1}], attach=process.pid)[0]
        assert "runs PyPy" in answer.error and "not a Python program" not in answer.error
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()
