"""A program that counts in a file that it shares: whether it lives and goes on is to be seen
without a word from it."""

import contextlib
import struct
import subprocess
import time

import matrix


class Counting:
    """A program that counts in a file: whether it lives, and goes on."""

    def __init__(self, file, program, *arguments, before=None):
        self.file = file
        file.write_bytes(bytes(8))
        self.process = subprocess.Popen(
            [matrix.one_interpreter().path, str(matrix.TARGETS / program), str(file)]
            + list(map(str, arguments)), env=matrix.ENVIRONMENT, preexec_fn=before)
        self.pid = self.process.pid
        self.wait()

    def count(self):
        return struct.unpack("<Q", self.file.read_bytes())[0]

    def wait(self):
        """Until it has gone on."""
        seen, end = self.count(), time.monotonic() + 60
        while self.count() < seen + 3:
            assert self.process.poll() is None, "it has ended by %s" % self.process.returncode
            assert time.monotonic() < end, "it does not go on"
            time.sleep(0.01)


@contextlib.contextmanager
def counting(*arguments, **options):
    program = Counting(*arguments, **options)
    try:
        yield program
    finally:
        program.process.kill()
        program.process.wait()
