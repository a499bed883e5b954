"""Checks of rankings by size inside one interpreter, as checks.py: what py-top and
py-mem-print say of graphs on which walking every object alone would be slow, against
walking every object alone. tests/unit/test_ranking.py runs them in every interpreter.

With NO_PATIENCE the helper leaves the walks for its graph at once; where that is not
set, the graphs are large enough that it does so by itself."""

import ctypes
import gc
import json
import os
import random
import sys
import types

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE]

import helper  # noqa: E402
from helper import NO_CLASSES, TOP, TRAVERSE_ONLY, TREE  # noqa: E402

CHECKS = {}
NO_PATIENCE = 32  # enum rme_flag: tests only
ALLOCATED = 64
MOST = 20  # differences that are told
MANY = 200  # EXPRs in one request
FIGURES = ("size", "objects", "size_without_classes")


def check(function):
    CHECKS[function.__name__] = function
    return function


class Record:
    pass


class Slotted(Record):
    __slots__ = ("a", "b")


def alone(helper_, addresses, flags):
    """{address: its item}: each walked by itself."""
    items = {}
    addresses = sorted(set(addresses))
    for at in range(0, len(addresses), MANY):
        reply = helper_.ask(helper.MEMORY, [hex(a) for a in addresses[at:at + MANY]], flags=flags)
        for item in reply["items"]:
            items[int(item["address"], 16)] = item
    return items


def compare(helper_, rows, flags, wrong):
    """Rows against what each object weighs alone; classes that are asked for count
    among what is without classes, so of them that figure is not compared."""
    expected = alone(helper_, [int(row["address"], 16) for row in rows], flags)
    always = FIGURES[:2] + (("own_allocated", "allocated") if flags & ALLOCATED else ())
    for row in rows:
        item = expected[int(row["address"], 16)]
        figures = always if item["type"] in ("type", "code") else always + FIGURES[2:]
        if flags & NO_CLASSES and item["type"] in ("type", "code"):
            continue
        if any(row[f] != item[f] for f in figures):
            wrong.append("%s: %s instead of %s" % (
                row["expr"] if "expr" in row else row["label"],
                [row[f] for f in figures], [item[f] for f in figures]))
    sizes = [row["size"] for row in rows]
    if sizes != sorted(sizes, reverse=True):
        wrong.append("not sorted: %s" % sizes[:MOST])


