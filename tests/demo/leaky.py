"""A small page service that leaks, as services do: a cache whose keys never repeat, and
listeners that nobody takes off the bus. It knows nothing of debuggers.

    python3 leaky.py REQUESTS     serves that many, prints "ready", and goes on slowly
"""

import collections
import itertools
import queue
import sys
import threading
import time


class Session:
    def __init__(self, number, bus):
        self.number = number
        self.user = "user%d" % (number % 500)
        self.history = []
        # The leak: a session that has ended is still a listener
        bus.subscribe("published", self.refresh)

    def refresh(self, page):
        self.history.append(page)


class Bus:
    def __init__(self):
        self.listeners = collections.defaultdict(list)

    def subscribe(self, event, listener):
        self.listeners[event].append(listener)


class PageCache:
    def __init__(self):
        self.pages = {}
        self.hits = self.misses = 0

    def get(self, path, session):
        # The leak: the key names the session, so no page is ever found again
        key = (path, session.number)
        if key in self.pages:
            self.hits += 1
        else:
            self.misses += 1
            self.pages[key] = {
                "path": path, "user": session.user, "rendered": time.time(),
                "body": ("<h1>%s for %s</h1>" % (path, session.user)).encode() * 8}
        return self.pages[key]


class Mailer(threading.Thread):
    """Collects what it will send with the next batch."""

    def __init__(self, name, outbox):
        super().__init__(name=name, daemon=True)
        self.outbox = outbox

    def run(self):
        batch = []
        while True:
            batch.append(self.outbox.get())
            if len(batch) == 5000:
                batch.clear()


def serve(requests):
    bus, cache, outbox = Bus(), PageCache(), queue.Queue()
    recent = collections.deque(maxlen=50)
    for name in ("mailer-1", "mailer-2"):
        Mailer(name, outbox).start()
    for number in itertools.count():
        session = Session(number, bus)
        page = cache.get("/item/%d" % (number % 40), session)
        recent.append(page["path"])
        if number % 10 == 0:
            outbox.put("Dear %s, thank you for visit %d" % (session.user, number))
        if number == requests:
            print("ready", flush=True)
        if number >= requests:
            time.sleep(0.5)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
