"""Shows the commands on leaky.py, alive and dead, in gdb and in lldb. `./dev demo` runs
this after it has installed and built what is needed."""

import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import matrix  # noqa: E402

ROOT = HERE.parents[1]
REQUESTS = 20000
LIMIT = 120  # seconds for each step

COMMANDS = ("py-frames --all-threads", "py-top", "py-memory cache bus",
            "py-mem-print cache.pages --depth 2 --limit 3 --labels", "py-top bus --limit 5")

PYTHON = matrix.one_interpreter().path

# lldb takes its Python's folder from the python3 in PATH, which must be the system's
ENVIRONMENT = dict(os.environ, PATH="/usr/bin:/bin", DEBUGINFOD_URLS="")


def heading(text):
    print("\n=== %s %s" % (text, "=" * max(3, 95 - len(text))), flush=True)


def gdb(arguments, commands):
    argv = ["gdb", "-nx", "-batch", "-iex", "set width 100"] + arguments
    argv += ["-ex", "source %s" % (ROOT / "gdb" / "rememberme_gdb.py")]
    for command in commands:
        argv += ["-ex", "echo (gdb) %s\\n" % command, "-ex", command]
    return show(argv, "(gdb) " + commands[0])


def lldb(arguments, commands):
    argv = [matrix.newest_lldb().path, "--no-lldbinit", "--batch"] + arguments
    argv += ["-o", "command script import %s" % (ROOT / "lldb" / "rememberme_lldb.py")]
    for command in commands:
        argv += ["-o", command]
    return show(argv, "(lldb) " + commands[0])


def show(argv, first):
    """Runs a debugger and prints what it says from our first command on."""
    done = quietly(argv)
    text = done.stdout.decode(errors="replace")
    start = text.find(first)
    print(text if start < 0 else text[start:].rstrip())
    return done.returncode == 0 and start >= 0 and "\nerror: " not in text


def quietly(argv):
    return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env=ENVIRONMENT, timeout=LIMIT)


def require_ptrace():
    try:
        scope = pathlib.Path("/proc/sys/kernel/yama/ptrace_scope").read_text().strip()
    except OSError:
        return
    if scope != "0" and os.getuid() != 0:
        sys.exit("demo: this machine lets only root attach a debugger to a running process "
                 "(kernel.yama.ptrace_scope is %s): run it as root." % scope)


def main():
    require_ptrace()
    if "gdb" not in matrix.debuggers() or not matrix.newest_lldb():
        sys.exit("demo: it needs gdb and lldb, and there is %s"
                 % (" and ".join(matrix.debuggers()) or "neither"))
    print("leaky.py has served %d requests, and its memory grows. Nobody has prepared it."
          % REQUESTS)
    program = subprocess.Popen([PYTHON, str(HERE / "leaky.py"), str(REQUESTS)],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        if program.stdout.readline() != b"ready\n":
            sys.exit("demo: leaky.py did not start")
        with tempfile.TemporaryDirectory(prefix="rememberme-demo-") as directory:
            works = run(program.pid, pathlib.Path(directory) / "core")
    finally:
        program.kill()
        program.wait()
    sys.exit(0 if works else "demo: something failed, see above")


def run(pid, core):
    attach = ["-p", str(pid)]
    heading("gdb, attached to process %d" % pid)
    works = gdb(attach, COMMANDS)
    heading("lldb, attached to the same process")
    works &= lldb(attach, COMMANDS)
    quietly(["gdb", "-nx", "-batch"] + attach + ["-ex", "generate-core-file %s" % core])
    heading("gdb, on a core of it (%.0f MB)" % (core.stat().st_size / 1e6))
    works &= gdb([PYTHON, str(core)], COMMANDS)
    heading("lldb, on the same core")
    works &= lldb(["--core", str(core)], COMMANDS)
    return works


if __name__ == "__main__":
    main()
