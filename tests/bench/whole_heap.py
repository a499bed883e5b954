"""Measures the questions about the whole heap inside one interpreter, beside gc.collect()
on the same heap: `python whole_heap.py RECORDS` prints a JSON object. Nine objects and 17
references per record."""

import gc
import json
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "oracle"))

import helper  # noqa: E402
from helper import requests  # noqa: E402

REPETITIONS = 3


class Record:
    def __init__(self, i):
        self.id = i
        self.name = "name%d" % i
        self.tags = [i, str(i), float(i)]
        self.meta = {"a": i, "b": (i, i + 1)}


def best(function):
    times = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def resident(field):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(field))


def main():
    records = [Record(i) for i in range(int(sys.argv[1]))]
    gc.collect()
    asker = helper.from_environment()

    def ask(query, *exprs, **options):
        reply = asker.ask(query, exprs, flags=0, capacity=1 << 16, limit=5, depth=1, **options)
        assert "error" not in reply, reply
        return reply

    target = "%#x" % id(records[0].meta)
    figures = {"objects": ask(requests.TYPES)["objects"], "gc.collect": best(gc.collect)}
    figures["py-types"] = best(lambda: ask(requests.TYPES))
    figures["graph and dominators"] = best(lambda: ask(requests.DOMINATORS))
    figures["py-why"] = best(lambda: ask(requests.WHY, target))
    figures["py-referrers"] = best(lambda: ask(requests.REFERRERS, target))
    figures["py-retained EXPR"] = best(lambda: ask(requests.RETAINED, target))
    figures["py-retained"] = best(lambda: ask(requests.RETAINED))
    with open("/proc/self/clear_refs", "w") as refs:
        refs.write("5")  # the peak begins anew
    before = resident("VmRSS")
    ask(requests.DOMINATORS)
    figures["bytes"] = resident("VmHWM") - before
    print(json.dumps(figures))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
