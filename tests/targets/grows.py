"""A heap that grows between the calls of a C function that a debugger can stop at."""

import mmap
import os
import sys

import stage

ROWS = []


class Row:
    def __init__(self):
        self.data = bytearray(1000)


def main():
    shared = mmap.mmap(-1, 1 << 16) if "shared" in sys.argv else None  # MAP_SHARED
    ROWS.append(Row())
    stage.wait()
    for _ in range(50):
        ROWS.append(Row())
        os.getppid()
    stage.result(rows=len(ROWS))
    del shared


if __name__ == "__main__":
    main()
