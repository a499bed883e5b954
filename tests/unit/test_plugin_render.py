"""Replies rendered: literals in, text out."""

import pytest

from rememberme import render, render_heap, text, tree
from rememberme.table import ADDRESS, BYTES, COUNT, TEXT, Column, Look, table

LIST_B = {"expr": "b", "address": "0x7f01", "type": "list", "own_size": 80, "size": 252,
          "objects": 5, "size_without_classes": 252}
LIST_A = {"expr": "a", "address": "0x7f02", "type": "list", "own_size": 88, "size": 172,
          "objects": 4, "size_without_classes": 172}
TOTAL = {"size": 252, "objects": 5, "size_without_classes": 252, "caveats": []}
FRAME = {"thread": 1, "frame": 0, "function": "main", "file": "app.py", "line": 2}


def lines(found):
    return "\n".join(found)


@pytest.mark.parametrize("n_bytes, shown", [
    (0, "0.0B"), (28, "28.0B"), (1023, "1023.0B"), (1024, "1.0KiB"), (1258291, "1.2MiB"),
    (1048550, "1.0MiB"), (5 << 40, "5.0TiB"), ((1 << 64) - 1, "16.0EiB"),
])
def test_human(n_bytes, shown):
    assert text.human(n_bytes) == shown


@pytest.mark.parametrize("name, width, shown", [
    ("abcdef", 6, "abcdef"), ("abcdefg", 6, "abc…fg"), ("abcdefg", 1, "…"), ("漢字漢字", 5, "漢…字"),
    ("abc", 0, ""),
])
def test_shorten(name, width, shown):
    assert text.shorten(name, width) == shown
    assert text.columns(shown) <= max(width, 0)


def test_printable():
    assert text.printable("größe") == "größe"
    assert text.printable("a\x1b[31m\nb\ud800") == r"a\x1b[31m\nb\ud800"


def test_table_aligns_by_kind():
    assert lines(table(
        [Column("Size", BYTES), Column("N", COUNT), Column("At", ADDRESS), Column("Name", TEXT)],
        [[252, 5, 0x7f01, "b"], [1 << 20, 9990, "0x8", "x\ty"], [None, None, None, "z"]],
        Look())) == """\
    Size      N      At  Name
  252.0B      5  0x7f01  b
  1.0MiB  9,990     0x8  x\\ty
                         z"""


def test_table_fits_the_width():
    heads = [Column("Size", BYTES), Column("Type", TEXT), Column("Name", TEXT)]
    rows = [[28, "int", "a_very_long_name_of_a_variable_that_goes_on"], [28, "str", "short"]]
    found = table(heads, rows, Look(width=40))
    assert max(map(text.columns, found)) == 40
    assert found[1] == "  28.0B  int   a_very_long_…that_goes_on"
    # never so narrow that nothing is left of a name
    assert "…" in table(heads, rows, Look(width=5))[1]


def test_memory_of_one():
    assert lines(render.memory(dict(TOTAL, items=[LIST_B]), Look())) == """\
    Size  Objects  Type  Name
  252.0B        5  list  b
Without classes and code: 252.0B."""


def test_memory_of_several_in_bytes():
    assert lines(render.memory(dict(TOTAL, items=[LIST_A, LIST_B]), Look(exact=True))) == """\
  Size  Objects  Type  Name
  172B        4  list  a
  252B        5  list  b
  252B        5        together, shared objects once
Without classes and code: 252B."""


def test_memory_of_the_frame():
    item = dict(FRAME, expr=None, size=252, objects=5, size_without_classes=252)
    assert lines(render.memory(dict(TOTAL, items=[item]), Look())) == """\
  Frame    Size  Objects  Function  Where
      0  252.0B        5  main      app.py:2
Without classes and code: 252.0B."""


def test_classes_off_says_nothing_of_classes():
    assert "Without" not in lines(render.memory(dict(TOTAL, items=[LIST_B], classes="off"), Look()))


def test_bytes_of_a_caveat_have_a_unit():
    caveat = {"kind": "file-backed", "bytes": 1258291, "message": "2 objects map 1258291 bytes, ok"}
    assert render.caveats({"caveats": [caveat]}, Look()) == ["Note: 2 objects map 1.2MiB, ok"]
    assert render.caveats({"caveats": [caveat]}, Look(exact=True)) == [
        "Note: 2 objects map 1,258,291B, ok"]


