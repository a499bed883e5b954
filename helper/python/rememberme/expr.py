"""EXPR, the path to an object that a user types, parsed into the steps that the
helper follows (struct rme_expr). Runs no Python of the debuggee and none of the user.

    EXPR := (NAME | MODULE ":" NAME | "0x" HEX | "$(" C-EXPRESSION ")") STEP*
    STEP := "." NAME | "[" KEY "]"
    KEY  := integer | "str" | b"bytes" | True | False | None
"""

import ast
import collections
import re
import struct

from .contract import STEP_ADDRESS as ADDRESS
from .contract import STEP_ATTRIBUTE as ATTRIBUTE
from .contract import STEP_KEY_BYTES as KEY_BYTES
from .contract import STEP_KEY_INT as KEY_INT
from .contract import STEP_KEY_NONE as KEY_NONE
from .contract import STEP_KEY_STR as KEY_STR
from .contract import STEP_MODULE as MODULE
from .contract import STEP_NAME as NAME
from .errors import Failure

HELP = """
EXPR is a path that is followed without running Python: a local, free, global or builtin name, then
.attribute and [key] (an integer, "str", b"bytes", True, False, None): self.cache["users"][0].
It may also begin with module:name (app.models:REGISTRY), with the address of an object (0x7f…), or
with $(C-EXPRESSION), which the debugger evaluates to a PyObject *.
"""


class Expr(collections.namedtuple("Expr", "text steps")):
    """`text` as the user typed it; `steps` are (kind, payload bytes)."""
    __slots__ = ()

    def begins_with_name(self):
        """Whether it depends on a Python frame."""
        return self.steps[0][0] == NAME


_DOTTED = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*(?=:)")
_NAME = re.compile(r"[^\W\d]\w*|\.\d+(?![\w.])")  # ".0" is the argument of a comprehension
_ATTRIBUTE = re.compile(r"[^\W\d]\w*")
_HEX = re.compile(r"0[xX][0-9a-fA-F]+(?!\w)")
_NUMBER = re.compile(r"-?\s*(?:0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|[0-9][0-9_]*)(?![\w.])")
_STRING = re.compile(
    r"(?:[bB][rR]?|[rR][bB]?|[uU])?(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")", re.DOTALL)
_WORD = re.compile(r"(?:True|False|None)(?!\w)")
_OPEN, _CLOSE = "([{", ")]}"


def _fail(text, position, message):
    raise Failure("bad-expression", "In `%s` at character %d: %s." % (text, position + 1, message))


def closing(text, start):
    """The index of the bracket that closes the one at `start`, skipping quoted
    strings; -1 when there is none."""
    depth = 0
    quote = None
    i = start
    while i < len(text):
        char = text[i]
        if quote:
            if char == "\\":
                i += 1
            elif char == quote:
                quote = None
        elif char in "'\"":
            quote = char
        elif char in _OPEN:
            depth += 1
        elif char in _CLOSE:
            depth -= 1
            if depth == 0:
                return i
        i += 1
    return -1


def parse(text, evaluate):
    """Parses one EXPR. `evaluate` turns the C expression inside $(…) into an
    integer. Raises Failure("bad-expression") that tells the position."""
    steps = []
    position = _parse_root(text, evaluate, steps)
    while position < len(text):
        if text[position] == ".":
            match = _ATTRIBUTE.match(text, position + 1)
            if not match:
                _fail(text, position + 1, "expected the name of an attribute after `.`")
            steps.append((ATTRIBUTE, match.group().encode()))
            position = match.end()
        elif text[position] == "[":
            position = _parse_key(text, position, steps)
        else:
            _fail(text, position, "expected `.name`, `[key]` or the end, found `%s`"
                  % text[position:position + 12])
    return Expr(text, steps)


def _parse_root(text, evaluate, steps):
    if text.startswith("$("):
        end = closing(text, 1)
        if end < 0:
            _fail(text, 1, "this `(` is never closed")
        steps.append((ADDRESS, struct.pack("<Q", evaluate(text[2:end]) & (1 << 64) - 1)))
        return end + 1
    match = _HEX.match(text)
    if match:
        address = int(match.group(), 16)
        if address >= 1 << 64:
            _fail(text, 0, "an address has at most 16 hexadecimal digits")
        steps.append((ADDRESS, struct.pack("<Q", address)))
        return match.end()
    match = _DOTTED.match(text)
    if match:
        steps.append((MODULE, match.group().encode()))
        name = _ATTRIBUTE.match(text, match.end() + 1)
        if not name:
            _fail(text, match.end() + 1, "expected a name in the module after `:`")
        steps.append((ATTRIBUTE, name.group().encode()))
        return name.end()
    match = _NAME.match(text)
    if not match:
        _fail(text, 0, "expected a name, `module:name`, an address `0x…` or `$(C-EXPRESSION)`")
    steps.append((NAME, match.group().encode()))
    return match.end()


def _parse_key(text, start, steps):
    position = start + 1
    while text[position:position + 1].isspace():
        position += 1
    for pattern in (_STRING, _NUMBER, _WORD):
        match = pattern.match(text, position)
        if match:
            break
    else:
        _fail(text, position,
              'a key is an integer, "a str", b"bytes", True, False or None')
    try:
        key = ast.literal_eval(match.group())
    except (SyntaxError, ValueError) as error:
        _fail(text, position, "`%s` is not a Python literal (%s)"
              % (match.group(), getattr(error, "msg", error)))
    end = match.end()
    while text[end:end + 1].isspace():
        end += 1
    if text[end:end + 1] != "]":
        _fail(text, end, "expected `]` after the key")
    if key is None:
        steps.append((KEY_NONE, b""))
    elif isinstance(key, int):
        if not -1 << 63 <= key < 1 << 63:
            _fail(text, position, "an integer key must fit in 64 bits")
        steps.append((KEY_INT, struct.pack("<q", key)))
    elif isinstance(key, bytes):
        steps.append((KEY_BYTES, key))
    else:
        steps.append((KEY_STR, key.encode("utf-8", "surrogatepass")))
    return end + 1


def encode(expr):
    """struct rme_expr and its steps."""
    text = expr.text.encode("utf-8", "surrogateescape")
    body = _padded(text)
    for kind, payload in expr.steps:
        body += struct.pack("<II", kind, len(payload)) + _padded(payload)
    return struct.pack("<IIII", 16 + len(body), len(expr.steps), len(text), 0) + body


def _padded(data):
    return data + b"\0" * (-len(data) % 8)
