"""py-dominators: what would go with what."""

from .. import arguments, render, request
from .base import Query


class Dominators(Query):
    name = "py-dominators"
    summary = "Tree of what retains memory, in the whole process or below an object."
    query = request.DOMINATORS
    operands = "[EXPR]"
    max_exprs = 1
    options = Query.options + (arguments.LIMIT, arguments.DEPTH)
    about = """
A node stands right of the one without which it would be freed (its immediate dominator), with the
size that it retains. The sizes of a node's children and its own add up to its size: unlike in
py-mem-print nothing is drawn twice.

What stands at the very left is not held by one object alone: roots, such as modules and variables,
and objects with several holders.
"""
    example = """
  py-dominators CACHE --depth 2 --limit 1
                                            ┌[0]: app.User (10.6KiB)
  dict (201.8KiB)─["users"]: list (201.6KiB)┤
                                            └… and 19 more (191.0KiB)
"""

    def render(self, reply, look, values):
        return render.drawing(reply, look, labels=True)


COMMAND = Dominators()
