"""Dies in a chosen way: `crash.py HOW LIBRARY`. The function that dies has the locals
`cargo` and `how`."""

import ctypes
import faulthandler
import os
import sys
import threading
import time

import stage

LIBRARY = ctypes.CDLL(sys.argv[2])
HOW = {}


def way(function):
    HOW[function.__name__] = function
    return function


def load():
    return {"users": [{"id": i, "name": "user %d" % i} for i in range(500)]}


@way
def segfault(cargo, how):
    """SIGSEGV inside a C extension."""
    LIBRARY.rme_test_crash()


@way
def abort_in_thread(cargo, how):
    """abort() in a thread that has let go of the GIL."""
    def worker_that_aborts(cargo):
        time.sleep(0.2)
        ctypes.CDLL(None).abort()

    thread = threading.Thread(target=worker_that_aborts, args=(cargo,))
    thread.start()
    while True:
        time.sleep(1)


@way
def overflow(cargo, how):
    """The C stack runs out in a recursion through C code."""
    class Recursive:
        def __repr__(self):
            return recurse_through_c(self, cargo)

    def recurse_through_c(value, cargo):
        return "%r" % (value,)

    # From 3.12 on there is a limit on recursion in C, for a stack of the usual size.
    sys.setrecursionlimit(10 ** 7)
    threading.stack_size(256 * 1024)
    thread = threading.Thread(target=repr, args=(Recursive(),))
    thread.start()
    thread.join()


@way
def fatal_error(cargo, how):
    """Py_FatalError: abort with the GIL."""
    die = ctypes.pythonapi.Py_FatalError
    die.argtypes = [ctypes.c_char_p]
    die(b"made by the test")


@way
def killed(cargo, how):
    """Nothing but waiting: somebody takes a core and kills it."""
    stage.wait()


def main():
    faulthandler.disable()
    HOW[sys.argv[1]](load(), sys.argv[1])
    os._exit(9)


main()
