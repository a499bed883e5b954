"""A heap that takes a while to walk: `big.py N` makes 2 N objects."""

import sys

import stage


def main():
    small = [1, 2, 3]
    large = [[float(i)] for i in range(int(sys.argv[1]))]
    stage.wait()
    stage.result(small=small, large=len(large))


main()
