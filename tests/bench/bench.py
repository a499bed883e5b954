"""`./dev bench`: how fast the product is, as ratios on the same heap in one run, each a
median of several; beside them the targets. Seconds are told only for scale: on a machine
that others use as well, the ratios of CPU time are the ones to trust.

heaps.py has the heaps and what is measured inside the process; this file starts it, the
debuggers and whole_heap.py, and prints."""

import argparse
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE)]

import cores  # noqa: E402
import heaps  # noqa: E402
import matrix  # noqa: E402
import session  # noqa: E402
import target as targets  # noqa: E402

# Of PyPI; PyHeap is no package that measures a live heap from pip: by hand.
PEERS = {"pympler": "pympler==1.1", "guppy3": "guppy3==3.1.5", "objsize": "objsize==0.7.1",
         "rememberme": "rememberme==0.1.1"}
# The rememberme package is built here, and does not say with what.
BUILD_TOOLS = {"rememberme": ["cython==3.3.1", "setuptools==84.2.1", "wheel==0.48.0"]}
# As many objects as each can bear in a minute or so.
PEER_OBJECTS = {"pympler": 1000000, "objsize": 1000000, "guppy3": 100000, "rememberme": 100000}

TARGETS = {
    "walk / gc.collect(), records": 0.25,
    "walk / gc.collect(), shuffled": 0.75,
    "ns per object, largest / 10^5": 2,
    "py-memory gdb live / gc.collect()": 0.6,
    "py-memory gdb core / gc.collect()": 1.0,
    "memory of the walk / bytes walked": 1 / 32,
    "py-types / gc.collect()": 1.5,
    "graph and dominators / gc.collect()": 6,
    "seconds of a second question": 0.15,
    "seconds of a second listing": 0.3,
    "py-memory of a small object, gdb": 0.060,
    "py-memory of a small object, lldb-19": 0.150,
}
AT_LEAST = {"pympler / walk": 150, "rememberme / walk": 800}

rows = []


def row(what, objects, value, unit="", target=None, note="", at_least=False):
    verdict = ""
    if target is not None and value is not None:
        met = value >= target if at_least else value <= target
        verdict = "%s %.3g: %s" % ("at least" if at_least else "at most", target,
                                   "met" if met else "NOT MET")
    shown = "-" if value is None else "%.3g%s" % (value, unit)
    rows.append((what, objects, shown, verdict, note))
    print("%-48s %9s %10s  %-22s %s" % (what, "%.0e" % objects if objects else "", shown,
                                       verdict, note), flush=True)


def title(text):
    print("\n" + text, flush=True)


def measure(python, heap, objects, what, timeout=900, **environment):
    """What heaps.py prints; None, with a row that says so, when it fails."""
    done = subprocess.run(
        [str(python), str(HERE / "heaps.py"), heap, str(objects), what],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout,
        env=dict(matrix.ENVIRONMENT, RME_LIBRARY=str(matrix.helper_library()),
                 BENCH_REPETITIONS=str(options.repetitions), PYTHONHASHSEED="0", **environment))
    if done.returncode != 0:
        row("%s %s" % (heap, what), objects, None,
            note=done.stderr.decode(errors="replace").strip().splitlines()[-1:] or "killed")
        return None
    return json.loads(done.stdout.decode())


def walks(interpreter):
    title("The walk, on memory that was touched, against gc.collect() (CPU time in brackets)")
    per_object = {}
    for heap in options.heaps:
        python = interpreter.with_packages if heap == "arrays" else interpreter.path
        if python is None:
            row("walk / gc.collect(), " + heap, 0, None, note="no numpy: ./dev setup")
            continue
        for objects in options.objects:
            if objects > 1000000 and heap not in ("records", "shuffled") and not options.all_sizes:
                continue
            found = measure(python, heap, objects, "walk")
            if found is None:
                continue
            (wall, cpu), (collect, collect_cpu) = found["walk"], found["gc.collect()"]
            alone = found["walk, one thread"]
            per_object[heap, objects] = wall / found["objects"] * 1e9
            what = "walk / gc.collect(), " + heap
            row(what, objects, wall / collect, "", TARGETS.get(what) if objects > 100000 else None,
                "(%.2f) %.3f s; %.0f ns CPU per object" % (
                    cpu / collect_cpu, wall, cpu / found["objects"] * 1e9))
            row("  the same on one thread", objects, alone[0] / collect, "",
                note="(%.2f)" % (alone[1] / collect_cpu))
            row("  with the snapshot made, and its pages touched", objects,
                found["question"][0] / collect, "", note="(%.2f) %.3f s" % (
                    found["question"][1] / collect_cpu, found["question"][0]))
            if objects > 100000:
                row("  memory of the walk / bytes walked", objects,
                    found["memory"] / found["bytes"], "",
                    TARGETS["memory of the walk / bytes walked"])
            for name in ("py-top EXPR", "py-mem-print"):
                wall, cpu = found[name]
                row("  %s / gc.collect()" % name, objects, wall / collect, "",
                    note="(%.2f) %.2f s%s" % (cpu / collect_cpu, wall, "".join(
                        "; caveat " + c for c in found[name + " caveats"])))
    largest = max(options.objects)
    for heap in ("records", "shuffled"):
        if (heap, largest) in per_object and (heap, 100000) in per_object and largest > 100000:
            row("ns per object, largest / 10^5, " + heap, largest,
                per_object[heap, largest] / per_object[heap, 100000], "",
                TARGETS["ns per object, largest / 10^5"],
                "%.0f ns and %.0f ns" % (per_object[heap, largest], per_object[heap, 100000]))
    objects = min(1000000, largest)
    found = measure(interpreter.path, "records", objects, "frame")
    if found:
        row("py-top, 1,000 locals that share / one walk", objects,
            found["1,000 locals"][0] / found["walk"][0], "",
            note="(%.1f) %.2f s" % (found["1,000 locals"][1] / found["walk"][1],
                                    found["1,000 locals"][0]))


