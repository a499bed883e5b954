"""A sample of random graphs (targets/sample.py) through each debugger: alive, on a core of
the same process, and by the oracle inside, the same figures; what the allocator gave, by
each command that tells it; what memory maps hold."""

import pytest

import matrix
import session
import target as targets

FIGURES = ("address", "own_size", "size", "objects", "size_without_classes")
ALLOCATED = ("own_allocated", "allocated")
LOOK = "py-top --json --allocated --limit 0 --frame 1"
FRAMES = "py-frames --json --allocated"
TOTAL = "py-memory --json --allocated --frame 1"
MAPS = ["py-memory --json --allocated --frame 1 " + what for what in (
    "views[0]", "views[1]", "views[-1]", "anonymous", "views anonymous")]
# Whatever else is asked where sizes are told has the same notes.
NOTED = [command + " --json --frame 1 views anonymous" for command in ("py-memory", "py-mem-print")]
WHOLE = ["py-types --json --limit 1", "py-retained --json --limit 1"]
NOTED += ["py-top --json --frame 1", "py-top --json --all-threads", "py-frames --json",
          "py-types --json --frame 1 views anonymous"] + WHOLE
TEXTS = ["py-top --bytes --allocated --limit 3 --frame 1",
         "py-mem-print --bytes --allocated --depth 1 --limit 2 --frame 1 built",
         "py-memory --bytes --allocated --frame 1 views anonymous"]


def exprs(wanted):
    return ['roots["%s"]' % name for name in sorted(wanted)]


def questions(wanted):
    return ([LOOK, FRAMES, TOTAL] + MAPS + NOTED
            + ["%s --json --allocated --frame 1 %s" % (command, expr) for expr in exprs(wanted)
               for command in ("py-memory", "py-top --limit 40", "py-mem-print --depth 2 --limit 4")])


def ask(debugger, wanted, **where):
    traverse = ["py-memory --json --frame 1 " + expr for expr in exprs(wanted)]
    owned = questions(wanted)
    asked = (["py-config references traverse"] + traverse
             + ["py-config references owned"] + owned + TEXTS)
    answers = session.run(debugger, asked, timeout=300, **where)
    by_oracle = [answer.reply["items"][0] for answer in answers[1:1 + len(traverse)]]
    start = 2 + len(traverse)
    return (by_oracle, {q: answer.reply for q, answer in zip(owned, answers[start:])},
            [answer.output for answer in answers[start + len(owned):]])


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """sample(interpreter): {(debugger, kind): what was asked}, and what the program knows."""
    made = {}

    def get(interpreter):
        if interpreter.name not in made:
            python = interpreter.with_packages or interpreter.path
            target = targets.start(python, "sample.py", timeout=300)
            core = session.gcore(target.pid, tmp_path_factory.mktemp("core") / "core")
            wanted = target.info["wanted"]
            told = {}
            for debugger in (d for d in matrix.debuggers().values() if d.full):
                told[debugger.name, "live"] = ask(debugger, wanted, attach=target.pid)
                told[debugger.name, "core"] = ask(debugger, wanted, core=core, exe=str(python))
            core.unlink()
            target.finish()
            made[interpreter.name] = target.info, told
        return made[interpreter.name]

    return get


def essence(reply):
    return {key: value for key, value in reply.items()
            if key not in ("target", "caveats", "undump")}


def test_the_oracle_says_the_same(sample, interpreter, kind, debugger):
    info, told = sample(interpreter)
    for name, found in zip(sorted(info["wanted"]), told[debugger.name, kind][0]):
        assert {f: found[f] for f in FIGURES} == info["wanted"][name], name
    assert sum(one["objects"] > 30 for one in info["wanted"].values()) > 8