def shape(name, seed, n):
    """A root that holds, somehow, n containers that lead to each other."""
    rng = random.Random(seed)
    nodes = [rng.choice((list, dict, Record, Slotted))() for _ in range(n)]

    def link(node, other):
        if isinstance(node, list):
            node.append(other)
        elif isinstance(node, dict):
            node[len(node)] = other
        elif type(node) is Slotted:
            setattr(node, "b" if hasattr(node, "a") else "a", other)
        else:
            setattr(node, "x%d" % len(node.__dict__), other)

    pool = ["shared string %d" % i * rng.randint(1, 20) for i in range(50)]
    for i, node in enumerate(nodes):
        link(node, rng.choice(pool))
        if name == "random":
            for _ in range(rng.randint(0, 2)):
                link(node, nodes[rng.randrange(n)])
        elif name == "dag" and i + 1 < n:
            for _ in range(rng.randint(1, 2)):
                link(node, nodes[rng.randrange(i + 1, n)])
        elif name == "layers" and i + 50 < n:
            for _ in range(2):
                link(node, nodes[(i // 50 + 1) * 50 + rng.randrange(50)] if (i // 50 + 2) * 50 <= n
                     else pool)
        elif name == "chain" and i + 1 < n:
            link(node, nodes[i + 1])
        elif name == "rings":
            start = i // 7 * 7
            link(node, nodes[min(start + (i + 1 - start) % 7, n - 1)])
            if i + 9 < n and rng.random() < 0.5:
                link(node, nodes[rng.randrange(i, i + 9)])
        elif name == "records":
            link(node, nodes[n - 1 - i % 3] if i < n - 400 else nodes[min(i + 1, n - 1)])
    return nodes if name != "chain" else [nodes[0]]


SHAPES = ("random", "dag", "layers", "chain", "rings", "records")


def check_shapes(n, seeds, options):
    helper_ = helper.from_environment()
    wrong = []
    for name in SHAPES:
        for seed in seeds:
            root = shape(name, seed, n)
            for flags in options:
                reply = helper_.ask(TOP, [(root,)], flags=flags, limit=0)
                if reply.get("caveats"):
                    wrong.append("%s %d: %s" % (name, seed, reply["caveats"]))
                before = len(wrong)
                compare(helper_, reply["items"], flags, wrong)
                if reply["objects"] != len(reply["items"]):
                    wrong.append("%d of %d objects" % (len(reply["items"]), reply["objects"]))
                # A few are the first of all.
                few = helper_.ask(TOP, [(root,)], flags=flags, limit=15)
                expected = [row["size"] for row in reply["items"][:15]]
                if [row["size"] for row in few["items"]] != expected:
                    wrong.append("15: %s instead of %s" % (
                        [row["size"] for row in few["items"]], expected))
                wrong[before:] = ["%s %d %d: %s" % (name, seed, flags, w) for w in wrong[before:]]
    return wrong[:MOST]


@check
def all_below():
    """Every reachable object of random graphs."""
    return (check_shapes(2500, (1,), (TRAVERSE_ONLY | ALLOCATED,))
            + check_shapes(1500, (2, 3), (TRAVERSE_ONLY | NO_PATIENCE, NO_PATIENCE | ALLOCATED))
            + check_shapes(30, range(10, 30), (TRAVERSE_ONLY | NO_PATIENCE,)))


@check
def classes_off():
    return check_shapes(1500, (3,), (NO_CLASSES | TRAVERSE_ONLY | NO_PATIENCE,))


@check
def paths():
    """The EXPR of a row leads to its object."""
    helper_ = helper.from_environment()
    root = shape("records", 5, 3000)
    wrong = []
    name = hex(id(root))
    for row in helper_.ask(TOP, [name], limit=100,
                           flags=TRAVERSE_ONLY | NO_PATIENCE)["items"]:
        path = row["expr"].replace(name, "root", 1)
        if path.startswith("0x"):
            continue
        found = eval(path, {"root": root})
        if id(found) != int(row["address"], 16):
            wrong.append("%s is %#x, not %s" % (path, id(found), row["address"]))
    return wrong[:MOST]


@check
def locals_that_share():
    """A frame of 300 locals that lead to one structure, sizes of each and together."""
    helper_ = helper.from_environment()
    shared = shape("records", 6, 4000)
    scope = {"shared_%d" % i: [shared if i % 2 else shared[i:], "own" * i] for i in range(300)}
    names = sorted(scope)
    function = {}
    exec("def f(scope, ask):\n" + "".join("    %s = scope[%r]\n" % (n, n) for n in names)
         + "    return ask(), [%s]\n" % ", ".join(names), function)
    wrong = []
    flags = TRAVERSE_ONLY | ALLOCATED
    for frame in range(8):
        reply, values = function["f"](
            scope, lambda: helper_.ask(TOP, limit=0, frame=frame, flags=flags))
        if reply.get("items") and reply["items"][0]["function"] == "f":
            break
    rows = [row for row in reply["items"] if row["expr"] in scope]
    if len(rows) != 300:
        wrong.append("%d rows: %s" % (len(rows), json.dumps(reply)[:300]))
    compare(helper_, rows, flags, wrong)
    together = helper_.memory(values)["items"][0]
    del values
    if reply["size"] < together["size"] - together["own_size"]:
        wrong.append("together: %d" % reply["size"])
    return wrong[:MOST]


@check
def trees():
    """py-mem-print where every reference leads to one large structure: the drawn sizes are
    those of the objects alone, and children with the rest make up the whole."""
    helper_ = helper.from_environment()
    wrong = []
    for name in ("records", "layers", "random"):
        root = [[node, "x" * i] for i, node in enumerate(shape(name, 8, 3000))]
        flags = TRAVERSE_ONLY | ALLOCATED
        reply = helper_.ask(TREE, [(root,)], limit=4, depth=4,
                            flags=flags | (NO_PATIENCE if name != "records" else 0))
        if reply["caveats"]:
            wrong.append(json.dumps(reply["caveats"]))
        todo = [reply["tree"]]
        seen = []
        while todo:
            node = todo.pop()
            seen.append(node)
            todo += node["children"]
            sizes = [child["size"] for child in node["children"]]
            if sizes != sorted(sizes, reverse=True):
                wrong.append("%s: children not sorted: %s" % (name, sizes))
            if not node["children"] and node["more"]["children"] and not node.get("cycle"):
                for key, own in (("size", "own_size"), ("allocated", "own_allocated")):
                    below = node["more"][key]
                    if below not in (node[key], node[key] - node[own]):
                        wrong.append("%s: %s %d below %d" % (name, key, below, node[key]))
        expected = alone(helper_, [int(node["address"], 16) for node in seen], flags)
        for node in seen:
            item = expected[int(node["address"], 16)]
            figures = FIGURES[:2] + ("own_allocated", "allocated")
            if [node[f] for f in figures] != [item[f] for f in figures]:
                wrong.append("%s %s: %s instead of %s" % (
                    name, node["label"], [node[f] for f in figures], [item[f] for f in figures]))
        # The largest of the root, of all.
        largest = sorted((i["size"] for i in alone(helper_, map(id, root), TRAVERSE_ONLY).values()),
                         reverse=True)[:4]
        drawn = [child["size"] for child in reply["tree"]["children"]]
        if drawn != largest:
            wrong.append("%s: %s drawn, largest are %s" % (name, drawn, largest))
    return wrong[:MOST]


@check
def damaged():
    """A wild reference and a module in a graph that is ranked."""
    helper_ = helper.from_environment()
    nodes = shape("dag", 9, 3000)
    nodes[0] = made = types.ModuleType("made")
    made.nodes = nodes
    victim = [1, 2, 3]
    nodes.append(victim)
    items = ctypes.cast(id(victim) + 24, ctypes.POINTER(ctypes.c_size_t))[0]  # ob_item
    slot = ctypes.cast(items, ctypes.POINTER(ctypes.c_size_t))
    kept = slot[1]
    gc.disable()
    slot[1] = 0x10000010
    try:
        reply = helper_.ask(TOP, [(nodes,)], limit=500, flags=TRAVERSE_ONLY | NO_PATIENCE)
        wrong = []
        compare(helper_, reply["items"], TRAVERSE_ONLY, wrong)
    finally:
        slot[1] = kept
        gc.enable()
    kinds = [(c["kind"], c["count"]) for c in reply["caveats"]]
    if kinds != [("corrupt-reference", 1)]:
        wrong.append("caveats: %s" % kinds)
    return wrong


if __name__ == "__main__":
    print(json.dumps(CHECKS[sys.argv[1]]()))
