"""A heap that grows between the calls of a C function that a debugger can stop at."""

import os

import stage

ROWS = []


class Row:
    def __init__(self):
        self.data = bytearray(1000)


def main():
    ROWS.append(Row())
    stage.wait()
    for _ in range(50):
        ROWS.append(Row())
        os.getppid()
    stage.result(rows=len(ROWS))


if __name__ == "__main__":
    main()
