"""Dominators, retained sizes and shortest paths against their slow definitions: a node
retains what cannot be reached without it."""

import ctypes
import random
import subprocess

import pytest

import matrix

NONE = 0xffffffff
SOURCES = ["graph/csr.c", "graph/dominators.c", "graph/dominated.c", "graph/paths.c",
           "runtime/arena.c"]


@pytest.fixture(scope="module", params=["plain", "sanitized"])
def probe(request, tmp_path_factory):
    """The entry of support/graph_probe.c, also with the sanitizer that needs no runtime."""
    library = tmp_path_factory.mktemp("graph") / "graph.so"
    helper = matrix.ROOT / "helper"
    flags = {"plain": ["-O2"], "sanitized": ["-O1", "-fsanitize=undefined",
                                             "-fsanitize-undefined-trap-on-error"]}
    subprocess.run(
        ["gcc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
         "-I", str(helper), "-o", str(library), str(matrix.TESTS / "support" / "graph_probe.c")]
        + flags[request.param] + [str(helper / source) for source in SOURCES], check=True)
    entry = ctypes.CDLL(str(library)).probe
    entry.restype = ctypes.c_uint32
    return entry


class Result:
    def __init__(self, probe, edges, root, sizes, everything=False):
        n = len(edges)
        first, to = [0], []
        for targets in edges:
            to += targets
            first.append(len(to))
        words, longs = ctypes.c_uint32 * max(n, 1), ctypes.c_uint64 * max(n, 1)
        idom, size, nodes, before = words(), longs(), words(), words()
        self.n = probe(n, (ctypes.c_uint32 * (n + 1))(*first),
                       (ctypes.c_uint32 * max(len(to), 1))(*to), root, int(everything),
                       longs(*sizes), idom, size, nodes, before)
        self.idom, self.bytes, self.nodes, self.before = map(list, (idom, size, nodes, before))


def reach(edges, root, without=None):
    seen, stack = ({root}, [root]) if root != without else (set(), [])
    while stack:
        for v in edges[stack.pop()]:
            if v not in seen and v != without:
                seen.add(v)
                stack.append(v)
    return seen


def distances(edges, root):
    found, queue = {root: 0}, [root]
    for v in queue:
        for w in edges[v]:
            if w not in found:
                found[w] = found[v] + 1
                queue.append(w)
    return found


def some_graph(seed):
    """A graph of one of several shapes, with self loops, multiple edges and parts that
    the root does not reach; its root."""
    rng = random.Random(seed)
    n = rng.randint(1, 30)
    edges = [[] for _ in range(n)]
    if seed % 3 == 0:  # deep, so that paths have something to compress
        for v in range(1, n):
            edges[rng.choice((v - 1, rng.randrange(v)))].append(v)
    for _ in range(rng.randint(0, n * rng.choice((1, 2, 4)))):
        edges[rng.randrange(n)].append(rng.randrange(n))
    for targets in edges:
        if targets and rng.random() < 0.2:
            targets.append(targets[0])
    return edges, rng.randrange(n) if seed % 2 else 0


@pytest.mark.parametrize("block", range(10))
def test_slow_definition(probe, block):
    for seed in range(block * 300, block * 300 + 300):
        edges, root = some_graph(seed)
        sizes = [random.Random(seed + v).randint(0, 1 << 40) for v in range(len(edges))]
        result = Result(probe, edges, root, sizes)
        reached, steps = reach(edges, root), distances(edges, root)
        assert result.n == len(reached), seed
        for v in range(len(edges)):
            if v not in reached:
                assert result.idom[v] == result.before[v] == NONE, (seed, v)
                continue
            gone = reached - reach(edges, root, v)
            assert result.bytes[v] == sum(sizes[u] for u in gone), (seed, v)
            assert result.nodes[v] == len(gone), (seed, v)
            u, n = v, 0
            while u != root:
                assert u in edges[result.before[u]], (seed, v)
                u, n = result.before[u], n + 1
            assert n == steps[v], (seed, v)


@pytest.mark.parametrize("block", range(5))
def test_what_the_root_does_not_reach(probe, block):
    """It counts as held by the root: then every node has a dominator, and the sizes of
    the root's part are as they were."""
    for seed in range(block * 300, block * 300 + 300):
        edges, root = some_graph(seed)
        sizes = [v + 1 for v in range(len(edges))]
        alone, result = (Result(probe, edges, root, sizes, e) for e in (False, True))
        assert result.n == len(edges) and NONE not in result.idom, seed
        assert result.bytes[root] == sum(sizes), seed
        assert [b == NONE for b in alone.before] == [b == NONE for b in result.before], seed
        held = {v: set() for v in range(len(edges))}
        for v in range(len(edges)):
            u = v
            while u != root:
                held[u].add(v)
                u = result.idom[u]
        for v in range(len(edges)):
            if v != root:
                assert result.bytes[v] == sum(sizes[u] for u in held[v]), (seed, v)


def test_a_long_list_with_cross_references(probe):
    """Deep as no recursion goes, and quadratic for algorithms that climb step by step."""
    n = 1 << 20
    rng = random.Random(1)
    edges = [[v + 1, rng.randrange(v + 1, n)] if v + 1 < n else [] for v in range(n)]
    result = Result(probe, edges, 0, [1] * n)
    assert result.n == n
    assert result.bytes[0] == n
    assert all(result.idom[v] < v for v in range(1, n))


def test_a_wide_one(probe):
    n = 1 << 18
    edges = [list(range(1, n))] + [[] for _ in range(n - 1)]
    result = Result(probe, edges, 0, [1] * n)
    assert result.bytes[0] == n and result.bytes[1:] == [1] * (n - 1)
