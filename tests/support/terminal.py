"""A debugger at a terminal, and a way to make a walk last as long as a test needs."""

import os
import signal
import threading
import time

import pexpect

import matrix
import procstate

ARGUMENTS = {"gdb": ["-nx", "-q", "-iex", "set debuginfod enabled off", "-iex", "set confirm off"],
             "lldb": ["-x"]}


class Terminal:
    """An interactive debugger with the plugin in it, attached to a process."""

    def __init__(self, debugger, pid):
        self.family = debugger.family
        self.prompt = r"\(%s\) " % debugger.family
        environment = dict(matrix.ENVIRONMENT, TERM="xterm",
                           REMEMBERME_LIBDIR=str(matrix.helper_library().parent))
        self.child = pexpect.spawn(
            debugger.path, ARGUMENTS[debugger.family] + ["-p", str(pid)], env=environment,
            encoding="utf-8", codec_errors="replace", timeout=90, dimensions=(50, 100))
        self.child.expect(self.prompt)
        load = "source %s" if debugger.family == "gdb" else "command script import %s"
        self.run(load % matrix.PLUGIN[debugger.family])

    def send(self, command):
        self.child.sendline(command)

    def run(self, command):
        """What a command prints."""
        self.send(command)
        return self.read()

    def read(self):
        """Everything up to the end of the command before. The prompt does not tell it:
        lldb draws it more than once."""
        self.child.sendline("help quit")
        self.child.expect("(?i)(exit gdb|quit the lldb debugger)")
        text = self.child.before
        self.child.expect(self.prompt)
        return text

    def detach(self):
        self.run("detach" if self.family == "gdb" else "process detach")

    def kill(self):
        os.kill(self.child.pid, signal.SIGKILL)
        self.child.close(force=True)

    def close(self):
        if self.child.isalive():
            self.detach()
        self.child.close(force=True)


class Freezer(threading.Thread):
    """Stops the snapshot of a process as soon as there is one."""

    def __init__(self, pid):
        super().__init__()
        self.pid = pid
        self.frozen = None
        self.ended = threading.Event()

    def run(self):
        while not self.ended.is_set():
            for child in procstate.snapshots(self.pid):
                try:
                    os.kill(child, signal.SIGSTOP)
                except ProcessLookupError:
                    continue
                self.frozen = child
                return


def freeze_a_walk(terminal, pid, command):
    """Begins the command; returns the pid of its snapshot, which stands still."""
    for _ in range(5):
        freezer = Freezer(pid)
        freezer.start()
        terminal.send(command)
        freezer.join(30)
        freezer.ended.set()
        freezer.join()
        if freezer.frozen:
            # It may have been stopped after its answer: then the command has ended.
            time.sleep(0.5)
            if freezer.frozen in procstate.snapshots(pid):
                return freezer.frozen
        terminal.read()
    raise AssertionError("every walk was over before it was seen")