def test_allocated_on_request():
    a, total = dict(LIST_A, allocated=192), dict(TOTAL, allocated=288)
    assert lines(render.memory(dict(total, items=[a, dict(LIST_B, allocated=None)]), Look())) == """\
    Size  Allocated  Objects  Type  Name
  172.0B     192.0B        4  list  a
  252.0B                   5  list  b
  252.0B     288.0B        5        together, shared objects once
Without classes and code: 252.0B."""
    frame = dict(FRAME, expr=None, **dict(TOTAL, allocated=288))
    assert lines(render.memory(dict(total, items=[frame]), Look())) == """\
  Frame    Size  Allocated  Objects  Function  Where
      0  252.0B     288.0B        5  main      app.py:2
Without classes and code: 252.0B."""


def test_mostly_classes():
    reply = dict(TOTAL, size_without_classes=100, items=[LIST_B])
    assert lines(render.memory(reply, Look())).endswith(
        "Without classes and code: 100.0B (`py-config classes off` makes that the main figure).")


def test_what_is_said_of_several_types_is_said_once():
    told = [("a.A", 5, "guessed"), ("a.B", 1000, "guessed"), ("a.A", 2, "damaged"), (None, 3, "x")]
    caveats = [{"type": name, "count": n, "message":
                "%d object(s) of type %s: %s" % (n, name, why) if name else "3 are lost"}
               for name, n, why in told]
    assert render.caveats({"caveats": caveats}, Look()) == [
        "Note: 1,005 object(s) of 2 types (1,000 a.B, 5 a.A): guessed",
        "Note: 2 object(s) of type a.A: damaged", "Note: 3 are lost"]
    many = [{"type": "t%d" % i, "count": i, "message": "%d object(s) of type t%d" % (i, i)}
            for i in range(1, 10)]
    assert render.caveats({"caveats": many}, Look()) == [
        "Note: 45 object(s) of 9 types (9 t9, 8 t8, 7 t7, 6 t6, …)"]


def test_caveats_close_a_report():
    reply = dict(TOTAL, items=[LIST_B], caveats=[
        {"kind": "faulted", "type": "list", "count": 2, "address": None,
         "message": "2 objects of list could not be read."}])
    assert render.memory(reply, Look())[-1] == "Note: 2 objects of list could not be read."


def test_top_of_a_frame():
    items = [dict(LIST_B, **FRAME), dict(LIST_A, **FRAME)]
    reply = dict(TOTAL, items=items, more={"items": 1200})
    assert lines(render.top(reply, Look())) == """\
thread 1, frame 0, main at app.py:2
    Size  Objects  Type  Name
  252.0B        5  list  b
  172.0B        4  list  a
  … and 1,200 more (--limit 0 shows all)
Together 252.0B in 5 objects, shared objects once.
Without classes and code: 252.0B."""


def test_top_of_what_was_allocated():
    items = [dict(LIST_B, allocated=288, **FRAME), dict(LIST_A, allocated=None, **FRAME)]
    reply = dict(TOTAL, items=items, allocated=288)
    assert lines(render.top(reply, Look())[1:]) == """\
    Size  Allocated  Objects  Type  Name
  252.0B     288.0B        5  list  b
  172.0B                   4  list  a
Together 252.0B in 5 objects, shared objects once.
The allocator gave 288.0B for them.
Without classes and code: 252.0B."""


def test_top_of_all_threads_names_the_frames():
    items = [dict(LIST_B, **FRAME), dict(LIST_A, **dict(FRAME, thread=2, line=None))]
    assert lines(render.top(dict(TOTAL, items=items), Look())[:3]) == """\
    Size  Objects  Type  Name  Thread  Frame  Function
  252.0B        5  list  b          1      0  main
  172.0B        4  list  a          2      0  main"""


def test_top_of_an_object_without_a_path_shows_the_address():
    reply = dict(TOTAL, items=[LIST_B, dict(LIST_A, expr=None)])
    assert render.top(reply, Look())[2].endswith("list  0x7f02")


def test_top_of_nothing():
    assert render.top(dict(TOTAL, items=[]), Look()) == ["No local variables."]


