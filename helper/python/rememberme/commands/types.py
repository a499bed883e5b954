"""py-types: objects by type."""

from .. import arguments, render_heap, request
from .base import Query

_SORT = arguments.Option("--sort", "by bytes (default) or number of objects",
                         choices=("size", "count"))
_BY = arguments.Option("--by", "rows of modules; lengths of containers too",
                       choices=("module", "length"))


class Types(Query):
    name = "py-types"
    summary = "How many objects of each type there are, and their bytes."
    query = request.TYPES
    operands = "[EXPR…]"
    max_exprs = None
    options = Query.options + (arguments.LIMIT, _SORT, _BY)
    about = """
Without EXPR: all objects of the process, those of modules, classes and code included, and those that
only the garbage collector's lists lead to. With EXPR: what can be reached from it, as py-memory
counts it.

The bytes of a type are those of its instances alone (sys.getsizeof), not of what they refer to;
py-retained tells what they keep alive.
"""
    example = """
  py-types --limit 3
       Size  Objects  Type
    17.0MiB   50,000  bytearray
    1.2MiB     8,475  str
    512.6KiB   1,122  app.models.User
    … and 171 more: 3.1MiB in 15,842 objects (--limit 0 shows all)
  All together 21.8MiB in 75,439 objects.
"""

    def options_of(self, values, settings):
        options = request.SORT_COUNT if values.sort == "count" else 0
        return options | {"module": request.BY_MODULE, "length": request.BY_LENGTH,
                          None: 0}[values.by]

    def render(self, reply, look, values):
        return render_heap.types(reply, look)


COMMAND = Types()
