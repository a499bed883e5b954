"""Everything that undump reads before the sandbox closes, under ASan and UBSan: the
corpus of tests/fuzz as it is, changed in fixed ways, and by libFuzzer.

RME_FUZZ_SECONDS=3600 lets libFuzzer run for so long; what it finds lies in build/fuzz."""

import os
import re
import subprocess

import pytest

import matrix

FUZZ = matrix.TESTS / "fuzz"
CORPUS = FUZZ / "corpus" / "undump"
SANITIZERS = ["-g", "-O1", "-fno-sanitize-recover=all"]


def build(name, compiler, options):
    sources = re.search(r"set\(UNDUMP_READER ([^)]*)\)",
                        (matrix.ROOT / "helper/undump/CMakeLists.txt").read_text()).group(1)
    out = matrix.BUILD / "tests" / name
    out.parent.mkdir(exist_ok=True)
    done = subprocess.run(
        [compiler] + SANITIZERS + options
        + ["-D_GNU_SOURCE", "-I", matrix.ROOT / "helper", "-I", matrix.ROOT / "helper/include",
           "-o", out, FUZZ / "fuzz_undump.c"]
        + [matrix.ROOT / "helper/undump" / source for source in sources.split()] + ["-lelf"],
        env=matrix.ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return out if done.returncode == 0 else pytest.skip(
        "%s cannot build this: %s" % (compiler, done.stdout.decode()[-300:]))


def run(command, timeout):
    done = subprocess.run(command, env=matrix.ENVIRONMENT, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-4000:]


def test_corpus():
    program = build("fuzz_undump_replay", "cc",
                    ["-DRME_FUZZ_MAIN", "-fsanitize=address,undefined"])
    files = sorted(CORPUS.iterdir())
    assert len(files) > 50
    run([program, "-changes=100"] + files, 300)


def test_libfuzzer():
    program = build("fuzz_undump", "clang", ["-fsanitize=fuzzer,address,undefined"])
    found = matrix.BUILD / "fuzz"
    found.mkdir(exist_ok=True)
    seconds = int(os.environ.get("RME_FUZZ_SECONDS", "0"))
    run([program, "-timeout=10", "-max_len=20000", "-rss_limit_mb=2048",
         "-artifact_prefix=%s/" % found]
        + (["-max_total_time=%d" % seconds] if seconds else ["-runs=20000", "-seed=1"])
        + [found, CORPUS], seconds + 300)
