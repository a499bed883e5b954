"""A heap in a few lines, without an interpreter and a debugger:

    heap = MockHeap(entry, '''
        root  -> app thread
        app   100 -> cache
        cache 50  -> row row shared
        row   1000
        shared 30
        thread -> shared
    ''')
    assert heap.retained("cache") == 1050
    assert heap.path("shared") == ["root", "thread", "shared"]

A line is a name, its own size (0 without one) and what it refers to. The first is the root.
What is named only on the right has no size and refers to nothing. heap.tree() is a reply of
py-dominators about it, for what renders such replies."""

import ctypes
import subprocess

import matrix

NONE = 0xffffffff
_SOURCES = ["graph/csr.c", "graph/components.c", "graph/dominators.c", "graph/dominated.c",
            "graph/paths.c", "runtime/arena.c"]


def build(library, flags=("-O2",)):
    """The entry of graph_probe.c, compiled with the helper's own files of graph/."""
    helper = matrix.ROOT / "helper"
    subprocess.run(
        ["gcc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-I", str(helper),
         "-o", str(library), str(matrix.TESTS / "support" / "graph_probe.c")]
        + list(flags) + [str(helper / source) for source in _SOURCES], check=True)
    entry = ctypes.CDLL(str(library)).probe
    entry.restype = ctypes.c_uint32
    return entry


class Result:
    """What the helper says of a graph: lists by the number of the node."""

    def __init__(self, entry, edges, root, sizes, everything=False, avoid=NONE):
        n = len(edges)
        first, to = [0], []
        for targets in edges:
            to += targets
            first.append(len(to))
        words, longs = ctypes.c_uint32 * max(n, 1), ctypes.c_uint64 * max(n, 1)
        idom, size, nodes, before = words(), longs(), words(), words()
        self.n = entry(n, (ctypes.c_uint32 * (n + 1))(*first),
                       (ctypes.c_uint32 * max(len(to), 1))(*to), root, int(everything),
                       avoid, longs(*sizes), idom, size, nodes, before)
        self.idom, self.bytes, self.nodes, self.before = map(list, (idom, size, nodes, before))


class MockHeap:
    def __init__(self, entry, text):
        self.names, self.sizes, self.edges = [], [], []
        for line in filter(None, map(str.strip, text.splitlines())):
            left, _, right = line.partition("->")
            name, *size = left.split()
            at = self._number(name)
            self.sizes[at] = int(size[0]) if size else 0
            self.edges[at] += [self._number(target) for target in right.split()]
        self._found = Result(entry, self.edges, 0, self.sizes)

    def _number(self, name):
        if name not in self.names:
            self.names.append(name)
            self.sizes.append(0)
            self.edges.append([])
        return self.names.index(name)

    def retained(self, name):
        """Bytes that would go with it."""
        return self._found.bytes[self.names.index(name)]

    def dominator(self, name):
        """What alone leads to it; None for the root, and for what nothing reaches."""
        above = self._found.idom[self.names.index(name)]
        return None if above == NONE or name == self.names[0] else self.names[above]

    def path(self, name):
        """A shortest one from the root; None: nothing reaches it."""
        at, way = self.names.index(name), [name]
        if self._found.before[at] == NONE:
            return None
        while at:
            at = self._found.before[at]
            way.insert(0, self.names[at])
        return way

    def tree(self):
        """The whole dominator tree as py-dominators has it; a node's name is its type."""
        return {"tree": self._node(self.names[0]), "size": self.retained(self.names[0]),
                "objects": len(self.names) - 1, "graph": "built", "references": "owned",
                "classes": "on", "caveats": []}

    def _node(self, name):
        at = self.names.index(name)
        below = sorted((other for other in self.names if self.dominator(other) == name),
                       key=lambda other: -self.retained(other))
        return {"label": None, "address": hex(16 * (at + 1)), "type": name,
                "own_size": self.sizes[at], "size": self.retained(name),
                "objects": self._found.nodes[at], "children": [self._node(other) for other in below],
                "more": {"children": 0, "size": 0}}