def commands(interpreter):
    title("In the debuggers: from the command to the answer, against gc.collect() in the process")
    asked = ["py-memory __main__:HEAP --json", "py-memory --json", "py-top __main__:HEAP --json",
             "py-mem-print __main__:HEAP --json"]
    for objects in options.command_objects:
        environment = {"BENCH_REPETITIONS": str(options.repetitions), "STAGE_LIFETIME": "3600",
                       "RME_LIBRARY": str(matrix.helper_library())}
        argv = [interpreter.path, HERE / "heaps.py", "records", str(objects), "stay"]
        with targets.Target(argv, env=environment, timeout=900) as target, \
                tempfile.TemporaryDirectory(prefix="rme-bench-") as directory:
            collect = target.info["gc.collect()"][0]
            room = shutil.disk_usage(directory).free > 4 * 100 * objects
            if "live" in options.kinds:
                ask_all("live", {"attach": target.pid}, objects, asked, collect)
            if "gcore" in options.kinds and room:
                core = pathlib.Path(directory) / "core"
                session.gcore(target.pid, core)
                ask_all("gcore", {"core": core, "exe": interpreter.path}, objects, asked, collect)
                core.unlink()
            if "core" not in options.kinds:
                continue
            core = cores.kernel_core(target, signal.SIGABRT) if room else None
            if core:
                ask_all("core", {"core": core, "exe": interpreter.path}, objects, asked, collect)
            else:
                row("core", objects, None, note="the kernel writes none here, or has no room")


def ask_all(kind, where, *rest):
    for name in options.debuggers:
        ask(name, kind, where, *rest)


