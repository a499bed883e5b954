"""Dominators, retained sizes and shortest paths against their slow definitions: a node
retains what cannot be reached without it."""

import random

import hypothesis
import hypothesis.strategies as st
import pytest

from mock_heap import NONE, Result, build

settings = hypothesis.settings(max_examples=1500, deadline=None, database=None,
                               suppress_health_check=list(hypothesis.HealthCheck))


@pytest.fixture(scope="module", params=["plain", "sanitized"])
def probe(request, tmp_path_factory):
    """The entry of support/graph_probe.c, also with the sanitizer that needs no runtime."""
    flags = {"plain": ["-O2"], "sanitized": ["-O1", "-fsanitize=undefined",
                                             "-fsanitize-undefined-trap-on-error"]}
    return build(tmp_path_factory.mktemp("graph") / "graph.so", flags[request.param])


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
            assert result.nodes[v] == sum(sizes[u] > 0 for u in gone), (seed, v)
            u, n = v, 0
            while u != root:
                assert u in edges[result.before[u]], (seed, v)
                u, n = result.before[u], n + 1
            assert n == steps[v], (seed, v)


def entries(edges, root, sizes, avoid=None):
    """Of each strongly connected part of the garbage that nothing else leads to, the
    largest: by the definition."""
    garbage = set(range(len(edges))) - reach(edges, root)
    leads = {v: reach(edges, v) & garbage for v in garbage}
    parts = {frozenset(u for u in leads[v] if v in leads[u]) for v in garbage}
    sources = [part for part in parts
               if not any(set(edges[v]) & part for v in garbage - part)]
    return {avoid if avoid in part else min(part, key=lambda v: (-sizes[v], v))
            for part in sources}


@st.composite
def graphs(draw):
    """Edges, sizes, and two nodes; cycles and garbage are frequent."""
    n = draw(st.integers(1, 12))
    node = st.integers(0, n - 1)
    edges = draw(st.lists(st.lists(node, max_size=3), min_size=n, max_size=n))
    return edges, draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)), draw(node), draw(node)


@settings
@hypothesis.given(graphs())
def test_garbage(probe, graph):
    """It is entered by what nothing leads to, and counts as held by the root."""
    edges, sizes, root, _ = graph
    result = Result(probe, edges, root, sizes, True)
    entered = [list(targets) for targets in edges]
    entered[root] += entries(edges, root, sizes)
    everything = set(range(len(edges)))
    assert result.n == len(edges) and reach(entered, root) == everything
    for v in everything:
        gone = everything - reach(entered, root, v)
        assert (result.bytes[v], result.nodes[v]) == (
            sum(sizes[u] for u in gone), sum(sizes[u] > 0 for u in gone)), v


@settings
@hypothesis.given(graphs())
def test_paths_to_garbage(probe, graph):
    """With a node that none may lead through: if it is garbage, it is entered there."""
    edges, sizes, root, avoid = graph
    found = Result(probe, edges, root, sizes, True, avoid).before
    entered = [list(targets) for targets in edges]
    entered[root] += entries(edges, root, sizes, avoid)
    if avoid == root:
        avoid = None
    expected = reach(entered, root, avoid)
    assert {v for v in range(len(edges)) if found[v] not in (NONE, v) or v == root} - {avoid} == (
        expected)
    steps, alive = distances(entered, root), reach(edges, root)
    for v in expected - {root}:
        u, n = v, 0
        while u != root:
            assert u in entered[found[u]] and (u == v or u != avoid)
            u, n = found[u], n + 1
        assert n >= steps[v] if avoid is not None or v in alive else n == steps[v]


@settings
@hypothesis.given(graphs())
def test_which_one_stands_for_a_cycle_moves_nothing_else(probe, graph):
    """What the nodes outside of such parts retain is the same, whatever order they have."""
    edges, sizes, root, _ = graph
    n = len(edges)
    turned = [[n - 1 - v for v in edges[n - 1 - u]] for u in range(n)]
    one = Result(probe, edges, root, [1] * n, True)
    other = Result(probe, turned, n - 1 - root, [1] * n, True)
    garbage = set(range(n)) - reach(edges, root)
    sources = {u for v in entries(edges, root, sizes) for u in reach(edges, v) & garbage
               if v in reach(edges, u)}
    for v in set(range(n)) - sources:
        assert one.nodes[v] == other.nodes[n - 1 - v], v


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
