"""The line that tells how far a long walk is. Drawn only when somebody watches and
only after a second; always erased."""

import time

from .text import count, human

DELAY = 1.0     # seconds before the first line
INTERVAL = 0.25 # seconds between two


class Progress(object):
    """Use as a context manager; call update() as often as you like."""

    def __init__(self, adapter, shown=True):
        self._adapter = adapter
        self._next = time.time() + DELAY if shown and adapter.is_terminal() else None
        self._drawn = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._drawn:
            self._adapter.show_progress("")

    def update(self, n_objects, n_bytes):
        if self._next is None or time.time() < self._next:
            return
        self._next = time.time() + INTERVAL
        self._drawn = True
        done = "%s objects, %s so far" % (count(n_objects), human(n_bytes))
        self._adapter.show_progress(
            (done if n_objects else "working") + " (Ctrl-C ends it)")
