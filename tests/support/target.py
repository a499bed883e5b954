"""Starts a target program and stops it on its stage (see targets/stage.py).

Knows nothing about debuggers.
"""

import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import tempfile
import time

import matrix
import procstate


def _allow_cores():
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


class TargetFailed(Exception):
    pass


_directories = []  # with what programs left there, cores of 50 MB among it


def clean():
    """Once, when nobody looks at a target or its core any more."""
    while _directories:
        shutil.rmtree(_directories.pop(), ignore_errors=True)


class Target:
    """A program that has set its stage; a context manager that ends it.

    `argv` is the whole command line. `info` is what the program reported. One that works
    while it waits does not rest."""

    def __init__(self, argv, directory=None, env=None, timeout=120, wait_ready=True, rests=True):
        if directory is None:
            directory = tempfile.mkdtemp(prefix="rme-target-")
            _directories.append(directory)
        self.directory = pathlib.Path(directory)
        os.mkfifo(self.directory / "go")
        self.output = self.directory / "output.txt"
        environment = dict(matrix.ENVIRONMENT, STAGE_DIR=str(self.directory), PYTHONHASHSEED="0")
        environment.update(env or {})
        with open(self.output, "wb") as out:
            self.process = subprocess.Popen(
                [str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=out,
                stderr=subprocess.STDOUT, env=environment, cwd=self.directory,
                preexec_fn=_allow_cores)
        self.info = {}
        self.pid = self.process.pid
        if wait_ready:
            self.wait_ready(timeout)
            if rests:
                self._wait_blocked()

    def wait_ready(self, timeout=120):
        deadline = time.monotonic() + timeout
        while not (self.directory / "ready.json").exists():
            if self.process.poll() is not None:
                raise TargetFailed("the target ended with %s before it was ready:\n%s"
                                   % (self.process.returncode, self.text()))
            if time.monotonic() > deadline:
                self.kill()
                raise TargetFailed("the target was not ready in %d s:\n%s"
                                   % (timeout, self.text()))
            time.sleep(0.01)
        self.info = json.loads((self.directory / "ready.json").read_text())

    def _wait_blocked(self):
        """Until the main thread sleeps: ready.json is written just before."""
        for _ in range(500):
            try:
                stat = pathlib.Path("/proc/%d/stat" % self.pid).read_text()
            except OSError:
                return
            if stat.rpartition(")")[2].split()[0] in "SD":
                return
            time.sleep(0.01)

    @property
    def frames(self):
        """What the oracle said; frame 0 of the debugger is the one that waits."""
        return self.info["frames"]

    def text(self):
        return self.output.read_text(errors="replace")

    @property
    def fifo(self):
        return str(self.directory / "go")

    def go(self):
        procstate.write_byte(self.fifo)

    def finish(self, timeout=60):
        """Lets the program go on to its end and returns the result it reported."""
        self.go()
        return self.wait_result(timeout)

    def wait_result(self, timeout=60):
        code = self.process.wait(timeout)
        if code != 0:
            raise TargetFailed("the target ended with %s:\n%s" % (code, self.text()))
        path = self.directory / "result.json"
        return json.loads(path.read_text()) if path.exists() else None

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.kill()


def start(interpreter, program, *arguments, **options):
    """Runs targets/PROGRAM in the interpreter. The interpreter may be a path."""
    path = getattr(interpreter, "path", interpreter)
    return Target([path, matrix.TARGETS / program] + list(arguments), **options)


def kernel_core(target, number=signal.SIGSEGV):
    """Kills the target with `number` and returns the core that the kernel wrote,
    or None where core_pattern sends it elsewhere."""
    pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if pattern.startswith("|") or "/" in pattern:
        return None
    if target.process.poll() is None:
        os.kill(target.pid, number)
    target.process.wait(60)
    cores = sorted(target.directory.glob("core*"), key=lambda p: p.stat().st_mtime)
    return cores[-1] if cores else None