def test_frames_mark_the_selected_one():
    items = [dict(FRAME, size=252, objects=5, selected=False, lwp=7),
             dict(FRAME, frame=1, function="<module>", line=9, size=1 << 20, objects=9990,
                  selected=True, lwp=7)]
    assert lines(render.frames(dict(TOTAL, items=items), Look())[:3]) == """\
     Frame    Size  Objects  Function  Where
         0  252.0B        5  main      app.py:2
  *      1  1.0MiB    9,990  <module>  app.py:9"""


def test_frames_of_several_threads():
    items = [dict(FRAME, size=1, objects=1), dict(FRAME, thread=2, size=1, objects=1)]
    found = render.frames(dict(TOTAL, items=items), Look())
    assert found[0] == "  Thread  Frame  Size  Objects  Function  Where"
    assert found[2] == "       2      0  1.0B        1  main      app.py:2"


def test_numbers_can_be_typed_and_what_is_cut_is_told():
    items = [dict(FRAME, frame=1999, thread=1234, size=1, objects=1000)]
    found = render.frames(dict(TOTAL, items=items, more={"items": 90002}), Look(), True)
    assert found[1] == "    1234   1999  1.0B    1,000  main      app.py:2"
    assert found[2] == "  … and 90,002 more: --frame takes their numbers, too"
    items = [dict(LIST_A, expr="a", **FRAME)]
    assert "Thread" in render.top(dict(TOTAL, items=items, more={}), Look(), True)[0]


def node(kind, size, *children, **more):
    return dict({"label": None, "address": "0x1", "type": kind, "size": size,
                 "children": list(children), "more": {"children": 0, "size": 0}}, **more)


def drawn(root, look=None, **options):
    reply = {"tree": root, "caveats": []}
    return lines(render.drawing(reply, look or Look(), **options))


def test_drawing_is_the_packages():
    inner = node("list", 172, *[node("int", 28)] * 3)
    assert drawn(node("list", 252, inner, inner, inner)) == """\
                           ┌int (28.0B)
             ┌list (172.0B)┼int (28.0B)
             │             └int (28.0B)
             │             ┌int (28.0B)
list (252.0B)┼list (172.0B)┼int (28.0B)
             │             └int (28.0B)
             │             ┌int (28.0B)
             └list (172.0B)┼int (28.0B)
                           └int (28.0B)"""


def test_drawing_of_even_and_single_children():
    root = node("dict", 300, node("str", 60), node("list", 84, node("int", 28)))
    assert drawn(root) == """\
             ┌str (60.0B)
dict (300.0B)┤
             └list (84.0B)─int (28.0B)"""


def test_an_indented_tree():
    error = node("ConnectionResetError", 263192, label="[0]")
    look = Look()
    look.indented = True
    tree = node("list", 52640000, *[error] * 200 + [
        node("dict", 232, node("int", 28, label='["a"]'), node("int", 28), label="[200]",
             address="0x7f08"), node("list", 100, cycle=True, address="0x7f09")],
        **{"more": {"children": 3, "size": 84}, "address": "0x7f01"})
    assert drawn(tree, look, labels=True) == """\
list 50.2MiB 0x7f01
  200 × ConnectionResetError 50.2MiB
  [200]: dict 232.0B 0x7f08
    ["a"]: int 28.0B 0x1
    int 28.0B 0x1
  ↺ list 0x7f09
  … and 3 more (84.0B)"""


def test_drawing_is_bounded():
    root = node("list", 9 << 20, node("list", 9 << 20, cycle=True), label="b",
                more={"children": 9990, "size": 1258291})
    assert drawn(root) == """\
             ┌↺ list
list (9.0MiB)┤
             └… and 9,990 more (1.2MiB)"""


def test_drawing_of_what_was_allocated():
    root = node("list", 300, node("str", 60, allocated=64), allocated=384,
                more={"children": 9990, "size": 1258291, "allocated": 1363148})
    assert drawn(root) == """\
                               ┌str (60.0B, allocated 64.0B)
list (300.0B, allocated 384.0B)┤
                               └… and 9,990 more (1.2MiB, allocated 1.3MiB)"""


def test_drawing_with_labels():
    root = node("dict", 300, node("str", 60, label='["users"]'), label="cache")
    assert drawn(root, labels=True) == 'cache: dict (300.0B)─["users"]: str (60.0B)'


