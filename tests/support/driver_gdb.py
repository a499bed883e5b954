"""Runs the steps of one session inside gdb: `gdb -nx -batch -x driver_gdb.py`, with
the session in the file that RME_SESSION names. See session.py for the steps."""

import json
import os
import sys
import time
import traceback

import gdb

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import procstate  # noqa: E402


class Driver:
    def __init__(self, spec):
        self.spec = spec

    def command(self, text):
        started = time.monotonic()
        try:
            output, error = gdb.execute(text, False, True), None
        except gdb.error as e:
            output, error = "", str(e)
        # gdb's own, on stderr: "warning: Unexpected size of section `.reg-xstate/1'".
        output = "".join(line for line in output.splitlines(True)
                         if not line.startswith("warning: "))
        return {"output": output, "error": error, "seconds": time.monotonic() - started}

    def do_run(self, step):
        return self.command(step["run"])

    def do_native(self, step):
        return self.command(step["native"].get("gdb") or "echo")

    def do_setup(self, _):
        for line in ("set pagination off", "set confirm off", "set width 0", "set height 0",
                     "set breakpoint pending on", "set print thread-events off",
                     "set style enabled off"):
            gdb.execute(line)
        if self.spec.get("exe"):
            gdb.execute("file " + self.spec["exe"], False, True)
        if self.spec.get("core"):
            gdb.execute("core-file " + self.spec["core"], False, True)
        elif self.spec.get("attach"):
            gdb.execute("attach %d" % self.spec["attach"], False, True)
        elif self.spec.get("launch"):
            argv = self.spec["launch"]
            gdb.execute("file " + argv[0], False, True)
            gdb.execute("set startup-with-shell off")
            gdb.execute("set args " + " ".join(argv[1:]))
            for name in self.spec.get("launch_breaks", ()):
                gdb.execute("break " + name, False, True)
            return self.command("run")

    def do_plugin(self, _):
        answer = self.command("source " + self.spec["plugin"])
        if "Traceback" in answer["output"]:  # gdb prints it and goes on
            answer["error"] = answer["output"]
        return answer

    def do_break(self, step):
        """Stops at a function, of the given thread only when that is named."""
        condition = " thread %s" % step["thread"] if step.get("thread") else ""
        return self.command("break %s%s" % (step["break"], condition))

    def do_clear(self, _):
        return self.command("delete")

    def do_go(self, step):
        """Lets a program go on that waits on its FIFO (targets/stage.py)."""
        procstate.write_byte(step["go"])

    def do_continue(self, _):
        return self.command("continue")

    def do_thread(self, step):
        """Selects the thread whose LWP is given."""
        for thread in gdb.selected_inferior().threads():
            if thread.ptid[1] == step["thread"]:
                thread.switch()
                return {"output": str(thread.num), "error": None}
        return {"output": "", "error": "no thread %s" % step["thread"]}

    def do_where(self, _):
        """Names of the C functions of the selected thread."""
        names, frame = [], gdb.newest_frame()
        while frame is not None and len(names) < 300:
            names.append(frame.name())
            frame = frame.older()
        thread = gdb.selected_thread()
        return {"names": names, "thread": thread.num, "lwp": thread.ptid[1]}

    def do_state(self, _):
        """Everything about the stopped process that must not change."""
        pid = gdb.selected_inferior().pid
        sp = int(gdb.newest_frame().read_register("rsp")) & (1 << 64) - 1
        state = procstate.read(pid, sp)
        state["registers"] = gdb.execute("info registers", False, True)
        state["thread"] = gdb.selected_thread().num
        return {"state": state}

    def do_repeat(self, step):
        """Runs the commands many times; says what the process looked like."""
        pid = gdb.selected_inferior().pid
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
        return self.command("generate-core-file " + step["gcore"])

    def do_detach(self, _):
        return self.command("detach")

    def do_kill(self, _):
        return self.command("kill")

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


main()
