"""py-retained: what would be freed."""

from .. import arguments, render_heap, request
from .base import Query


_LIMIT = arguments.Option("--limit", "at most N rows in each list; 0: 10,000", True)


class Retained(Query):
    name = "py-retained"
    summary = "What would be freed if an object went, and what retains most."
    query = request.RETAINED
    operands = "[EXPR…]"
    max_exprs = None
    options = Query.options + (_LIMIT,)
    about = """
The retained size of an object is that of all objects which nothing but it keeps alive, itself
included: what would be freed if every reference to it went. What others hold too is not in it.
With several EXPR also what would be freed if all of them went.

Without EXPR: what retains most in the whole process. An object whose memory is shared by several
holders appears by itself, because none of them retains it; py-why tells who they are.
"""
    example = """
  py-retained CACHE
    Retained  Objects  Type  Address         Name
    201.8KiB      250  dict  0x7fd401175140  CACHE
"""

    def render(self, reply, look, values):
        return render_heap.retained(reply, look)


COMMAND = Retained()