def ask(name, kind, where, objects, asked, collect):
    debugger = matrix.debuggers()[name]
    steps = ["py-memory __main__:SMALL --json"] + asked * max(1, options.repetitions // 2)
    answers = session.run(debugger, steps, timeout=1800, symbols=True, **where)
    seconds = {}
    for answer in answers:
        assert "error" not in answer.json, answer.json
        seconds.setdefault(answer.step["run"], []).append(answer.seconds)
    if kind == "live" and objects == min(options.command_objects):
        small = "py-memory of a small object, " + name
        row(small, 0, seconds[steps[0]][0], " s", TARGETS.get(small), "the first command, live")
    for command in asked:
        what = "%s %s %s / gc.collect()" % (command.replace(" --json", ""), name, kind)
        key = "%s %s %s / gc.collect()" % ("py-memory", name, kind)
        middle = statistics.median(seconds[command])
        is_target = command == asked[0] and objects >= 10000000
        row(what.replace("__main__:", ""), objects, middle / collect, "",
            TARGETS.get(key) if is_target else None, "%.2f s" % middle)


def peers(interpreter):
    title("Against what pip has (their seconds / ours on the same heap)")
    directory = matrix.BUILD / "venvs" / ("peers-" + interpreter.version)
    python = directory / "bin" / "python"
    if not python.exists():
        subprocess.run([interpreter.path, "-m", "venv", str(directory)], check=True)
    absent = {}
    install = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    for name, requirement in PEERS.items():
        tools = BUILD_TOOLS.get(name, [])
        if tools:
            subprocess.run(install + tools, **quiet)
        done = subprocess.run(
            install + ["--no-build-isolation"] * bool(tools) + [requirement], **quiet)
        if done.returncode:
            absent[name] = done.stdout.decode(errors="replace").strip().splitlines()[-1][:100]
    for name in PEERS:
        if name in absent:
            row(name + " / walk", 0, None, note="not installed: " + absent[name])
            continue
        objects = PEER_OBJECTS[name]
        found = measure(python, "records", objects, "peers", BENCH_PEERS=name)
        if found is None:
            continue
        if isinstance(found[name], str):
            row(name + " / walk", objects, None, note=found[name])
            continue
        row(name + " / walk", objects, found[name][0] / found["walk"][0], "",
            AT_LEAST.get(name + " / walk"), "%.2f s, %.0f ns per object" % (
                found[name][0], found[name][0] / found["objects"] * 1e9), at_least=True)
        row("  with the snapshot", objects, found[name][0] / found["question"][0])


def whole_heap(interpreter):
    title("Questions about the whole heap, against gc.collect()")
    for objects in options.objects:
        if objects not in (10**6, 10**7) and not options.all_sizes:
            continue
        done = subprocess.run(
            [interpreter.path, str(HERE / "whole_heap.py"), str(objects // 9)],
            stdout=subprocess.PIPE, check=True, timeout=900,
            env=dict(matrix.ENVIRONMENT, RME_LIBRARY=str(matrix.helper_library())))
        found = json.loads(done.stdout.decode())
        counted, is_target = found.pop("objects"), objects >= 10000000
        collect, memory = found.pop("gc.collect"), found.pop("bytes")
        for name, value in found.items():
            what = name + " / gc.collect()"
            row(what, objects, value / collect, "", TARGETS.get(what) if is_target else None,
                "%.3f s" % value)
        if not is_target:
            continue
        per_object = found["graph and dominators"] / counted
        row("  per object / PyHeap's 38 us", objects, per_object / 38e-6, "", 1 / 50)
        row("  memory of graph and dominators per object", objects, memory / counted, " B", 48)


def kept(interpreter):
    title("Questions about the whole heap at one stop, in the debuggers: the first, and again")
    expr = "__main__:HEAP[5].meta"
    asked = ["py-why %s --json" % expr, "py-referrers %s --json" % expr,
             "py-retained %s --json" % expr, "py-retained --json", "py-dominators --json"]
    for objects in options.command_objects:
        argv = [interpreter.path, HERE / "heaps.py", "records", str(objects), "stay"]
        environment = {"BENCH_REPETITIONS": "1", "STAGE_LIFETIME": "3600"}
        with targets.Target(argv, env=environment, timeout=900) as target:
            for name in options.debuggers:
                answers = session.run(matrix.debuggers()[name], asked[:1] + asked * 3,
                                      timeout=1800, attach=target.pid, symbols=True)
                row("%s, %s: the first" % (asked[0].split()[0], name), objects,
                    answers[0].seconds, " s", note=answers[0].reply["graph"])
                for command in asked:
                    again = [a for a in answers[1:] if a.step["run"] == command]
                    row("  %s, again" % command.replace(" --json", ""), objects,
                        statistics.median(a.seconds for a in again), " s",
                        TARGETS["seconds of a second listing" if command in asked[3:] else
                                "seconds of a second question"] if objects >= 10000000 else None,
                        again[0].reply["graph"])


def numbers(text):
    return [int(float(part)) for part in text.split(",")]


def names(text):
    return text.split(",")


PARTS = {"walks": walks, "commands": commands, "peers": peers, "whole_heap": whole_heap,
         "kept": kept}
KINDS = ("live", "gcore", "core")


def arguments():
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__.split("\n\n")[0])
    parser.add_argument("--interpreters", type=names, default=["3.12"])
    parser.add_argument("--heaps", type=names, default=list(heaps.HEAPS),
                        help="of " + ", ".join(heaps.HEAPS))
    parser.add_argument("--objects", type=numbers, default=[10**5, 10**6, 10**7] + ([3 * 10**7] if memory >= 16 << 30 else []),
                        help="sizes: 1e5,1e6,3e7; above 1e6 only records and shuffled")
    parser.add_argument("--all-sizes", action="store_true", help="every heap at every size")
    parser.add_argument("--debuggers", type=names,
                        default=[n for n in ("gdb", "lldb-19") if n in matrix.debuggers()])
    parser.add_argument("--kinds", type=names, default=list(KINDS),
                        help="of live, gcore (written by gdb), core (written by the kernel)")
    parser.add_argument("--command-objects", type=numbers, default=[10**6, 10**7])
    parser.add_argument("--parts", type=names, default=list(PARTS), help="of " + ", ".join(PARTS))
    parser.add_argument("--repetitions", type=int, default=5)
    chosen = parser.parse_args()
    for option, known in (("parts", PARTS), ("heaps", heaps.HEAPS),
                          ("interpreters", matrix.interpreters()),
                          ("debuggers", matrix.debuggers()), ("kinds", KINDS)):
        unknown = [name for name in getattr(chosen, option) if name not in known]
        if unknown:
            parser.error("--%s: there is no %s; there are %s" % (
                option, ", ".join(unknown), ", ".join(known)))
    return chosen


if __name__ == "__main__":
    options = arguments()
    for wanted in options.interpreters:
        chosen = matrix.interpreters()[wanted]
        print("python %s, %d CPUs, load %.1f, medians of %d" % (
            chosen.version, len(os.sched_getaffinity(0)), os.getloadavg()[0],
            options.repetitions))
        for part in options.parts:
            PARTS[part](chosen)
    missed = [r for r in rows if "NOT MET" in r[3]]
    print("\n%d of %d targets met" % (sum(": met" in r[3] for r in rows),
                                    sum(bool(r[3]) for r in rows)))
    for missing in missed:
        print("  not met: %s at %s: %s (%s)" % missing[:4])
