"""py-native in each debugger, on a program whose native memory is known: alive, hands off,
and on its core."""

import pytest

import session

# Of a kind: those that seem to be held. The first of them were made of memory that had been
# used before, and words that are left there may point to the start of another.
STALE = 60


def ask(debugger, **where):
    return session.run(debugger, ["py-native --json --limit 0"], timeout=300, **where)[0].reply


@pytest.fixture(scope="module")
def seen(subject):
    done = {}

    def look(kind, interpreter, debugger):
        key = kind, interpreter.name, debugger.name
        if key not in done:
            target, where = subject(kind, interpreter, "native_leaks.py")
            done[key] = target.info, ask(debugger, **where)
        return done[key]

    return look


def forgotten(reply, size):
    """The row of blocks of `size` bytes that nothing reaches and that are no objects."""
    row, = [row for row in reply["unreferenced"]["sizes"]
            if row["size"] == size and row["type"] is None]
    return row


def usable(size):
    return (size + 8 + 15) // 16 * 16 - 8


def test_what_was_forgotten(seen, kind, interpreter, debugger):
    info, reply = seen(kind, interpreter, debugger)
    for name in ("forgotten", "staying"):
        n, size = info[name]
        row = forgotten(reply, usable(size))
        assert n - STALE <= row["blocks"] + row["pointed_into"] <= n, (name, row)
        assert row["blocks"] > 0.9 * n, (name, row)
        assert row["bytes"] == row["blocks"] * usable(size)
    assert forgotten(reply, usable(info["forgotten"][1]))["text"] == info["text"]


def test_what_is_held_is_no_leak(seen, kind, interpreter, debugger):
    info, reply = seen(kind, interpreter, debugger)
    n, size = info["kept"]
    assert not [row for row in reply["unreferenced"]["sizes"]
                if row["size"] == usable(size) and row["blocks"]]
    held = sum(owner["blocks"] for owner in reply["owners"]
               if owner["kind"] == "type" and "c_void_p_Array" in owner["name"])
    assert n <= held <= n + 1, held
    compress, = [owner for owner in reply["owners"] if owner["name"] == "zlib.Compress"]
    assert compress["bytes"] >= info["compressors"] * 256 * 1024


def test_objects_that_nothing_reaches(seen, kind, interpreter, debugger):
    info, reply = seen(kind, interpreter, debugger)
    rows = [row for row in reply["unreferenced"]["sizes"] if row["type"] == "bytes"]
    n = sum(row["blocks"] + row["pointed_into"] for row in rows)
    assert info["objects"] - STALE <= n <= info["objects"] + STALE


def test_free_and_added_up(seen, kind, interpreter, debugger):
    info, reply = seen(kind, interpreter, debugger)
    assert reply["allocator"] == "glibc"
    assert reply["caveats"] == []
    assert reply["free"]["bytes"] >= info["freed"]
    assert sum(owner["bytes"] for owner in reply["owners"]) == reply["in_use"]["bytes"]
    assert sum(owner["blocks"] for owner in reply["owners"]) == reply["in_use"]["blocks"]
    nobody, = [owner for owner in reply["owners"] if owner["kind"] == "nobody"]
    assert nobody["bytes"] == reply["unreferenced"]["bytes"] == sum(
        row["bytes"] for row in reply["unreferenced"]["sizes"])
    assert len(reply["arenas"]) > 1


def test_hands_off_is_the_same(seen, subject, interpreter, debugger):
    _, where = subject("live", interpreter, "native_leaks.py")
    _, live = seen("live", interpreter, debugger)
    off = session.run(debugger, ["py-config inject off", "py-native --json --limit 0"],
                      timeout=300, **where)[1].reply
    for part in ("free", "arenas", "mapped", "allocator"):
        assert off[part] == live[part], part
    for name in ("in_use", "objects"):
        assert abs(off[name]["blocks"] - live[name]["blocks"]) < 200, name


def test_text(subject, interpreter, debugger):
    _, where = subject("live", interpreter, "native_leaks.py")
    text = session.run(debugger, ["py-native --limit 3"], timeout=300, **where)[0].output
    assert "nothing that was found" in text and "Nothing points into these" in text
    assert "Free in malloc's" in text
