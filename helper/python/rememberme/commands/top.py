"""py-top: what is largest."""

from .. import arguments, render, request, session
from ..errors import Failure
from .base import Query


_LITTLE, _MUCH = 1 << 14, 1 << 16  # bytes without classes


def _bare(item):
    return item.get("size_without_classes") or 0


class Top(Query):
    name = "py-top"
    summary = "The largest local variables of the selected Python frame, or objects in one."
    query = request.TOP
    operands = "[EXPR]"
    max_exprs = 1
    options = Query.options + (arguments.ALL_THREADS, arguments.LIMIT,
                               arguments.ALLOCATED)
    about = """
Without EXPR: the local variables of the selected Python frame (--all-threads: of every frame), the
largest first. With EXPR: the objects that can be reached from it, with the path to each.

Sizes are those of py-memory: two variables that share an object both have it in their size, so the
sizes add up to more than what they take together.
"""
    example = """
  a = [1, 2, 3]; b = [a, a, a]

  py-top
  frame 0, main at app.py:2
      Size  Objects  Type  Name
    252.0B        5  list  b
    172.0B        4  list  a
  Together 252.0B in 5 objects, shared objects once.
  Without classes and code: 252.0B.
"""

    def hints(self, adapter, settings, target, reply, look, values):
        """A program that waits does so in a small function of some library."""
        if values.words or values.all_threads or values.frame is not None or (
                _bare(reply) >= _LITTLE):
            return []
        try:
            asked = session.question(adapter, settings, target, request.FRAMES, all_threads=True)
            frames = session.answer(adapter, settings, target, asked)["items"]
        except Failure:
            return []  # the question that was asked has its answer
        largest = max(frames, key=_bare, default=None)
        if not largest or _bare(largest) < max(_MUCH, 2 * _bare(reply)):
            return []
        return render.elsewhere(largest, look)

    def render(self, reply, look, values):
        return render.top(reply, look, values.all_threads)


COMMAND = Top()
