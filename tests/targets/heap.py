"""A heap that takes a while to walk: records in an order that is not that of memory."""

import random
import sys

import stage


def main(n):
    records = [{"number": i, "name": "name %d" % i, "pair": (i, float(i))} for i in range(n)]
    random.Random(1).shuffle(records)
    stage.wait()
    stage.result(n=len(records))


main(int(sys.argv[1]))
