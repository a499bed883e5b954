"""What every target program uses: tell the test that the stage is set, and wait.

The directory in STAGE_DIR is shared with the test:
  ready.json   written by the program: {"pid":…, …}
  go           a FIFO; one byte from the test lets the program go on
  result.json  written by the program when it ended well

A program that nobody lets go on ends by SIGALRM. Runs on Python 3.8 and later.
"""

import gc
import json
import os
import signal
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "oracle"))
import oracle  # noqa: E402

DIRECTORY = os.environ["STAGE_DIR"]
LIFETIME = int(os.environ.get("STAGE_LIFETIME", "300"))

signal.alarm(LIFETIME)


def _write(name, value):
    path = os.path.join(DIRECTORY, name)
    with open(path + ".new", "w") as out:
        json.dump(value, out)
    os.rename(path + ".new", path)


def ready(**info):
    info["pid"] = os.getpid()
    _write("ready.json", info)


# Read and write: the open must not wait for the other end.
_go = os.open(os.path.join(DIRECTORY, "go"), os.O_RDWR)


def stop(**info):
    """Measures every frame of this thread, from the caller outwards, tells the
    test, and blocks in read(2), without the GIL, until the test writes to the FIFO.
    Meanwhile the caller is frame 1."""
    gc.collect()
    info["frames"] = oracle.frames(sys._getframe(1))
    ready(**info)
    del info
    os.read(_go, 1)


def wait(**info):
    """The same without the measuring."""
    ready(**info)
    del info
    os.read(_go, 1)


def result(**info):
    _write("result.json", info)
