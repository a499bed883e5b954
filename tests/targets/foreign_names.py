"""Names of the program and of its files that ASCII, or UTF-8, has no characters for."""

import mmap
import os

import stage


class Größe:
    def __init__(self):
        self.höhe = ["naïve " * 100]


def map_file(name):
    """Maps a file whose name is these bytes."""
    path = os.path.join(os.environ["STAGE_DIR"].encode(), name)
    with open(path, "wb+") as file:
        file.write(b"x" * 4096)
        file.flush()
        return mmap.mmap(file.fileno(), 4096)


def main():
    größe = Größe()
    kept = [größe, {"→ … ┌": größe}]
    kept.append(kept)
    maps = [map_file(b"latin-\xe9\xff\x85"), map_file("utf-8-é…\u2028".encode())]
    stage.wait(maps=len(maps), address=id(größe))


main()
