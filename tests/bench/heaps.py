"""The fixed heaps that are measured, and what is measured inside the process that has one:
`python heaps.py HEAP OBJECTS walk|frame|peers|stay` prints a JSON object, or with `stay` stops as
the targets of the tests do. Runs on Python 3.8 and later."""

import gc
import json
import os
import random
import resource
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), d) for d in ("oracle", "targets")]

REPETITIONS = int(os.environ.get("BENCH_REPETITIONS", "5"))


class Record:
    def __init__(self, i):
        self.id = i
        self.name = "name%d" % i
        self.tags = [i, str(i), float(i)]
        self.meta = {"a": i, "b": (i, i + 1)}


def records(n):
    """In the order of allocation."""
    return [Record(i) for i in range(n // 9)]


def shuffled(n):
    made = records(n)
    random.Random(1).shuffle(made)
    return made


def linked(n):
    head = None
    for _ in range(n):
        head = [head]
    return head


def dict_of_numbers(n):
    """One dict of so many entries."""
    return {i: None for i in range(n)}


def strings(n):
    return ["string %d" % i for i in range(n)]


def dag(n):
    """Layers of a thousand tuples that each hold eight of the layer below: many paths to
    nearly every object."""
    rng = random.Random(1)
    below = [float(i) for i in range(1000)]
    for _ in range(max(1, n // 1000 - 1)):
        below = [tuple(rng.choices(below, k=8)) for _ in range(1000)]
    return below


def arrays(n):
    """numpy object arrays of a thousand floats each."""
    import numpy
    return [numpy.array([float(i) for i in range(1000)], dtype=object) for _ in range(n // 1000)]


def records_of_one_config(n):
    """Records that share one large structure: ranking them one by one would walk it as
    often."""
    config = {"option %d" % i: [i, str(i), (i, float(i))] for i in range(n // 70)}
    made = [Record(i) for i in range(n // 10)]
    for record in made:
        record.config = config
    return made


HEAPS = {f.__name__: f for f in (records, shuffled, linked, dict_of_numbers, strings, dag, arrays,
                                 records_of_one_config)}


def clocks():
    """Wall, and the CPU time of this process and of its snapshots, which are reaped."""
    mine, theirs = (resource.getrusage(who) for who in
                    (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return (time.perf_counter(), mine.ru_utime + mine.ru_stime,
            theirs.ru_utime + theirs.ru_stime)


def timed(function):
    """(seconds, CPU seconds) of one call."""
    before = clocks()
    function()
    wall, mine, theirs = (b - a for a, b in zip(before, clocks()))
    return wall, mine + theirs


def medians(*functions):
    """[(seconds, CPU seconds)]: medians, the functions called in turns."""
    runs = [[timed(f) for f in functions] for _ in range(REPETITIONS)]
    return [tuple(statistics.median(run[i][k] for run in runs) for k in (0, 1))
            for i in range(len(functions))]


def status(field):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


class Asker:
    """Questions about one object to the helper in this process."""

    def __init__(self, heap):
        import helper
        self.helper = helper
        self.asker = helper.from_environment()
        self.heap = heap
        prototype = helper.ctypes.PYFUNCTYPE(helper.ctypes.c_int64, helper.ctypes.c_void_p,
                                             helper.ctypes.c_uint64)
        start = helper.ctypes.cast(self.asker.library.rme_start, helper.ctypes.c_void_p).value
        self.start = prototype(start)

    def ask(self, query, snapshot=True, limit=10, depth=5, times=1):
        call = (lambda block: self.start(block, 600000)) if snapshot else None
        reply = self.asker.ask(query, [(self.heap,)] * times, flags=0, limit=limit, depth=depth, call=call,
                               capacity=1 << 22)
        assert reply and "error" not in reply, reply
        return reply


MORE = 3  # objects asked for at once are walked one by one, and then all together


def walk_alone(asked, asked_more):
    """What a walk takes whose snapshot has touched the pages before: (wall, CPU)."""
    return tuple((more - once) / MORE for once, more in zip(asked, asked_more))


def walk(heap):
    asker = Asker(heap)
    h = asker.helper
    reply = asker.ask(h.MEMORY)
    asked, asked_more, alone, collected = medians(
        lambda: asker.ask(h.MEMORY), lambda: asker.ask(h.MEMORY, times=MORE),
        lambda: asker.ask(h.MEMORY, snapshot=False), gc.collect)
    with open("/proc/self/clear_refs", "w") as refs:
        refs.write("5")  # the peak begins anew
    before = status("VmRSS")
    asker.ask(h.MEMORY, snapshot=False)
    memory = status("VmHWM") - before
    found = {"objects": reply["objects"], "bytes": reply["size"], "question": asked,
             "walk": walk_alone(asked, asked_more), "walk, one thread": alone, "gc.collect()": collected, "memory": memory}
    for name, query in (("py-top EXPR", h.TOP), ("py-mem-print", h.TREE)):
        replies = []
        found[name] = timed(lambda: replies.append(asker.ask(query)))
        found[name + " caveats"] = [c["kind"] for c in replies[0]["caveats"]]
    return found


def frame_that_shares(heap):
    """py-top on a frame of a thousand locals that all lead to the heap."""
    asker = Asker(heap)
    h = asker.helper
    scope = {}
    names = ["v%d" % i for i in range(1000)]
    exec("def f(heap, ask):\n" + "".join("    %s = [heap, %d]\n" % (n, i)
                                         for i, n in enumerate(names)) + "    return ask()\n", scope)

    def question(frame):
        reply = asker.asker.ask(h.TOP, frame=frame, limit=10, flags=0, capacity=1 << 22,
                                call=lambda block: asker.start(block, 600000))
        return reply["items"][0]["function"] if reply["items"] else None

    answers = []

    def measured(heap, frame):
        return scope["f"](heap, lambda: timed(lambda: answers.append(question(frame))))

    # Which frame it is, is found out on a small one.
    for frame in range(12):
        measured([], frame)
        if answers[-1] == "f":
            break
    once = measured(heap, frame)
    assert answers[-1] == "f"
    alone = timed(lambda: asker.ask(h.MEMORY))
    return {"1,000 locals": once, "walk": alone}


def peers(heap):
    """Others' totals of the same heap, each as its users would ask for it."""
    wanted = os.environ["BENCH_PEERS"].split(",")
    package = None
    if "rememberme" in wanted:
        # The plugin's own package has the same name: this one first, and out of its way.
        import rememberme as package
        for module in [m for m in sys.modules if m.split(".")[0] == "rememberme"]:
            del sys.modules[module]
    asker = Asker(heap)
    asked, asked_more = medians(lambda: asker.ask(asker.helper.MEMORY),
                                lambda: asker.ask(asker.helper.MEMORY, times=MORE))
    found = {"walk": walk_alone(asked, asked_more), "question": asked}
    reply = asker.ask(asker.helper.MEMORY)
    found["objects"], found["bytes"] = reply["objects"], reply["size"]

    def attempt(name, function):
        if name not in wanted:
            return
        try:
            found[name] = timed(function)
        except Exception as error:  # it is told, not hidden
            found[name] = "%s: %s" % (type(error).__name__, error)

    def pympler():
        from pympler import asizeof
        asizeof.asizeof(heap)

    def guppy3():
        import guppy
        guppy.hpy().iso(heap).domisize

    def objsize():
        import objsize as other
        other.get_deep_size(heap)

    def rememberme():
        package.memory(heap)

    for function in (pympler, guppy3, objsize, rememberme):
        attempt(function.__name__, function)
    return found


def stay(heap):
    import stage
    global HEAP, SMALL
    HEAP, SMALL = heap, [1, 2, 3]
    collected = medians(gc.collect)[0]
    stage.wait(**{"gc.collect()": collected})


def main():
    name, objects, what = sys.argv[1:]
    heap = HEAPS[name](int(objects))
    gc.collect()
    if what == "stay":
        stay(heap)
        return
    found = {"walk": walk, "peers": peers, "frame": frame_that_shares}[what](heap)
    print(json.dumps(found))
    sys.stdout.flush()
    os._exit(0)  # a list of ten million links ends by itself only with luck


if __name__ == "__main__":
    main()
