"""Runs the steps of one session inside lldb, as driver_gdb.py does inside gdb:
`lldb -x -b -o 'command script import driver_lldb.py' -o 'script driver_lldb.main()'`."""

import json
import os
import sys
import time
import traceback

import lldb

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import procstate  # noqa: E402


class Driver:
    def __init__(self, spec):
        self.spec = spec
        self.debugger = lldb.debugger
        self.debugger.SetAsync(False)

    @property
    def target(self):
        return self.debugger.GetSelectedTarget()

    @property
    def process(self):
        return self.target.GetProcess()

    def command(self, text):
        started = time.monotonic()
        answer = lldb.SBCommandReturnObject()
        interpreter = self.debugger.GetCommandInterpreter()
        if self.process.IsValid():
            # Within a `script` command the context would be that of the outer command.
            frame = self.process.GetSelectedThread().GetSelectedFrame()
            interpreter.HandleCommand(text, lldb.SBExecutionContext(frame), answer)
        else:
            interpreter.HandleCommand(text, answer)
        output, error = answer.GetOutput() or "", answer.GetError() or ""
        if answer.Succeeded():
            # Warnings stand in the error stream of a command that succeeded.
            return {"output": output, "error": None, "warnings": error,
                    "seconds": time.monotonic() - started}
        if error.startswith("error: "):
            error = error[len("error: "):]
        return {"output": output, "error": error.rstrip("\n"),
                "seconds": time.monotonic() - started}

    def do_run(self, step):
        return self.command(step["run"])

    def do_native(self, step):
        text = step["native"].get("lldb")
        return self.command(text) if text else {"output": "", "error": None}

    def do_setup(self, _):
        if not self.spec["symbols"]:
            self.command("settings set target.preload-symbols false")
            self.command("settings set symbols.enable-external-lookup false")
        self.command("settings set target.disable-aslr false")
        self.command("settings set use-color false")
        self.command("settings set term-width 1024")
        if self.spec.get("core"):
            exe = self.spec.get("exe")
            return self.command("target create %s --core %s" % (exe or "", self.spec["core"]))
        if self.spec.get("attach"):
            return self.command("process attach -p %d" % self.spec["attach"])
        if self.spec.get("launch"):
            argv = self.spec["launch"]
            target = self.debugger.CreateTarget(argv[0])
            self.debugger.SetSelectedTarget(target)
            for name in self.spec.get("launch_breaks", ()):
                target.BreakpointCreateByName(name)
            info = lldb.SBLaunchInfo(argv[1:])
            info.AddOpenFileAction(0, "/dev/null", True, False)
            info.SetEnvironmentEntries(["PATH=/usr/bin:/bin"], False)
            error = lldb.SBError()
            target.Launch(info, error)
            return {"output": "", "error": None if error.Success() else error.GetCString()}
        return None

    def do_plugin(self, _):
        return self.command("command script import " + self.spec["plugin"])

    def do_break(self, step):
        thread = " --thread-id %s" % step["thread"] if step.get("thread") else ""
        return self.command("breakpoint set --name %s%s" % (step["break"], thread))

    def do_clear(self, _):
        return self.command("breakpoint delete --force")

    def do_go(self, step):
        procstate.write_byte(step["go"])

    def do_continue(self, _):
        answer = self.command("process continue")
        for thread in self.process:
            if thread.GetStopReason() == lldb.eStopReasonBreakpoint:
                self.process.SetSelectedThread(thread)
                break
        return answer

    def do_thread(self, step):
        for thread in self.process:
            if thread.GetThreadID() == step["thread"]:
                self.process.SetSelectedThread(thread)
                return {"output": str(thread.GetIndexID()), "error": None}
        return {"output": "", "error": "no thread %s" % step["thread"]}

    def do_where(self, _):
        thread = self.process.GetSelectedThread()
        names = [thread.GetFrameAtIndex(i).GetFunctionName()
                 for i in range(min(300, thread.GetNumFrames()))]
        return {"names": names, "thread": thread.GetIndexID(), "lwp": thread.GetThreadID()}

    def do_state(self, _):
        thread = self.process.GetSelectedThread()
        frame = thread.GetFrameAtIndex(0)
        state = procstate.read(self.process.GetProcessID(), frame.GetSP())
        # Not `register read`: it prints symbols, which an expression may load.
        state["registers"] = {
            register.GetName(): register.GetValue()
            for group in frame.GetRegisters() for register in group
            if "General Purpose" in (group.GetName() or "")}
        state["thread"] = thread.GetIndexID()
        return {"state": state}

    def do_repeat(self, step):
        pid = self.process.GetProcessID()
        for text in step["repeat"]:
            self.command(text)
        before = procstate.footprint(pid)
        mine = procstate.footprint(os.getpid())
        errors = []
        for _ in range(step["times"]):
            for text in step["repeat"]:
                answer = self.command(text)
                if answer["error"]:
                    errors.append("%s: %s" % (text, answer["error"]))
        return {"before": before, "after": procstate.footprint(pid), "errors": errors[:5],
                "debugger_before": mine, "debugger_after": procstate.footprint(os.getpid())}

    def do_gcore(self, step):
        return self.command("process save-core --style full " + step["gcore"])

    def do_detach(self, _):
        return self.command("process detach")

    def do_kill(self, _):
        answer = self.command("process kill")
        end = time.monotonic() + 10
        # For some milliseconds lldb still says that the process is stopped.
        while self.process.GetState() == lldb.eStateStopped and time.monotonic() < end:
            time.sleep(0.001)
        return answer

    def do_python(self, step):
        scope = {"driver": self}
        exec(step["python"], scope)
        return {"value": scope.get("value")}


def main():
    with open(os.environ["RME_SESSION"]) as f:
        spec = json.load(f)
    driver = Driver(spec)
    with open(spec["out"], "w") as out:
        for step in spec["steps"]:
            kind = next(k for k in step if hasattr(driver, "do_" + k))
            try:
                answer = getattr(driver, "do_" + kind)(step) or {}
            except Exception as e:  # reported to the test, which fails
                answer = {"exception": "".join(traceback.format_exception(type(e), e, e.__traceback__)),
                          "output": "", "error": str(e)}
            out.write(json.dumps(answer) + "\n")
            out.flush()
