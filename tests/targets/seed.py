"""The example that everything starts from: shared objects count once."""

import stage


def main():
    a = [1, 2, 3]
    b = [a, a, a]
    stage.stop()
    stage.result(a=a, b=b)


main()
