"""Replies about the whole heap rendered: literals in, text out."""

import ctypes
import mmap
import os
import struct

import pytest

from rememberme import process, render_heap
from rememberme.adapter import CORE, LIVE, Target
from rememberme.table import Look


def step(label, kind, address="0x7f01"):
    return {"label": label, "address": address, "type": kind}


SESSION = {"root": "module app.cache", "expr": 'app.cache:CACHE["users"][17].session', "steps": [
    step("CACHE", "dict"), step('["users"]', "list"), step("[17]", "app.User"),
    step(".session", "app.Session")]}


def lines(found):
    return "\n".join(found)


def test_chain():
    assert render_heap.chain(SESSION) == (
        'module app.cache → CACHE["users"] → list[17] → User.session')


def test_chain_of_one_step():
    path = {"root": "frame 1 (main at app.py:9)", "expr": "u", "steps": [step("u", "app.User")]}
    assert render_heap.chain(path) == "frame 1 (main at app.py:9) → u"
    path = {"root": "C (2 references)", "expr": None, "steps": [step(None, "app.User")]}
    assert render_heap.chain(path) == "C (2 references) → User"


def test_chain_with_words():
    path = {"root": "module m", "expr": None, "steps": [
        step("f", "functools._lru_cache_wrapper"), step("(cached result)", "list"),
        step(None, "m.Node"), step(".next", "m.Node"), step(None, "int")]}
    assert render_heap.chain(path) == (
        "module m → f (cached result) → list → Node.next → Node → int")


def test_a_long_chain():
    path = {"root": "module m", "expr": None, "elided": 1000, "steps": [
        step("head", "m.Node")] + [step(".next", "m.Node")] * 62}
    text = render_heap.chain(path)
    assert text.startswith("module m → head.next → Node.next → ")
    assert " → … 1,047 more … → Node.next" in text
    assert text.count("→") == 16
    reply = {"address": "0x7f01", "type": "m.Node", "own_size": 48, "caveats": [], "paths": [path],
             "more": {"paths": 0}}
    assert len(render_heap.why(reply, Look())) == 3 + 1 + 17


def test_why():
    reply = {"address": "0x7f01", "type": "app.Session", "own_size": 48, "caveats": [],
             "paths": [SESSION], "more": {"paths": 2}}
    assert lines(render_heap.why(reply, Look())) == """\
app.Session at 0x7f01, 48.0B

1. module app.cache → CACHE["users"] → list[17] → User.session
   app.cache:CACHE["users"][17].session
    Address  Type         Held as
     0x7f01  dict         CACHE
     0x7f01  list         ["users"]
     0x7f01  app.User     [17]
     0x7f01  app.Session  .session

… and 2 paths through other holders (--paths 0 shows all)"""


def test_types():
    reply = {"items": [
        {"type": "bytearray", "module": "builtins", "types": 1, "objects": 50000, "size": 17850000,
         "lengths": [{"from": 0, "to": 0, "objects": 1, "size": 57},
                     {"from": 256, "to": 511, "objects": 49999, "size": 17849943}]},
        {"type": "app.Row", "module": "app", "types": 12, "objects": 24, "size": 1152}],
        "more": {"items": 3, "objects": 1, "size": 28}, "size": 17851180, "objects": 50025,
        "caveats": [{"message": "1 damaged object"}]}
    assert lines(render_heap.types(reply, Look())) == """\
     Size  Objects  Type
  17.0MiB   50,000  bytearray
    57.0B        1    length 0
  17.0MiB   49,999    length 256 to 511
   1.1KiB       24  app.Row (12 types of that name)
  … and 3 more: 28.0B in 1 object (--limit 0 shows all)
All together 17.0MiB in 50,025 objects.
Note: 1 damaged object"""


