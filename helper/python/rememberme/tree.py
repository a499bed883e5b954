"""Draws a tree from left to right, as the rememberme package does: a node stands on
the row of its middle child, or between the two middle ones. Pure; no recursion.

                   ┌int (28.0B)
     list (116.0B)┤
                   └list (88.0B)─int (28.0B)
"""

from .text import columns

# What joins a node to its children, by what is (above, level, below)
_JOINTS = {
    (True, True, True): "┼", (True, False, True): "┤",
    (False, True, False): "─",
}


class _Placed(object):
    __slots__ = ("label", "column", "children", "row")

    def __init__(self, label, column):
        self.label = label
        self.column = column
        self.children = []
        self.row = None


def draw(root, label_of, children_of):
    """The lines of the drawing. `label_of(node)` is one line of text;
    `children_of(node)` a list."""
    top = _Placed(label_of(root), 0)
    rows = _place(root, top, label_of, children_of)
    lines = [[] for _ in range(rows)]  # of (column, text)
    pending = [top]
    while pending:
        placed = pending.pop()
        lines[placed.row].append((placed.column, placed.label))
        if placed.children:
            _join(placed, lines)
            pending.extend(placed.children)
    return [_line(pieces) for pieces in lines]


def _place(root, top, label_of, children_of):
    """Gives every node its row; returns the number of rows."""
    rows = 0
    # a node comes three times: to be opened, between its halves, after the last child
    stack = [(root, top, "open")]
    while stack:
        node, placed, stage = stack.pop()
        if stage == "open":
            below = children_of(node)
            column = placed.column + columns(placed.label) + 1
            pairs = [(child, _Placed(label_of(child), column)) for child in below]
            placed.children = [pair[1] for pair in pairs]
            half = len(pairs) // 2
            later = [(node, placed, "close")]
            later += [pair + ("open",) for pair in reversed(pairs[half:])]
            if len(pairs) % 2 == 0:
                later.append((node, placed, "row"))
            later += [pair + ("open",) for pair in reversed(pairs[:half])]
            stack.extend(later)
        elif stage == "row":
            placed.row = rows
            rows += 1
        elif placed.row is None:
            placed.row = placed.children[len(placed.children) // 2].row
    return rows


def _join(placed, lines):
    """The vertical line between a node and its children."""
    column = placed.column + columns(placed.label)
    rows = [child.row for child in placed.children]
    corners = {row: "├" for row in rows}
    corners[rows[0]] = "┌"
    corners[rows[-1]] = "└"
    corners[placed.row] = _JOINTS[rows[0] < placed.row, placed.row in corners,
                                  rows[-1] > placed.row]
    for row in range(min(rows[0], placed.row), max(rows[-1], placed.row) + 1):
        lines[row].append((column, corners.get(row, "│")))


def _line(pieces):
    text = ""
    width = 0
    for column, piece in sorted(pieces):
        text += " " * (column - width) + piece
        width = column + columns(piece)
    return text