def test_drawing_of_a_frame():
    root = node("frame", 300, node("str", 60), address=None, function="main", file="a.py", line=1)
    assert drawn(root) == "frame main (300.0B)─str (60.0B)"


def test_a_drawing_that_is_too_wide_says_so():
    wide = drawn(node("x" * 40, 1, node("y" * 40, 1)), Look(width=60))
    assert wide.endswith("The drawing is 95 columns wide; a smaller --depth makes it narrower.")


def test_a_deep_tree_needs_no_recursion():
    found = tree.draw(0, lambda n: "x", lambda n: [n + 1] if n < 5000 else [])
    assert found == ["─".join(["x"] * 5001)]


def test_styled_only_when_asked():
    reply = dict(TOTAL, items=[LIST_B])
    assert "\x1b" not in text.written(render.memory(reply, Look()))
    assert text.written(render.memory(reply, Look(styled=True))).startswith("\x1b[1m")


def test_written_keeps_the_style_and_nothing_of_the_text():
    look = Look(styled=True)
    evil = "a\x1b[31m\nb\u202ec\x9b\x7f\u2028\ud800\x1b[0m"
    safe = r"a\x1b[31m\nb\u202ec\x9b\x7f\u2028\ud800\x1b[0m"
    assert text.written([evil, look.strong(evil), look.faint("größe →")]) == (
        "%s\n\x1b[1m%s\x1b[0m\n\x1b[2mgröße →\x1b[0m\n" % (safe, safe))
    assert text.written(text.written([evil]).split("\n")[:1]) == safe + "\n"


def test_no_address_is_trusted():
    """A reply may be forged: what should be an address is text like any other."""
    rows = table([Column("At", ADDRESS)], [["0x\x1b[31m\n1"]], Look())
    assert rows[1] == r"  0x\x1b[31m\n1"
    reply = {"type": "int", "address": "0x\n1", "own_size": 1, "paths": [], "more": {"paths": 0},
             "caveats": []}
    assert text.written(render_heap.why(reply, Look())) == "int at 0x\\n1, 1.0B\n"


def test_ascii_keeps_the_columns():
    look = Look(width=40, unicode=False)
    rows = [["größe" * 9, "a → b", 1], ["x", "… and 2 more", 22]]
    found = text.written(table([Column("A", TEXT), Column("B", TEXT), Column("N", COUNT)], rows, look),
                         unicode=False).splitlines()
    assert all(line.isascii() for line in found)
    assert {len(line) for line in found} == {40}
    assert [line.rpartition("  ")[0].rstrip().rpartition("  ")[2] for line in found[1:]] == [
        "a -> b", "... and 2 more"]


def test_a_drawing_in_ascii():
    below = node("größe", 28, cycle=True)
    drawing = render.drawing({"tree": node("list", 100, node("int", 28), below, node("int", 28)),
                              "caveats": []}, Look(unicode=False))
    assert text.written(drawing, unicode=False) == """\
             +int (28.0B)
list (100.0B)+(cycle) gr\\xf6\\xdfe
             +int (28.0B)
"""
    assert text.shorten("abcdefgh", 7, unicode=False) == "abc...h"
    assert text.shorten("abcdefgh", 4, unicode=False) == "a..."
    assert text.shorten("abcdefgh", 2, unicode=False) == ".."


def test_an_object_whose_type_is_damaged_is_told_everywhere():
    damaged = {"address": "0x7f01", "type": None, "own_size": 0, "size": 0, "objects": 1,
               "label": None, "expr": "x", "retained": 0, "root": "C (1 reference)",
               "steps": [{"label": None, "address": "0x7f01", "type": None}], "references": 1,
               "paths": [{"root": "C", "expr": None, "steps": [
                   {"label": None, "address": "0x7f01", "type": None}] * 3}]}
    reply = dict(TOTAL, items=[damaged], more={"items": 0, "paths": 0}, tree=damaged, **{
        key: damaged[key] for key in ("address", "type", "own_size", "paths", "retained")})
    for render_one in (render.memory, render.top, render.drawing, render_heap.retained,
                       render_heap.why, render_heap.referrers):
        found = lines(render_one(reply, Look()))
        assert "None" not in found and ("damaged" in found or "C (1" in found), found