def test_types_by_module():
    reply = {"items": [{"module": "app", "types": 2, "objects": 3, "size": 144,
                        "items": [{"type": "app.Row"}, {"type": "app.User"}]}],
             "more": {"items": 0, "objects": 0, "size": 0}, "size": 144, "objects": 3,
             "caveats": []}
    assert lines(render_heap.types(reply, Look())) == """\
    Size  Objects  Types  Module  Largest types
  144.0B        3      2  app     app.Row, app.User
All together 144.0B in 3 objects."""
    assert render_heap.types(dict(reply, items=[]), Look()) == ["No objects."]


def test_retained_of_exprs():
    items = [{"expr": name, "address": "0x7f0" + name, "type": "dict", "own_size": 64,
              "retained": 1024, "objects": 3} for name in "12"]
    assert lines(render_heap.retained({"items": items, "retained": 4096, "objects": 9,
                                       "caveats": []}, Look())) == """\
  Retained  Objects  Type  Address  Name
    1.0KiB        3  dict   0x7f01  1
    1.0KiB        3  dict   0x7f02  2
    4.0KiB        9                 together"""


def test_retained_of_all():
    item = dict(SESSION, address="0x7f01", type="app.Session", own_size=48, retained=2048,
                objects=2)
    held = dict(item, root="C (1 reference)", expr=None, steps=[step(None, "list")])
    reply = {"items": [item, held], "size": 5000, "objects": 50, "caveats": [],
             "types": [{"type": "dict", "address": "0x1", "instances": 7, "retained": 3000,
                        "objects": 20}],
             "modules": [{"module": "app", "address": "0x2", "retained": 4000, "objects": 30}]}
    text = lines(render_heap.retained(reply, Look()))
    assert '0x7f01  app.cache:CACHE["users"][17].session' in text
    assert "0x7f01  C (1 reference) → list" in text
    assert "2.9KiB       20          7  dict" in text
    assert "3.9KiB       30  app" in text


def test_referrers():
    reply = {"address": "0x7f01", "type": "app.Session", "own_size": 48, "caveats": [], "items": [
        {"root": "frame 0 (main at app.py:9)", "label": "u", "address": None, "references": 1},
        {"label": "[0]", "address": "0x7f02", "type": "list", "own_size": 64, "of": None,
         "references": 3},
        {"label": '["USER"]', "address": "0x7f04", "type": "dict", "own_size": 64,
         "of": "module app", "references": 1},
        {"label": None, "address": "0x7f03", "type": "app.Thing", "own_size": 64,
         "references": 1}], "more": {"items": 4}}
    assert lines(render_heap.referrers(reply, Look())) == """\
app.Session at 0x7f01, 48.0B
  Address  Holder                      Held as
           frame 0 (main at app.py:9)  u
   0x7f02  list                        [0] and 2 more
   0x7f04  dict of module app          ["USER"]
   0x7f03  app.Thing
  … and 4 more (--limit 0 shows all)"""


SUMMARY = {"size": 1 << 20, "objects": 9990, "types": [], "holders": [], "by_class": [], "n_threads": 2,
           "arenas": {"arenas": 3, "free": 1 << 19},
           "threads": [{"thread": 1, "lwp": 77, "frames": 2, "function": "main", "file": "app.py",
                        "line": 9},
                       {"thread": None, "lwp": 78, "frames": 0, "function": None}],
           "caveats": []}


def test_summary():
    account = {"memory": {"total": 3 << 20, "total_title": "resident (RSS)", "swap": 0,
                          "parts": [{"title": "pages of files", "size": 1 << 20}],
                          "rest": 1 << 19, "rest_title": "what C has"},
               "notes": ["Not seen: C."], "kind": "live", "pid": 77, "python": "3.12.1"}
    assert lines(render_heap.summary(dict(SUMMARY, process=account), Look())).startswith("""\
Process 77, CPython 3.12.1, 2 Python threads

            Memory
    3.0MiB  resident (RSS)
    1.0MiB    9,990 Python objects
  512.0KiB    free in CPython's 3 arenas
    1.0MiB    pages of files
  512.0KiB    the rest: what C has
Note: Not seen: C.
""")