def test_all_agree(sample, interpreter, kind, debugger):
    """Whatever is asked, of the live process by gdb or of anything else. Of the whole heap a
    core tells less: numpy's library has no build-id, and the reply says what was inferred."""
    _, told = sample(interpreter)
    first, here = told["gdb", "live"][1], told[debugger.name, kind][1]
    different = {question: here[question] for question in here
                 if essence(here[question]) != essence(first[question])}
    for question in WHOLE if kind == "core" and interpreter.with_packages else ():
        caveats = different.pop(question, {"caveats": [{"kind": "inferred-references"}]})["caveats"]
        assert "inferred-references" in [caveat["kind"] for caveat in caveats]
    assert different == {}


def nodes(tree):
    yield tree
    for child in tree["children"]:
        yield from nodes(child)


def test_allocated_is_one_figure(sample, interpreter, debugger):
    """Of py-memory, py-top and py-mem-print for the same object; never less than its size
    without classes (whose attributes may be static)."""
    info, told = sample(interpreter)
    replies = told[debugger.name, "live"][1]
    for expr in exprs(info["wanted"]):
        memory, top, tree = (reply for question, reply in replies.items()
                             if question.endswith(" " + expr))
        item, = memory["items"]
        rows = {row["address"]: row for row in top["items"]}
        assert item["allocated"] == memory["allocated"] == top["allocated"] == tree["allocated"]
        assert item["allocated"] >= item["size_without_classes"]
        for node in [tree["tree"]] + top["items"][:1]:
            assert [node[f] for f in FIGURES + ALLOCATED] == [item[f] for f in FIGURES + ALLOCATED]
        for node in nodes(tree["tree"]):
            row = rows.get(node["address"], node)
            assert [node[f] for f in ("size",) + ALLOCATED] == [row[f] for f in ("size",) + ALLOCATED]
            assert node["more"]["allocated"] >= node["more"]["size"] > 0 or not node["more"]["children"]
    frame = replies[FRAMES]["items"][1]
    assert (frame["allocated"] == replies[LOOK]["allocated"] == replies[TOTAL]["allocated"]
            == replies[TOTAL]["items"][0]["allocated"])


def notes(reply):
    return {c["kind"]: (c["count"], c["bytes"]) for c in reply["caveats"] if "bytes" in c}


def expected_notes(mapped):
    return {kind: (mapped[key]["objects"], mapped[key]["bytes"]) for kind, key in (
        ("file-backed", "files"), ("anonymous-mapping", "anonymous")) if mapped[key]["objects"]}


def test_maps_are_told_apart(sample, interpreter, kind, debugger):
    info, told = sample(interpreter)
    replies = told[debugger.name, kind][1]
    nothing = {"objects": 0, "bytes": 0}
    for question in MAPS:
        item, reply = replies[question]["items"][0], replies[question]
        anonymous = "anonymous" in question
        views = "views" in question
        assert reply["mapped"] == {
            "files": info["mapped"]["files"] if views else nothing,
            "anonymous": info["mapped"]["anonymous"] if anonymous else nothing}, question
        if views:
            assert item["mapped"]["files"] == info["mapped"]["files"]
        assert item["size_without_classes"] < 20000
        assert notes(reply) == expected_notes(reply["mapped"])
    for question in NOTED:
        assert notes(replies[question]) == expected_notes(info["mapped"]), question
    assert replies[FRAMES]["items"][1]["mapped"] == replies[TOTAL]["mapped"] == info["mapped"]


def test_text(sample, interpreter, kind, debugger):
    info, told = sample(interpreter)
    replies, (top, tree, maps) = told[debugger.name, kind][1:]
    rows = replies[LOOK]["items"]
    assert top.splitlines()[1].split()[:3] == ["Size", "Allocated", "Objects"]
    assert top.splitlines()[2].split()[:2] == ["{:,}B".format(rows[0][f])
                                               for f in ("size", "allocated")]
    built = next(row for row in rows if row["expr"] == "built")
    assert "list ({:,}B, allocated {:,}B)".format(built["size"], built["allocated"]) in tree
    assert "Note: 1 mmap object(s), as numpy.memmap has, map files or shared memory: {:,}B".format(
        info["mapped"]["files"]["bytes"]) in maps
    assert "Note: 1 mmap object(s) map anonymous memory: 12,345B" in maps
