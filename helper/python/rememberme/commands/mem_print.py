"""py-mem-print: what an object consists of, as a tree."""

from .. import arguments, render, request
from .base import Query


class MemPrint(Query):
    name = "py-mem-print"
    summary = "Tree of what a Python object, or the selected Python frame, keeps reachable."
    query = request.TREE
    operands = "[EXPR…]"
    max_exprs = None
    options = Query.options + (arguments.LIMIT, arguments.DEPTH, arguments.LABELS,
                               arguments.CLASSES, arguments.ALLOCATED)
    about = """
Each node has its type and its size as py-memory tells it. A shared object is drawn at each place
where it is held, with its full size each time. The children are the largest ones, at most --limit
of them, down to --depth levels; `… and N more` stands for the rest, `↺` for an object that contains
itself. `py-config tree indented` shows it from top to bottom, with addresses.
"""
    example = """
  a = [1, 2, 3]; b = [a, a, a]

  py-mem-print b
                             ┌int (28.0B)
               ┌list (172.0B)┼int (28.0B)
               │             └int (28.0B)
               │             ┌int (28.0B)
  list (252.0B)┼list (172.0B)┼int (28.0B)
               │             └int (28.0B)
               │             ┌int (28.0B)
               └list (172.0B)┼int (28.0B)
                             └int (28.0B)
  Without classes and code: 252.0B.
"""

    def options_of(self, values, settings):
        hidden = settings.tree == "indented" and not values.classes and not values.json
        return request.HIDE_CLASSES if hidden else 0

    def render(self, reply, look, values):
        return render.drawing(reply, look, values.labels)


COMMAND = MemPrint()