def test_data_files_and_untouched_pages_have_rows(tmp_path):
    """numpy.memmap's pages are told by the file's name; what was never touched is not taken from
    the rest."""
    size = 4 << 20
    path = tmp_path / "table.dat"
    path.write_bytes(b"x" * size)
    untouched = mmap.mmap(-1, 2 * size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    untouched[:size] = b"x" * size
    start = ctypes.addressof(ctypes.c_char.from_buffer(untouched))
    reply = dict(SUMMARY, size=2 * size,
                 large=[{"address": "%#x" % start, "size": 2 * size}], large_more=0)
    with open(path, "rb") as opened:
        table = mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ)
        assert sum(table[::4096]) == ord("x") * (size >> 12)
        memory = process.account(Target(LIVE, pid=os.getpid(), local=True), reply)["memory"]
    parts = {part["title"]: part["size"] for part in memory["parts"]}
    assert parts["in objects, but not resident: pages that were not touched yet"] == -size
    on_disk = parts.get("pages of the file %s" % path)
    assert on_disk == size or (on_disk is None and parts["shared memory"] >= size)
    assert memory["rest"] >= 0 and memory["private"] >= size and memory["pss"] <= (
        memory["private"] + memory["shared"])


def test_shared_memory_of_a_core_has_a_row(tmp_path):
    names = b"/dev/shm/psm\0/usr/bin/python3\0"
    note = struct.pack("<QQ4Q2Q", 2, 4096, 0x10000, 0x14000, 0, 0x400000, 0x402000, 0) + names
    note = struct.pack("<III", 5, len(note), 0x46494c45) + b"CORE\0\0\0\0" + note
    loads = [(0x10000, 0x3000), (0x20000, 0x5000)]
    data = b"\x7fELF".ljust(32, b"\0") + struct.pack("<Q", 64) + b"\0" * 14 + struct.pack(
        "<HH", 56, 1 + len(loads)) + b"\0" * 6
    data += struct.pack("<IIQQQQQQ", 4, 0, 64 + 3 * 56, 0, 0, len(note), 0, 4)
    for start, size in loads:
        data += struct.pack("<IIQQQQQQ", 1, 6, 4096, start, 0, size, size, 4096)
    (tmp_path / "core").write_bytes(data + note)
    memory = process.account(Target(CORE, core_path=str(tmp_path / "core")),
                             dict(SUMMARY, size=0))["memory"]
    assert memory["total"] == 0x8000
    assert memory["parts"][0] == {"title": "shared memory", "size": 0x3000}


def test_account_adds_up(tmp_path):
    for target in (Target(LIVE, pid=os.getpid(), local=True),):
        for size in (1000, 1 << 50):  # the second: more than is resident
            found = process.account(target, dict(SUMMARY, size=size))["memory"]
            assert found["rest"] >= 0
            assert found["total"] == size + (1 << 19) + found["rest"] + sum(
                part["size"] for part in found["parts"])
    nothing = process.account(Target(CORE, core_path=str(tmp_path / "none")),
                              dict(SUMMARY, arenas=None, python="3.11.2"))
    assert nothing["memory"] is None
    assert len(nothing["notes"]) == 3


@pytest.mark.parametrize("version, words", [
    ("3.8.18", "only CPython 3.12 and later tell"), ("3.11.2", "only CPython 3.12 and later tell"),
    ("3.12.1", "another allocator (PYTHONMALLOC)"), ("3.13.0", "another allocator (PYTHONMALLOC)")])
def test_why_there_are_no_arenas(version, words):
    notes = process.account(Target(CORE, core_path="/nothing"),
                            dict(SUMMARY, arenas=None, python=version))["notes"]
    assert len([note for note in notes if words in note]) == 1
    assert len([note for note in notes if "arenas" in note]) == 1
