"""py-memory: how much memory an object, or a frame, keeps reachable."""

from .. import arguments, render, request
from .base import Query


class Memory(Query):
    name = "py-memory"
    summary = "Size of Python objects, or of the local variables of the selected Python frame."
    query = request.MEMORY
    operands = "[EXPR…]"
    max_exprs = None
    options = Query.options + (arguments.ALL_THREADS, arguments.ALLOCATED)
    about = """
The size of an object is the sum of sys.getsizeof of every object that can be reached from it,
itself included, each counted once. Modules and their namespaces are not entered. Without EXPR: the
local variables of the selected Python frame together (--all-threads: of every frame).

It is not what would be freed if the object went away: what it shares with others is in it too.
"""
    example = """
  a = [1, 2, 3]; b = [a, a, a]

  py-memory a b
      Size  Objects  Type  Name
    172.0B        4  list  a
    252.0B        5  list  b
    252.0B        5        together, shared objects once
  Without classes and code: 252.0B.
"""

    def render(self, reply, look, values):
        return render.memory(reply, look)


COMMAND = Memory()
