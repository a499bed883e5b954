"""py-why: what keeps an object alive."""

from .. import arguments, render_heap, request
from .base import Query

_PATHS = arguments.Option("--paths", "at most N paths; 0: all", True)
_DEFAULT = 3
_ALL = 10000


class Why(Query):
    name = "py-why"
    summary = "What keeps an object alive: the shortest paths to it from named roots."
    query = request.WHY
    operands = "EXPR"
    min_exprs = max_exprs = 1
    options = Query.options + (_PATHS,)
    about = """
Each arrow is one reference. No two paths come through the same last holder, so cutting all of them
frees the object. Roots are modules, the variables of running functions, threads, the interpreter,
and C code: `C (2 references)` means that the object's reference count is larger by 2 than the
references that were found. Weak references never count.
"""
    example = """
  py-why 0x7fd4010c8040
  app.Session at 0x7fd4010c8040, 48.0B

  1. module app.cache → CACHE["users"] → list[17] → User.session
     app.cache:CACHE["users"][17].session
      Address         Type         Held as
      0x7fd401175140  dict         CACHE
      0x7fd4011644c0  list         ["users"]
      0x7fd4011750f0  app.User     [17]
      0x7fd4010c8040  app.Session  .session
"""

    def limit_of(self, values):
        return _DEFAULT if values.paths is None else values.paths or _ALL

    def render(self, reply, look, values):
        return render_heap.why(reply, look)


COMMAND = Why()
