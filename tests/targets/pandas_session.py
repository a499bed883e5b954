"""A session with numpy and pandas: arrays that own, arrays that view, frames of
data, the objects in between."""

import datetime

import numpy
import pandas

import stage


class Tagged(numpy.ndarray):
    """A subclass with attributes."""


def main():
    rows = 5000
    numbers = numpy.arange(rows, dtype="float64")
    matrix = numpy.zeros((100, 50), order="F")
    view = matrix[10:20, ::2]
    view_of_view = view[1:, 1:]
    scalar = numpy.float64(1.5)
    text = numpy.array(["a", "bc", "def"])
    text_scalar = text[1]
    structured = numpy.zeros(10, dtype=[("x", "i4"), ("y", "f8"), ("z", "S5")])
    record = structured[0]
    empty = numpy.empty((0, 3))
    flat = numpy.array(3)
    wide = numpy.broadcast_to(numbers[:1], (1000, 1000))
    objects = numpy.array([None, "x", [1, 2]], dtype=object)
    tagged = numbers[:10].view(Tagged)
    tagged.label = ["label"]
    buffer = numpy.frombuffer(bytearray(b"0123456789abcdef"), dtype="u4")
    masked = numpy.ma.masked_greater(numbers[:20], 10)
    generator = numpy.random.RandomState(1)
    dtype = structured.dtype
    ufunc = numpy.add
    iterator = numbers.flat
    column = pandas.Series(numbers, name="column")
    frame = pandas.DataFrame({
        "id": range(rows), "value": numbers * 2, "name": ["name %d" % (i % 50) for i in range(rows)],
        "when": pandas.date_range("2024-01-01", periods=rows, freq="h")})
    frame["kind"] = frame["name"].astype("category")
    part = frame[frame["id"] % 7 == 0]
    grouped = frame.groupby("name")["value"].mean()
    pivot = frame.head(200).pivot_table(index="id", columns="name", values="value")
    index = frame.index
    stamp = pandas.Timestamp("2024-05-01")
    delta = pandas.Timedelta(days=1)
    caches = {"by name": {name: group for name, group in frame.groupby("name")},
              "dates": [datetime.date(2024, 1, d + 1) for d in range(20)]}
    stage.stop()
    stage.result(sum=float(column.sum()), groups=len(grouped), part=len(part), pivot=list(pivot.shape),
                 used=len([view_of_view, scalar, text_scalar, record, empty, flat, wide, objects,
                           tagged, buffer, masked, generator, dtype, ufunc, iterator, index, stamp,
                           delta, caches]))


main()
