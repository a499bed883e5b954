"""One debugger session: a list of steps, run by driver_gdb.py or driver_lldb.py inside
the debugger, so that a test costs one start of it however many commands it runs.

Steps are dictionaries; their answers come back in the same order:

  {"run": "py-top --json"}     a command of ours, or any other that both have
  {"native": {"gdb": …, "lldb": …}}
  {"break": FUNCTION}, {"clear": 1}, {"continue": 1}, {"go": FIFO}
  {"thread": LWP}, {"where": 1}
  {"state": 1}                 procstate.read of the stopped process, and registers
  {"repeat": [COMMAND…], "times": N}
  {"gcore": PATH}, {"detach": 1}, {"kill": 1}, {"python": CODE}
"""

import json
import pathlib
import subprocess
import tempfile

import matrix
import replies

SUPPORT = pathlib.Path(__file__).resolve().parent


class SessionFailed(Exception):
    pass


class Answer:
    """Of one step. `json` is the object that a command with --json printed."""

    def __init__(self, step, raw, session_text):
        self.step = step
        self.raw = raw
        self.output = raw.get("output") or ""
        self.error = raw.get("error")
        self.seconds = raw.get("seconds")
        self._session_text = session_text

    @property
    def json(self):
        text = self.output or self.error or ""
        try:
            value = json.loads(text)
        except ValueError:
            raise AssertionError("%s did not print one JSON object:\n%s\nerror: %s\n%s" % (
                self.step, self.output, self.error, self._session_text[-2000:])) from None
        assert isinstance(value, dict), value
        return replies.check_command(value)

    @property
    def reply(self):
        """The JSON of a command that must have succeeded."""
        value = self.json
        assert "error" not in value, "%s: %s" % (self.step, value["error"])
        return value

    def __repr__(self):
        return "<%s -> %s>" % (self.step, self.raw)


def gcore(pid, core):
    """A core by gdb's generate-core-file of a process that lives on."""
    gdb = matrix.debuggers().get("gdb")
    if gdb is None:
        raise SessionFailed("no gdb to write a core with")
    answer, _ = run(gdb, [{"gcore": str(core)}, {"detach": 1}], attach=pid, plugin=False)
    if answer.error:
        raise SessionFailed(answer.error)
    return core


def run(debugger, steps, attach=None, core=None, exe=None, launch=None, launch_breaks=(),
        plugin=True, env=None, timeout=120, allow_exception=False, symbols=False):
    """Runs the steps and returns their answers, in order. The debugger reads the debug
    information of the program, and gdb what it unwinds the stack by, only with `symbols`:
    that takes longer than all else."""
    steps = [{"run": step} if isinstance(step, str) else step for step in steps]
    with tempfile.TemporaryDirectory(prefix="rme-session-") as directory:
        directory = pathlib.Path(directory)
        preparation = [{"setup": 1}] + ([{"plugin": 1}] if plugin else [])
        (directory / "session.json").write_text(json.dumps({
            "attach": attach, "core": core and str(core), "exe": exe and str(exe),
            "launch": launch and [str(a) for a in launch], "launch_breaks": list(launch_breaks),
            "plugin": str(matrix.PLUGIN[debugger.family]), "symbols": symbols,
            "steps": preparation + steps, "out": str(directory / "out.jsonl")}))
        environment = dict(matrix.ENVIRONMENT)
        environment["RME_SESSION"] = str(directory / "session.json")
        environment["REMEMBERME_LIBDIR"] = str(matrix.helper_library().parent)
        environment.update(env or {})
        if debugger.family == "gdb":
            argv = [debugger.path, "-nx", "-batch", "-iex", "set auto-load no",
                    "-iex", "set debuginfod enabled off",
                    "-x", str(SUPPORT / "driver_gdb.py")]
            if not symbols:
                argv.insert(1, "--readnever")
        else:
            argv = [debugger.path, "-x", "-b",
                    "-o", "command script import " + str(SUPPORT / "driver_lldb.py"),
                    "-o", "script driver_lldb.main()"]
        console = directory / "console.txt"
        with open(console, "wb") as out:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out,
                                       stderr=subprocess.STDOUT, env=environment, cwd=directory)
            try:
                process.wait(timeout)
                ended = "ended with %s" % process.returncode
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                ended = "did not end in %d s" % timeout
        text = console.read_text(errors="replace")
        lines = []
        if (directory / "out.jsonl").exists():
            lines = (directory / "out.jsonl").read_text().splitlines()
        raw = [json.loads(line) for line in lines]
    all_steps = preparation + steps
    for step, answer in zip(all_steps, raw):
        if "exception" in answer and not allow_exception:
            raise SessionFailed("step %s raised in the debugger:\n%s\n%s"
                                % (step, answer["exception"], text))
    if len(raw) < len(all_steps):
        raise SessionFailed("%s %s at step %d of %d, %s:\n%s" % (
            debugger.name, ended, len(raw), len(all_steps), all_steps[len(raw)], text))
    for step, answer in zip(preparation, raw):
        if answer.get("error"):
            raise SessionFailed("%s: %s\n%s" % (step, answer["error"], text))
    return [Answer(step, answer, text) for step, answer in zip(steps, raw[len(preparation):])]


def console(debugger, commands, **where):
    """What a user sees: the debugger's own batch mode, one string."""
    return console_bytes(debugger, commands, **where).decode(errors="replace")


def console_bytes(debugger, commands, attach=None, core=None, exe=None, timeout=60, env=None):
    environment = dict(matrix.ENVIRONMENT)
    environment["REMEMBERME_LIBDIR"] = str(matrix.helper_library().parent)
    environment.update(env or {})
    plugin = str(matrix.PLUGIN[debugger.family])
    if debugger.family == "gdb":
        argv = [debugger.path, "-nx", "-batch", "-iex", "set debuginfod enabled off",
                "-ex", "source " + plugin]
        argv += [str(exe)] if exe else []
        argv += ["-p", str(attach)] if attach else []
        argv += ["-core", str(core)] if core else []
        for command in commands:
            argv += ["-ex", command]
    else:
        argv = [debugger.path, "-x", "-b", "-o", "command script import " + plugin]
        argv += ["-p", str(attach)] if attach else []
        argv += ["--core", str(core)] if core else []
        argv += ["--file", str(exe)] if exe else []
        for command in commands:
            argv += ["-o", command]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env=environment, timeout=timeout)
    return done.stdout
