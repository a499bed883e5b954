"""py-summary: one screen about a process."""

from .. import process, render_heap, request
from .base import Query


class Summary(Query):
    name = "py-summary"
    summary = "Where the memory of the process is, and who holds it: one screen."
    query = request.SUMMARY
    options = ()
    about = """
The parts under Memory add up to the first line. Objects are counted with sys.getsizeof. What is free
in CPython's arenas was given back by objects, and not yet to the system: one object that stays
keeps a megabyte there.
"""
    example = """
  py-summary
  Process 4711, CPython 3.12.1, 3 Python threads

            Memory
    68.9MiB  resident (RSS)
    20.5MiB    74,439 Python objects
    18.6MiB    free in CPython's 39 arenas
    11.8MiB    pages of files: program and libraries
    18.0MiB    the rest: memory of C code, thread stacks, what malloc keeps
  …
"""

    def add(self, target, reply):
        reply["process"] = dict(process.account(target, reply), kind=target.kind, pid=target.pid,
                                python=reply.get("python"))

    def render(self, reply, look, values):
        return render_heap.summary(reply, look)


COMMAND = Summary()
