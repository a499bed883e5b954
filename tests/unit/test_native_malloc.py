"""The blocks of malloc that helper/native finds without symbols, against what the program
that allocated them knows and against mallinfo2: support/native_probe.c."""

import json
import os
import subprocess

import pytest

import matrix

HELPER = matrix.ROOT / "helper"
SOURCES = sorted((HELPER / "native").glob("malloc*.c")) + [
    HELPER / "native" / "mappings.c", HELPER / "runtime" / "arena.c",
    HELPER / "runtime" / "guard.c", HELPER / "runtime" / "sort.c"]
# (seed, threads, steps of each, largest block): small ones, mixed ones, many that are mappings
HEAPS = ([(seed, 1 + seed % 8, 5000, 3000) for seed in range(16)]
         + [(seed, 1 + seed % 4, 2000, 300000) for seed in range(16)]
         + [(seed, 1 + seed % 3, 500, 5000000) for seed in range(8)])


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    program = str(tmp_path_factory.mktemp("native") / "probe")
    subprocess.run(
        ["gcc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O2", "-fno-strict-aliasing",
         "-fno-builtin", "-I", str(HELPER), "-I", str(HELPER / "include"), "-o", program,
         str(matrix.TESTS / "support" / "native_probe.c")] + [str(path) for path in SOURCES]
        + ["-lpthread"], check=True)

    def run(*arguments, **environment):
        done = subprocess.run([program] + [str(word) for word in arguments],
                              env=dict(os.environ, **environment), stdout=subprocess.PIPE,
                              check=True, timeout=120)
        return json.loads(done.stdout.decode())
    return run


def check_figures(found):
    """Every figure of mallinfo2 is met to the byte. A thread's cache counts as in use there,
    a fastbin as free; what arenas say of themselves is in use."""
    assert found["found"] and not found["damaged"]
    assert found["walked"] == found["system"] == found["arena"]
    assert found["free"] + found["fsmblks"] == found["fordblks"]
    assert found["system"] - found["free"] - found["fsmblks"] == found["uordblks"]
    assert found["n_mapped"] == found["n_mapped_expected"] == found["hblks"]


@pytest.mark.parametrize("tunables", [{}, {"MALLOC_ARENA_MAX": "1"},
                                      {"MALLOC_MMAP_THRESHOLD_": "100000"},
                                      {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}],
                         ids=["default", "one-arena", "many-mappings", "no-cache"])
def test_every_block_and_every_byte(probe, tunables):
    for heap in HEAPS:
        found = probe(*heap, **tunables)
        check_figures(found)
        assert found["live"] > 0
        assert (found["missing"], found["wrong_size"]) == (0, 0), (heap, found)
        # What nobody was given is cached; the program itself and libc have a few blocks more.
        assert found["live"] <= found["n_used"] + found["n_mapped"] <= found["live"] + 64


def test_a_block_that_was_overwritten_costs_itself(probe):
    for seed in range(10):
        found = probe(seed, 2, 20000, 3000, "corrupt")
        assert found["found"] and found["damaged"]
        # the block, and those up to where chunks are told for certain again
        assert 1 <= found["missing"] <= 40, (seed, found)
        assert found["walked"] < found["system"]
