"""The way into a core, and into a live process in which nothing may be executed:
the program rememberme-undump, which maps the memory into a sandboxed child of its
own and runs the helper there."""

import os
import select
import signal
import struct
import subprocess
import tempfile
import time

from . import library
from .errors import Failure
from .progress import Progress
from .reply import decode

_POLL = 0.05       # seconds between two looks for Ctrl-C
_TERM_TIME = 1.0   # seconds that undump gets to end by itself, or to end a question
_MOST = 1 << 20    # bytes that are read at once
_SIZE = struct.Struct("<Q")


def make(target, settings):
    """An image of a core or of a stopped process."""
    command = [library.find(library.UNDUMP), "--library", library.find(library.LIBRARY), "--serve",
               "--watchdog", str(1000 * settings.watchdog)]
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
    for folder in (settings.binaries, target.sysroot) + target.search_path:
        if folder:
            command += ["--search", folder]
    for path in target.files:
        command += ["--file", path]
    try:
        return Undumped(command, memory, target.kind == "live")
    finally:
        if memory is not None:
            os.close(memory)


def _open_memory(pid):
    try:
        return os.open("/proc/%d/mem" % pid, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None  # undump tries it itself and says why not


class Undumped(object):
    """The running program as an image."""

    stays = True

    def __init__(self, command, memory, live):
        self._live = live
        self._lines, progress = os.pipe()
        self._words = tempfile.TemporaryFile()
        inherited = [progress] if memory is None else [progress, memory]
        try:
            self._process = subprocess.Popen(
                command + ["--progress", str(progress)], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=self._words, pass_fds=inherited, bufsize=0,
                start_new_session=True)
        except OSError as error:
            os.close(self._lines)
            self._words.close()
            raise Failure("no-library", "%s cannot be run: %s." % (command[0], error.strerror))
        finally:
            os.close(progress)
        self.ended = False

    def ask(self, adapter, settings, question):
        if self._live and not question.thread.thread_pointer:
            raise Failure("no-thread-pointer", "The selected thread has no thread pointer "
                          "(fs_base) yet, or this debugger does not tell it; `py-config inject "
                          "off` needs it.")
        encoded = question.encode()
        with Progress(adapter) as progress:
            try:
                self._send(_SIZE.pack(len(encoded)) + encoded)
                size, = _SIZE.unpack(self._receive(_SIZE.size, adapter, progress))
                data = self._receive(size, adapter, progress)
            except KeyboardInterrupt:
                self._cancel()
                raise
        return _merge(decode(data))

    def _send(self, data):
        try:
            self._process.stdin.write(data)
        except BrokenPipeError:
            pass  # it has ended, perhaps with a reply that says why

    def _receive(self, size, adapter, progress, end=None):
        """Exactly `size` bytes; shows progress and obeys Ctrl-C, but until `end`."""
        data = bytearray()
        pending = b""
        sources = [self._process.stdout, self._lines]
        while len(data) < size:
            if end is None and adapter.interrupted():
                raise KeyboardInterrupt()
            if end is not None and time.time() > end:
                return None
            ready = select.select(sources, [], [], _POLL)[0]
            if self._lines in ready:
                text = os.read(self._lines, 4096)
                if not text:
                    sources.remove(self._lines)
                *complete, pending = (pending + text).split(b"\n")
                for line in complete:
                    words = line.split()
                    if len(words) == 3 and words[1].isdigit() and words[2].isdigit():
                        progress.update(int(words[1]), int(words[2]))
            if self._process.stdout in ready:
                more = os.read(self._process.stdout.fileno(), min(size - len(data), _MOST))
                if not more:
                    self._died()
                data += more
        return bytes(data)

    def _died(self):
        words = self.close()
        raise Failure("died", "%s ended without an answer (status %d)%s." % (
            library.UNDUMP, self._process.returncode, ": " + words if words else ""))

    def _cancel(self):
        """The question ends, and the image lives if it ends in time."""
        end = time.time() + _TERM_TIME
        try:
            self._process.send_signal(signal.SIGINT)
            with Progress(None, False) as progress:
                size = self._receive(_SIZE.size, None, progress, end)
                if size and self._receive(_SIZE.unpack(size)[0], None, progress, end):
                    return
        except (Failure, OSError):
            pass
        self.close()

    def close(self):
        """Ends the program and its sandboxed child; returns what it wrote to standard error."""
        if self.ended:
            return ""
        self.ended = True
        end = time.time() + _TERM_TIME
        self._process.stdin.close()
        self._process.send_signal(signal.SIGTERM)
        while self._process.poll() is None:
            if time.time() > end:
                self._process.kill()
                self._process.wait()
            time.sleep(0.001)
        self._process.stdout.close()
        os.close(self._lines)
        with self._words:
            self._words.seek(0)
            return " ".join(self._words.read().decode("utf-8", "replace").split())


def _merge(reply):
    """The caveats of undump become those of the reply."""
    undumped = reply.get("undump", {})
    reply["caveats"] = list(reply.get("caveats", ())) + list(undumped.pop("caveats", ()))
    return reply
