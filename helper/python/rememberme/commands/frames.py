"""py-frames: the Python stack with sizes."""

from .. import arguments, render, request
from .base import Query


class Frames(Query):
    name = "py-frames"
    summary = "The Python frames of the selected thread, numbered for --frame, with sizes."
    query = request.FRAMES
    options = (arguments.THREAD, arguments.ALL_THREADS, arguments.ALLOCATED)
    about = """
Frame 0 is the innermost. `*` marks the frame that the other commands take when they are given no
--frame: the innermost Python frame that the selected C frame runs. From Python 3.11 on one C
frame can run several Python frames; --frame reaches each of them.

The size of a frame is that of its local variables together.
"""
    example = """
  py-frames
     Frame    Size  Objects  Function  Where
  *      0  252.0B        5  main      app.py:2
         1  1.2MiB    9,990  <module>  app.py:9
  Together 1.2MiB in 9,995 objects, shared objects once.
  Without classes and code: 1.1MiB.
"""

    def render(self, reply, look, values):
        return render.frames(reply, look, values.all_threads)


COMMAND = Frames()
