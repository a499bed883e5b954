"""What undump gives up before it reads a core: it may read, and nothing else."""

import errno
import os
import subprocess

import pytest

import cores
import matrix
import undump


def status(pid):
    with open("/proc/%d/status" % pid) as opened:
        return dict(line.rstrip("\n").split(":\t", 1) for line in opened if ":\t" in line)


MAY = ("open-read", "fstat", "map-code", "fork", "wait")
EPERM_FOR = ("unlink", "rename", "chmod", "chown", "link", "mkdir", "execve", "socket", "kill",
             "ptrace", "unshare", "setuid")
EACCES_FOR = ("open-write", "open-both", "open-truncate", "create")

# Linux's numbers (linux/capability.h)
DAC_READ_SEARCH, SYS_PTRACE, CHECKPOINT_RESTORE = 2, 19, 40
MOST = 1 << DAC_READ_SEARCH | 1 << SYS_PTRACE | 1 << CHECKPOINT_RESTORE


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    path = tmp_path_factory.mktemp("rights") / "probe"
    subprocess.run(["cc", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-I",
                    str(matrix.ROOT / "helper"), str(matrix.TESTS / "support" / "rights_probe.c"),
                    str(matrix.ROOT / "helper" / "undump" / "rights.c"), "-o", str(path)],
                   check=True, env=matrix.ENVIRONMENT)
    return path


def test_what_it_may_do(probe, tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"\x7fELF" + bytes(4096))
    file.chmod(0o644)
    done = subprocess.run([str(probe), str(file)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    told = dict(line.split() for line in done.stdout.decode().splitlines())
    assert told.pop("kept") == "0"
    assert int(told.pop("type-ahead")) != 0
    assert {name: int(number) for name, number in told.items()} == dict(
        [(name, 0) for name in MAY] + [(name, errno.EPERM) for name in EPERM_FOR]
        + [(name, errno.EACCES) for name in EACCES_FOR])
    assert file.exists() and not os.path.exists("/tmp/rights-probe")


@pytest.mark.skipif(os.getuid() != 0, reason="root alone has more than it needs")
def test_root_reads_and_no_more(tmp_path):
    core = tmp_path / "core"
    core.write_bytes(cores.core([(0x10000000, b"\1" * cores.PAGE, cores.PAGE, cores.R)]))
    process = undump.start(core, undump.request(undump.SPIN), "--cpu", "60")
    undump.child_of(process.pid)
    try:
        got = status(process.pid)
        assert got["Seccomp"] == "2" and got["NoNewPrivs"] == "1"
        for name in ("CapEff", "CapPrm"):
            assert int(got[name], 16) & ~MOST == 0
    finally:
        process.kill()
        process.communicate(timeout=20)
