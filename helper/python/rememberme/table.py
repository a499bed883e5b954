"""Aligned columns. Alignment and units follow from a column's kind, so that they
are decided in one place. Pure functions."""

import collections

from .text import columns, count, human, printable, shorten, styled

BYTES, COUNT, NUMBER, ADDRESS, TEXT = "bytes", "count", "number", "address", "text"  # NUMBER: to be typed

Column = collections.namedtuple("Column", "title kind")

_GAP = "  "
_NARROWEST = 8  # a text column is not shortened below this


class Look(object):
    """How text is to look: `exact` bytes, at most `width` columns (None: any),
    `styled` with escape sequences, `unicode` when more than ASCII can be shown."""

    indented = False  # a tree grows downward

    def __init__(self, exact=False, width=None, styled=False, unicode=True):
        self.exact = exact
        self.width = width
        self.styled = styled
        self.unicode = unicode

    def size(self, n_bytes):
        return count(n_bytes) + "B" if self.exact else human(n_bytes)

    def plain(self, text):
        """The text as it will go out, to be measured."""
        return printable(text, self.unicode)

    def strong(self, text):
        return styled(text, 1) if self.styled else text

    def faint(self, text):
        return styled(text, 2) if self.styled else text


def _cell(value, kind, look):
    if value is None:
        return ""
    if kind == BYTES:
        return look.size(value)
    if kind == COUNT:
        return count(value)
    if kind == ADDRESS:
        return look.plain(value) if isinstance(value, str) else "0x%x" % value
    return look.plain(str(value))


def table(heads, rows, look, indent=""):
    """The lines of a table: a header and one line per row (a list of values, None
    for an empty cell)."""
    cells = [[_cell(value, head.kind, look) for head, value in zip(heads, row)] for row in rows]
    widths = [max([columns(head.title)] + [columns(row[i]) for row in cells])
              for i, head in enumerate(heads)]
    _narrow(heads, widths, look.width)
    lines = [look.strong(indent + _line(heads, [head.title for head in heads], widths, look))]
    lines.extend(indent + _line(heads, row, widths, look) for row in cells)
    return lines


def _narrow(heads, widths, limit):
    """Takes from the widest text columns what does not fit."""
    if limit is None:
        return
    excess = sum(widths) + len(_GAP) * len(widths) - limit
    while excess > 0:
        texts = [i for i, head in enumerate(heads)
                 if head.kind == TEXT and widths[i] > _NARROWEST]
        if not texts:
            return
        widest = max(texts, key=lambda i: widths[i])
        widths[widest] -= 1
        excess -= 1


def _line(heads, row, widths, look):
    parts = []
    for head, cell, width in zip(heads, row, widths):
        cell = shorten(cell, width, look.unicode)
        gap = " " * (width - columns(cell))
        parts.append(cell + gap if head.kind == TEXT else gap + cell)
    return (_GAP + _GAP.join(parts)).rstrip()
