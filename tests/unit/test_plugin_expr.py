"""EXPR: what is accepted, the steps that it becomes, and where an error is seen."""

import struct

import pytest

from rememberme import expr
from rememberme.errors import Failure


def integer(value):
    return struct.pack("<q", value)


def address(value):
    return struct.pack("<Q", value)


@pytest.mark.parametrize("text, steps", [
    ("cache", [(expr.NAME, b"cache")]),
    ("größe", [(expr.NAME, "größe".encode())]),
    (".0", [(expr.NAME, b".0")]),
    ("self.cache.items_", [(expr.NAME, b"self"), (expr.ATTRIBUTE, b"cache"),
                           (expr.ATTRIBUTE, b"items_")]),
    ('self.cache["users"][0]', [(expr.NAME, b"self"), (expr.ATTRIBUTE, b"cache"),
                                (expr.KEY_STR, b"users"), (expr.KEY_INT, integer(0))]),
    ("d['a]b']", [(expr.NAME, b"d"), (expr.KEY_STR, b"a]b")]),
    (r'd["tab\t\"quoted\" é \u00e9"]', [(expr.NAME, b"d"),
                                        (expr.KEY_STR, 'tab\t"quoted" é é'.encode())]),
    (r'd[r"a\b"]', [(expr.NAME, b"d"), (expr.KEY_STR, rb"a\b")]),
    (r'd["\ud800"]', [(expr.NAME, b"d"), (expr.KEY_STR, b"\xed\xa0\x80")]),
    (r'd[b"\x00\xff"]', [(expr.NAME, b"d"), (expr.KEY_BYTES, b"\0\xff")]),
    ("d[ -1 ]", [(expr.NAME, b"d"), (expr.KEY_INT, integer(-1))]),
    ("d[0x10][1_000]", [(expr.NAME, b"d"), (expr.KEY_INT, integer(16)),
                        (expr.KEY_INT, integer(1000))]),
    ("d[True][False][None]", [(expr.NAME, b"d"), (expr.KEY_INT, integer(1)),
                              (expr.KEY_INT, integer(0)), (expr.KEY_NONE, b"")]),
    ("app.models:REGISTRY.x", [(expr.MODULE, b"app.models"), (expr.ATTRIBUTE, b"REGISTRY"),
                               (expr.ATTRIBUTE, b"x")]),
    ("0x7f00dead.x", [(expr.ADDRESS, address(0x7f00dead)), (expr.ATTRIBUTE, b"x")]),
    ("$(f(1) + (2))[3]", [(expr.ADDRESS, address(77)), (expr.KEY_INT, integer(3))]),
])
def test_steps(text, steps):
    asked = []

    def evaluate(inner):
        asked.append(inner)
        return 77

    assert expr.parse(text, evaluate) == expr.Expr(text, steps)
    assert asked == (["f(1) + (2)"] if text.startswith("$") else [])


@pytest.mark.parametrize("text, position, part", [
    ("", 1, "expected a name"),
    ("1abc", 1, "expected a name"),
    ("0xzz", 1, "expected a name"),
    ("0x1" + "0" * 16, 1, "16 hexadecimal digits"),
    ("$(f(1)", 2, "never closed"),
    ("a.", 3, "attribute"),
    ("a.1", 3, "attribute"),
    ("a b", 2, "found ` b`"),
    ("a(1)", 2, "found `(1)`"),
    ("a[]", 3, "a key is"),
    ("a[1.5]", 3, "a key is"),
    ("a[x]", 3, "a key is"),
    ("a[1", 4, "expected `]`"),
    ("a[1:2]", 4, "expected `]`"),
    ("a['x]", 3, "a key is"),
    (r"a['\x']", 3, "not a Python literal"),
    ("a[123456789012345678901]", 3, "64 bits"),
    ("a[012]", 3, "not a Python literal"),
    ("app.models:", 12, "after `:`"),
])
def test_errors_tell_the_position(text, position, part):
    with pytest.raises(Failure) as caught:
        expr.parse(text, None)
    assert caught.value.kind == "bad-expression"
    assert "`%s` at character %d" % (text, position) in caught.value.message
    assert part in caught.value.message


def test_encoding():
    """struct rme_expr: header, text padded to 8, then header and padded payload of
    each step; the size covers all of it."""
    data = expr.encode(expr.parse("ab[7]", None))
    assert data == (struct.pack("<IIII", 56, 2, 5, 0) + b"ab[7]\0\0\0"
                    + struct.pack("<II", 1, 2) + b"ab\0\0\0\0\0\0"
                    + struct.pack("<II", 6, 8) + struct.pack("<q", 7))
