"""Python frames that C frames lie between: sorted() calls back, a generator runs, a
class body is executed, a comprehension is at work."""

import functools

import stage


def innermost(one, two):
    here = ["innermost", one]
    stage.wait()
    return (here[1] > two) - (here[1] < two)


def called_back_by_sorted(values):
    mine = ["outer"] * len(values)
    return sorted(values, key=functools.cmp_to_key(innermost)), mine


def generate(limit):
    held = ["generator"]
    for i in range(limit):
        yield called_back_by_sorted([i + 1, i]), held


def outermost():
    free = ["free"]

    class Body:
        inside = ["class"]
        values = next(generate(1))

        def method(self):
            return free

    return [Body.values for _ in range(1)]


stage.result(sorted=outermost()[0][0][0])
