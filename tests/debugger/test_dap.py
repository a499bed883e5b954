"""The debug console of an editor: the commands over the debug adapter protocol, as
lldb-dap (lldb-vscode before 18) speaks it."""

import json
import os
import pathlib
import subprocess
import threading

import pytest

import matrix
import session

LIMIT = 120  # seconds for a whole conversation


def adapter_of(debugger):
    """(program, what a command in the console begins with)"""
    path = pathlib.Path(debugger.path)
    if (debugger.lldb_version or 18) < 18:
        return path.with_name("lldb-vscode"), "`"
    program = path.with_name(path.name.replace("lldb", "lldb-dap"))  # lldb-dap-19
    return program if program.exists() else None, ""


LLDBS = [d for d in matrix.debuggers().values() if d.family == "lldb" and adapter_of(d)[0]]


class Editor:
    """One conversation with a debug adapter."""

    def __init__(self, program):
        environment = dict(matrix.ENVIRONMENT,
                           REMEMBERME_LIBDIR=str(matrix.helper_library().parent))
        self.process = subprocess.Popen([str(program)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        env=environment)
        self.watch = threading.Timer(LIMIT, self.process.kill)
        self.watch.start()
        self.number = 0
        self.seen = []  # messages, the events as well
        self.ask("initialize", adapterID="test", pathFormat="path")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.watch.cancel()
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def ask(self, command, **arguments):
        """The body of the answer."""
        answer = self.wait("response", request_seq=self.send(command, **arguments))
        assert answer["success"], answer
        return answer.get("body")

    def attach(self, **arguments):
        """In the order that all versions take: the answer comes before (up to 18) or after
        that to configurationDone."""
        number = self.send("attach", **arguments)
        self.wait("event", event="initialized")
        self.ask("configurationDone")
        answer = self.wait("response", request_seq=number)
        assert answer["success"], answer

    def wait(self, kind, **wanted):
        def fits(message):
            return message["type"] == kind and wanted.items() <= message.items()
        while not any(map(fits, self.seen)):
            self.seen.append(self.read())
        return next(filter(fits, self.seen))

    def send(self, command, **arguments):
        self.number += 1
        message = json.dumps({"seq": self.number, "type": "request", "command": command,
                              "arguments": arguments}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(message), message))
        self.process.stdin.flush()
        return self.number

    def read(self):
        size = None
        while True:
            line = self.process.stdout.readline()
            assert line, "the debug adapter has ended"
            if not line.strip():
                return json.loads(self.process.stdout.read(size))
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                size = int(value)


@pytest.mark.parametrize("lldb", LLDBS, ids=[d.name for d in LLDBS])
def test_debug_console(run_target, lldb):
    target = run_target(matrix.one_interpreter(), "seed.py")
    commands = ["py-memory --frame 1 a b", "py-mem-print --frame 1 b", "py-frames", "py-config",
                "py-top nope"]
    expected = session.run(lldb, commands + [{"detach": 1}], attach=target.pid)
    program, mark = adapter_of(lldb)
    with Editor(program) as editor:
        editor.attach(pid=target.pid, stopOnEntry=True, initCommands=[
            "command script import %s" % matrix.PLUGIN["lldb"]])
        thread = editor.ask("threads")["threads"][0]["id"]
        frame = editor.ask("stackTrace", threadId=thread, levels=1)["stackFrames"][0]["id"]
        for command, answer in zip(commands, expected):
            text = editor.ask("evaluate", expression=mark + command, frameId=frame,
                              context="repl")["result"]
            wanted = answer.output or "error: " + answer.error
            if text.startswith("(lldb)"):  # up to 19 the command stands before its answer
                text = text.partition("\n")[2]
            assert text.strip("\n") == wanted.strip("\n")
        editor.ask("disconnect", terminateDebuggee=False)
    assert target.finish() is not None
    assert not os.path.exists("/proc/%d" % target.pid)
