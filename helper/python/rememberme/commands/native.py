"""py-native: native memory by owner."""

from .. import arguments, render_native, request
from .base import Query


class Native(Query):
    name = "py-native"
    summary = "Native memory: the blocks of malloc, who reaches them, and what nothing does."
    query = request.NATIVE
    options = (arguments.LIMIT,)
    about = """
Blocks of glibc's malloc are found without symbols, on a process or a core. A block that holds a Python object,
or is in the size of one (the items of a list, the data of an array), is the object's. Each other block
belongs to who reaches it first: an object of a type, the data of a library, the stack of a thread, other memory.

What looks like a pointer to the start of a block is taken for one, so a block may seem held that is
not; what nothing points into was forgotten by whoever asked for it. A pointer into the middle counts
where an object or the data of a library has it; in a block or on a stack it may be left over
from before, and a block that nothing else holds is told apart ("pointed into"). Bytes are what a program may use of a
block. Free is what malloc keeps, in all: lists, caches of threads, and the tops of its arenas.
"""
    example = """
  py-native --limit 3
     Bytes  Blocks  Held by
   38.2MiB  40,001  nothing that was found
   25.6MiB     301  type zlib.Compress
   21.0MiB     412  type sqlite3.Connection
   … and 61 more: 1.1MiB in 2,214 blocks (--limit 0 shows all)
  In use 86.0MiB in 42,928 blocks, besides 3.1MiB in the sizes of objects.
  Free in malloc's 1 arena: 212.4KiB.

  Nothing points into these
    Bytes  Blocks  Pointed into  Of size         Example  Looks like
  38.1MiB  39,998                  1,000  0x55d0c8a1f2a0  text: AAAA
"""

    def render(self, reply, look, values):
        return render_native.native(reply, look)


COMMAND = Native()
