"""py-referrers: the direct holders of an object."""

from .. import arguments, render_heap, request
from .base import Query


class Referrers(Query):
    name = "py-referrers"
    summary = "The direct holders of an object, and where in each it is held."
    query = request.REFERRERS
    operands = "EXPR"
    min_exprs = max_exprs = 1
    options = Query.options + (arguments.LIMIT,)
    about = """
All of them: attributes, keys, indices, variables of running functions, cells of closures, and C code.
A dict is told with its module, class or instance, and a cell with its function.
py-why tells how each of them is kept alive itself.
"""
    example = """
  py-referrers 0x7fd4010c8040
  app.Session at 0x7fd4010c8040, 48.0B
    Address         Holder                         Held as
                    frame 0 (main at app.py:28)    session
    0x7fd4011750f0  app.User                       .session
    0x7fd401177a80  dict of module app             ["CURRENT"]
"""

    def render(self, reply, look, values):
        return render_heap.referrers(reply, look)


COMMAND = Referrers()
