"""The tests of the sandbox once more, where undump itself runs under a seccomp filter, as in
containers and in systemd's units, as root and not. And what is said where nothing can be
confined."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import pytest

import cores
import matrix
import undump

NOBODY = 65534
CONFINE = str(matrix.TESTS / "support" / "confine.py")


@pytest.fixture(scope="module")
def readable():
    """A copy of what these tests need, which any user may read."""
    undump.probe()
    with tempfile.TemporaryDirectory(prefix="rme-confined-") as folder:
        root = pathlib.Path(folder)
        root.chmod(0o755)
        for name in ("tests", "helper"):
            shutil.copytree(str(matrix.ROOT / name), str(root / name),
                            ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache"))
        (root / "build" / "tests").mkdir(parents=True)
        for name in ("rememberme-undump", "librememberme.so", "tests/undump_probe.so"):
            shutil.copy2(str(matrix.BUILD / name), str(root / "build" / name))
        subprocess.run(["chmod", "-R", "a+rwX", folder], check=True)
        yield root


@pytest.mark.slow
@pytest.mark.parametrize("user", ["root", "nobody"])
@pytest.mark.parametrize("name", ["docker", "systemd"])
def test_the_sandbox_under_a_filter(readable, name, user):
    command = [sys.executable, CONFINE, name]
    if user == "nobody":
        if os.getuid() != 0:
            pytest.skip("only root becomes somebody else")
        command += ["--user", str(NOBODY)]
    with tempfile.TemporaryDirectory(prefix="rme-confined-") as scratch:
        os.chmod(scratch, 0o777)
        done = subprocess.run(
            command + [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short",
                       "--basetemp", scratch + "/t", "unit/test_undump_sandbox.py"],
            cwd=str(readable / "tests"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=300,
            env=dict(matrix.ENVIRONMENT, RME_BUILD=str(readable / "build"), HOME=scratch))
    text = done.stdout.decode(errors="replace")
    assert done.returncode == 0, text[-4000:]
    assert " passed" in text and "skipped" not in text, text[-500:]


@pytest.fixture
def core(tmp_path):
    path = tmp_path / "core"
    path.write_bytes(cores.core([(0x10000000, b"\1" * cores.PAGE, cores.PAGE, cores.R)]))
    return path


def ask(core, name):
    return undump.ask(core, undump.request(undump.WORDS, [0x10000000]),
                      under=[sys.executable, CONFINE, name])


@pytest.mark.parametrize("name", ["docker", "systemd"])
def test_an_answer_under_a_filter(core, name):
    assert ask(core, name).json["words"] == [0x0101010101010101]


def test_refused_where_nothing_can_be_confined(core):
    answer = ask(core, "deny-prctl")
    assert answer.kind == "system"
    for words in ("neither seccomp's strict mode nor a filter", "Operation not permitted", "prctl"):
        assert words in answer.message
