"""The way into a core, and into a live process in which nothing may be executed:
the program rememberme-undump, which maps the memory into a sandboxed child of its
own and runs the helper there."""

import os
import select
import signal
import subprocess
import tempfile
import time

from . import library
from .errors import Failure
from .progress import Progress
from .reply import decode

_POLL = 0.05       # seconds between two looks for Ctrl-C
_TERM_TIME = 1.0   # seconds that undump gets to end by itself


def answer(adapter, target, question, binaries, keeping):
    """The decoded reply to a request.Request; the caveats of undump are among its own.
    `binaries` is the folder of py-config, or "", `keeping` a kept.Keeping."""
    command = [library.find(library.UNDUMP), "--library", library.find(library.LIBRARY),
               "--request", "-"]
    memory = None
    if target.kind == "core":
        if not target.core_path:
            raise Failure("no-core-path", "The debugger does not tell where the core file is.")
        command += ["--core", target.core_path]
    else:
        command += ["--pid", str(target.pid)]
        memory = _open_memory(target.pid)
        if memory is not None:
            command += ["--mem", str(memory)]
    graph = keeping.descriptor()
    if graph is not None:
        command += ["--kept", str(graph)]
    for folder in (binaries, target.sysroot) + target.search_path:
        if folder:
            command += ["--search", folder]
    for path in target.files:
        command += ["--file", path]
    try:
        inherited = [descriptor for descriptor in (memory, graph) if descriptor is not None]
        return _merge(decode_run(adapter, command, question.encode(), inherited))
    finally:
        if memory is not None:
            os.close(memory)


def _open_memory(pid):
    try:
        return os.open("/proc/%d/mem" % pid, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None  # undump tries it itself and says why not


def decode_run(adapter, command, request, inherited):
    """Runs the program with the request on its standard input and the descriptors
    `inherited`; shows its progress, obeys Ctrl-C; returns its reply."""
    progress_read, progress_write = os.pipe()
    with os.fdopen(progress_read, "rb", 0) as lines, tempfile.TemporaryFile() as stdin, \
            tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        stdin.write(request)
        stdin.seek(0)
        try:
            process = subprocess.Popen(
                command + ["--progress", str(progress_write)], stdin=stdin, stdout=stdout,
                stderr=stderr, pass_fds=inherited + [progress_write], start_new_session=True)
        except OSError as error:
            raise Failure("no-library", "%s cannot be run: %s." % (command[0], error.strerror))
        finally:
            os.close(progress_write)
        try:
            _watch(adapter, process, lines)
        except BaseException:
            _end(process)
            raise
        stdout.seek(0)
        data = stdout.read()
        if not data:
            stderr.seek(0)
            words = " ".join(stderr.read().decode("utf-8", "replace").split())
            raise Failure("died", "%s ended without an answer (status %d)%s." % (
                library.UNDUMP, process.returncode, ": " + words if words else ""))
        return decode(data)


def _watch(adapter, process, lines):
    """Returns when the process has ended."""
    pending = b""
    with Progress(adapter) as progress:
        is_open = True
        while is_open:
            if adapter.interrupted():
                raise KeyboardInterrupt()
            if not select.select([lines], [], [], _POLL)[0]:
                continue
            data = lines.read(4096)
            is_open = bool(data)
            *complete, pending = (pending + data).split(b"\n")
            for line in complete:
                words = line.split()
                if len(words) == 3 and words[1].isdigit() and words[2].isdigit():
                    progress.update(int(words[1]), int(words[2]))
        process.wait()


def _end(process):
    """Ends the process and its sandboxed child."""
    end = time.time() + _TERM_TIME
    process.send_signal(signal.SIGTERM)
    while process.poll() is None:
        if time.time() > end:
            process.kill()
            process.wait()
        time.sleep(0.01)


def _merge(reply):
    """The caveats of undump become those of the reply."""
    undumped = reply.get("undump", {})
    reply["caveats"] = list(reply.get("caveats", ())) + list(undumped.pop("caveats", ()))
    return reply
