"""Random graphs (differential/graphs.py) from fixed seeds, and memory maps, as locals of
look(); `wanted` is what the oracle says of each. Runs on Python 3.8 and later.
"""

import mmap
import os
import random
import sys
import tempfile

import stage

sys.path.insert(0, os.path.join(stage.ROOT, "differential"))
import graphs  # noqa: E402
from stage import oracle  # noqa: E402

try:
    import numpy
except ImportError:
    numpy = None

GRAPHS = 12


def described(seed):
    """As the strategies of test_graphs.py: up to 40 nodes that lead to any others."""
    rng = random.Random(seed)
    kinds = sorted(graphs.FIXED) + sorted(graphs.OPEN)
    return [(rng.choice(kinds), [rng.randrange(41) for _ in range(rng.randrange(7))])
            for _ in range(rng.randint(15, 40))]


def maps():
    """An array over a file and views of it; the same without numpy. And what is mapped."""
    with tempfile.TemporaryFile() as file:
        file.truncate(1 << 20)
        if numpy is None:
            mapped = mmap.mmap(file.fileno(), 0)
            views = [mapped, memoryview(mapped)]
        else:
            whole = numpy.memmap(file, dtype="u1", mode="r+", shape=(1000, 1000))
            views = [whole, whole[10:], whole[10:][::2, 5], whole.T.view(numpy.ndarray)]
            mapped = whole._mmap
        return views, {"files": {"objects": 1, "bytes": len(mapped)},
                       "anonymous": {"objects": 1, "bytes": 12345}}


def look():
    built = [graphs.build(described(seed)) for seed in range(GRAPHS)]
    # The root is the first of those that lead to most.
    roots = {"graph%d" % i: max(made, key=lambda one: oracle.Oracle().walk([one])[1])
             for i, made in enumerate(built)}
    views, mapped = maps()
    anonymous = mmap.mmap(-1, 12345)
    wanted = {name: oracle.measure(root) for name, root in roots.items()}
    stage.wait(wanted=wanted, mapped=mapped)
    return built, views, anonymous


stage.result(done=len(look()))
