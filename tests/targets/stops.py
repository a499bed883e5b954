"""Runs one scenario, to be stopped at awkward places: `stops.py SCENARIO LIBRARY`.

Each scenario waits for the test to attach, does its work, and reports a result that
depends on every step of the work. The work runs in `work`, whose locals are `held` and
what the scenario has under its hands.
"""

import ctypes
import gc
import hashlib
import os
import signal
import sys
import threading
import time

import stage

LIBRARY = ctypes.CDLL(sys.argv[2])
SCENARIOS = {}


def scenario(function):
    SCENARIOS[function.__name__] = function
    return function


def held():
    return {"numbers": list(range(1000)), "text": ["text %d" % i for i in range(100)]}


def digest(value):
    return hashlib.md5(repr(value).encode()).hexdigest()


@scenario
def sleep():
    """In time.sleep, without the GIL."""
    mine = held()
    stage.ready()
    for _ in range(4000):
        time.sleep(0.05)
        if select_go():
            break
    return digest(mine)


def select_go():
    import select
    return bool(select.select([stage._go], [], [], 0)[0])


@scenario
def compute():
    """In C code that has let go of the GIL."""
    mine = held()
    stage.ready()
    total = 0
    while not select_go():
        total ^= LIBRARY.rme_test_compute(10 ** 7)
    return digest([mine, LIBRARY.rme_test_compute(10 ** 6)])


@scenario
def allocate():
    """In malloc with the lock of the arena held: glibc takes it once there are
    several threads, and asks the kernel for memory while it holds it."""
    mine = held()
    done = threading.Event()
    other = threading.Thread(target=done.wait)
    other.start()
    stage.wait()
    blocks = []
    for i in range(64):
        blocks.append(bytes([i]) * (200000 + 9000 * i))
    done.set()
    other.join()
    return digest([mine, [hashlib.md5(b).hexdigest() for b in blocks]])


@scenario
def collect():
    """Inside the garbage collector: in a tp_traverse."""
    class Traversed:
        pass

    mine = held()
    traversed = Traversed()
    traversed.attribute = [1, 2, 3]
    stage.wait()
    slot = ctypes.c_void_p.from_address(id(Traversed) + 184)  # tp_traverse in every version
    saved = slot.value
    slot.value = ctypes.cast(LIBRARY.rme_test_traverse, ctypes.c_void_p).value
    cycles = []
    for _ in range(100):
        cycle = [mine]
        cycle.append(cycle)
        cycles.append(len(cycle))
    found = gc.collect()
    slot.value = saved
    return digest([mine, traversed.attribute, cycles, found > 0])


@scenario
def resize():
    """While a dict is being resized: its new table is in place, its old one is
    given back."""
    mine = held()
    growing = {}
    stage.wait()
    for i in range(60000):
        growing[i] = i
    return digest([mine, len(growing), sum(growing.values())])


@scenario
def handle():
    """In a signal handler of C code, on the main thread."""
    mine = held()
    stage.wait()
    LIBRARY.rme_test_handle(signal.SIGUSR1)
    for _ in range(3):
        os.kill(os.getpid(), signal.SIGUSR1)
    return digest([mine, LIBRARY.rme_test_signals()])


@scenario
def handle_python():
    """In a signal handler of Python code."""
    mine = held()
    seen = []

    def handler(number, frame):
        local = [number, frame.f_code.co_name]
        LIBRARY.rme_test_stop()
        seen.append(local)

    signal.signal(signal.SIGUSR1, handler)
    stage.wait()
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGUSR1)
    return digest([mine, seen])


@scenario
def foreign():
    """With a thread that is not Python's."""
    mine = held()
    pipe = os.pipe()
    fds = (ctypes.c_int * 2)(*pipe)
    thread = ctypes.c_ulong()
    stage.wait()
    LIBRARY.rme_test_thread(ctypes.byref(thread), fds)
    time.sleep(0.1)
    os.write(pipe[1], b"xq")
    LIBRARY.rme_test_join.argtypes = [ctypes.c_ulong]
    joined = LIBRARY.rme_test_join(thread.value)
    return digest([mine, joined])


@scenario
def many():
    """With 200 threads."""
    mine = held()
    barrier = threading.Barrier(201)
    done = threading.Event()
    sums = []

    def wait_in_thread(number):
        local = list(range(number))
        barrier.wait()
        done.wait()
        sums.append(sum(local))

    threads = [threading.Thread(target=wait_in_thread, args=(n,)) for n in range(200)]
    for thread in threads:
        thread.start()
    barrier.wait()
    time.sleep(0.2)
    stage.wait()
    LIBRARY.rme_test_stop()
    done.set()
    for thread in threads:
        thread.join()
    return digest([mine, sorted(sums)])


def main():
    stage.result(digest=SCENARIOS[sys.argv[1]]())


main()
