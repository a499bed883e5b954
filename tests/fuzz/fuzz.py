"""Damages what the product reads, asks every command of it, and judges what comes back:

    ./dev fuzz [--seconds N] [--seed N] [--interpreters 3.12,debian] [--only cores,files,replies,live]

cores    a kernel's core and one of gdb's: headers, notes, objects, types, frames, whole pages
files    the interpreter's binary that a core is read with
replies  what the helper answered, as text and as a structure
live     objects of a running process, overwritten by ctypes; the helper answers in it

No signal, no hang over ten seconds, no internal error, no character that a terminal must not see,
nothing over two gigabytes, no figure that cannot be without a caveat. What was found before
comes first, as recipes (RECIPES). Findings lie in build/fuzz; a seed gives the same mutations
of the same core, but each run makes its cores anew."""

import argparse
import collections
import contextlib
import json
import os
import pathlib
import random
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "support"), str(TESTS.parent / "helper" / "python")]

import matrix  # noqa: E402
import session  # noqa: E402
import target as targets  # noqa: E402
from rememberme import adapter, commands, image  # noqa: E402
from rememberme.reply import decode  # noqa: E402

HANG = 10            # seconds of computing, here and in what is called
PATIENCE = 60        # seconds until a question is ended
MEMORY = 2 << 30     # bytes
NONSENSE = 1 << 40   # bytes that no process here can have
OUT = matrix.BUILD / "fuzz"

WITHOUT = ("py-memory", "py-top", "py-top --all-threads", "py-mem-print", "py-frames",
           "py-frames --all-threads", "py-types", "py-types --by module", "py-retained",
           "py-dominators", "py-summary")
WITH = ("py-memory %s", "py-memory %s --allocated", "py-top %s", "py-top %s --allocated --limit 0",
        "py-mem-print %s --labels", "py-mem-print %s --depth 9 --limit 0", "py-types %s --by length",
        "py-retained %s", "py-dominators %s", "py-why %s", "py-referrers %s")
NAMES = ("data", "data['dict']", "local", "sys:modules", "__main__:Plain", "data['names']['c']")

# What campaigns have found: the object, the offset of a word in it (or "keys", "type": in what
# that word leads to, which is at the second number), what is written there.
RECIPES = (
    ("number", 16, 1 << 60), ("number", 16, (1 << 64) - 1), ("list", 16, 1 << 61),
    ("list", 24, 8), ("tuple", 16, 1 << 40), ("bytes", 16, (1 << 63) - 1), ("text", 16, 1 << 62),
    ("set", 24, 1 << 59), ("dict", 32, 0x10), ("names", 32, (1 << 47) - 8), ("plain", 8, 0),
    ("plain", 8, 1), ("Plain", 8, 0xffffffffff600000), ("Plain", 24, 0), ("Plain", 32, 1 << 62),
    ("Plain", 40, 1 << 62), ("code", 8, 0), ("frame", 24, 0xdeadbeefdeadbeef),
    ("dict", "keys", 8, 1 << 60), ("names", "keys", 0, 0x3f3f3f), ("names", "keys", 16, 1 << 60),
    ("modules", "keys", 24, 1 << 60), ("globals", "keys", 0, (1 << 64) - 1),
    ("slotted", "type", 32, 0), ("generator", "type", 24, 0x1000),
)


class Core(adapter.Adapter):
    """A debugger that has opened a core and knows nothing more."""

    name = "gdb"

    def __init__(self, path, pid, files=()):
        self.path, self.pid, self.files, self.end = path, pid, files, 0

    def target(self):
        return adapter.Target(adapter.CORE, pid=self.pid, core_path=str(self.path),
                              files=self.files)

    def threads(self):
        return [adapter.Thread(1, self.pid, 0)]

    def selected_thread(self):
        return self.threads()[0]

    def eval_depth(self):
        return 0

    def width(self):
        return 100

    def is_terminal(self):
        return False

    def evaluate(self, text):
        return 0

    def interrupted(self):
        return time.monotonic() > self.end


class Judge:
    def __init__(self, seed):
        self.counts = collections.Counter()
        self.findings = []
        self.seed = seed
        self.slowest = (0, "")

    def ask(self, core, command, keep=None):
        """Runs one command and judges what came of it."""
        name, _, text = command.partition(" ")
        started = _computed()
        core.end = time.monotonic() + PATIENCE
        outcome = commands.run(core, name, text)
        seconds = _computed() - started
        self.slowest = max(self.slowest, (seconds, command))
        said = (outcome.error or "") + (outcome.output if outcome.failed else "")
        verdict = "answer"
        if "bug of its own" in said:
            verdict = "INTERNAL"
        elif seconds > HANG or "cancelled" in said or "Interrupted" in said:
            verdict = "HANG"
        elif "status 139" in said or "crashed" in said or "without an answer" in said:
            verdict = "CRASH"
        elif not all(line.isprintable()
                     for line in (outcome.output + (outcome.error or "")).split("\n")):
            verdict = "UNPRINTABLE"
        elif resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10 > MEMORY:
            verdict = "MEMORY"
        elif outcome.failed:
            verdict = "refused"
        elif "--json" in text:
            reply = json.loads(outcome.output)
            if reply.get("caveats"):
                verdict = "answer with a caveat"
            elif _largest(reply) > NONSENSE:
                verdict = "NONSENSE"
        self.note(verdict, command, said[:300], keep)

    def note(self, verdict, what, said="", keep=None):
        self.counts[verdict] += 1
        if not verdict.isupper():
            return
        n = len(self.findings)
        self.findings.append("%s: %s: %s" % (verdict, what, said))
        if keep and n < 20:
            OUT.mkdir(parents=True, exist_ok=True)
            shutil.copy(str(keep), str(OUT / ("%d.%d.%s" % (self.seed, n, verdict.lower()))))


def _computed():
    """Seconds, whoever else computes on this machine."""
    return sum(getattr(resource.getrusage(who), field)
               for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
               for field in ("ru_utime", "ru_stime"))


def _largest(value):
    """The largest figure of a size in a reply."""
    if isinstance(value, dict):
        return max([0] + [_largest(each) for each in value.values()])
    if isinstance(value, list):
        return max([0] + [_largest(each) for each in value])
    return value if isinstance(value, int) else 0


class Dump:
    """A core file and what of it can be damaged by name."""

    def __init__(self, path, info):
        self.path, self.pid = pathlib.Path(path), info["pid"]
        self.addresses = info["addresses"]
        self.data = self.path.read_bytes()
        self.headers, self.n = struct.unpack_from("<Q", self.data, 32)[0], struct.unpack_from(
            "<H", self.data, 56)[0]
        self.loads, self.notes = [], []
        for i in range(self.n):
            kind, flags, offset, start, _, size, _, _ = struct.unpack_from(
                "<IIQQQQQQ", self.data, self.headers + 56 * i)
            if kind == 1 and size:
                self.loads.append((start, size, offset, flags))
            elif kind == 4:
                self.notes.append((offset, size))
        self.writable = [load for load in self.loads if load[3] & 2]
        self.file = open(str(path), "r+b", 0)

    def offset(self, address):
        for start, size, offset, _ in self.loads:
            if start <= address < start + size:
                return offset + address - start
        return None

    def word(self, address):
        at = self.offset(address)
        if at is None or at + 8 > len(self.data):
            return 0
        return struct.unpack_from("<Q", self.data, at)[0]

    @contextlib.contextmanager
    def changed(self, changes, size=None):
        """With (offset, bytes) written, and cut to `size`; as it was, after that."""
        changes = [(at, new) for at, new in changes if 0 <= at and at + len(new) <= len(self.data)]
        for at, new in changes:
            os.pwrite(self.file.fileno(), new, at)
        if size is not None:
            self.file.truncate(size)
        try:
            yield
        finally:
            if size is not None:
                self.file.truncate(len(self.data))
                os.pwrite(self.file.fileno(), self.data[size:], size)
            for at, new in changes:
                os.pwrite(self.file.fileno(), self.data[at:at + len(new)], at)


def changes_of(dump, recipe):
    name, *place, value = recipe
    at = dump.addresses[name]
    if place[0] == "keys":
        at = dump.word(at + 32) + place[1]
    elif place[0] == "type":
        at = dump.word(at + 8) + place[1]
    else:
        at += place[0]
    offset = dump.offset(at)
    return [] if offset is None else [(offset, struct.pack("<Q", value))]


def value(rnd, dump):
    kind = rnd.randrange(6)
    if kind == 0:
        return rnd.choice([0, 1, 8, (1 << 64) - 1, (1 << 63) - 1, 1 << 63, 1 << 47, (1 << 47) - 8,
                           1 << 32, 1 << 62, 0xffffffffff600000, 0xdeadbeefdeadbeef])
    if kind == 1:
        return rnd.choice(list(dump.addresses.values())) + rnd.choice([0, 0, 8, 16, -8, 1, 4096])
    if kind == 2:
        return rnd.getrandbits(64)
    if kind == 3:
        start, size, _, _ = rnd.choice(dump.loads)
        return start + rnd.choice([0, size - 1, size, rnd.randrange(size)])
    return rnd.randrange(1 << 16) if kind == 4 else 1 << rnd.randrange(64)


def mutation(rnd, dump):
    """([(offset, bytes)], size or None) of a damaged core."""
    changes, size = [], None

    def put(at, new, n=8):
        changes.append((at, (new & (1 << 8 * n) - 1).to_bytes(n, "little")))

    for _ in range(rnd.choice([1, 1, 1, 2, 3, 8])):
        kind = rnd.randrange(10)
        object_ = rnd.choice(list(dump.addresses.values()))
        at = dump.offset(object_) or 0
        if kind == 0:
            put(rnd.randrange(64), rnd.getrandbits(8), 1)
        elif kind == 1:
            put(dump.headers + 56 * rnd.randrange(dump.n) + rnd.choice([0, 8, 16, 32, 40, 48]),
                value(rnd, dump))
        elif kind == 2 and dump.notes:
            offset, n = rnd.choice(dump.notes)
            put(offset + (rnd.randrange(n) & ~3), value(rnd, dump), rnd.choice([1, 4, 8]))
        elif kind == 3 and rnd.random() < 0.3:
            size = rnd.choice([rnd.randrange(len(dump.data)), rnd.randrange(4096), 64])
        elif kind in (4, 5):
            put(at + 8 * rnd.randrange(-4, 40), value(rnd, dump))
        elif kind == 6:
            inner = dump.offset(dump.word(object_ + 8 * rnd.randrange(1, 6)))
            put((inner or at) + 8 * rnd.randrange(0, 52), value(rnd, dump))
        elif kind in (7, 8):
            _, n, offset, _ = rnd.choice(dump.writable)
            put(offset + (rnd.randrange(n) & ~7), value(rnd, dump))
        else:
            _, n, offset, _ = rnd.choice(dump.writable)
            page = offset + (rnd.randrange(n) & ~4095)
            changes.append((page, rnd.choice([bytes(4096), b"\xff" * 4096,
                                              bytes(rnd.getrandbits(8) for _ in range(4096))])))
    return changes, size


def command(rnd, dump):
    if rnd.random() < 0.5:
        text = rnd.choice(WITHOUT)
    else:
        text = rnd.choice(WITH) % rnd.choice(
            NAMES + tuple("0x%x" % at for at in dump.addresses.values()))
    return text + (" --json" if rnd.random() < 0.6 else "")


def recipes(judge, dumps, rnd, end):
    for recipe in RECIPES:
        for dump in dumps[:1]:
            with dump.changed(changes_of(dump, recipe)):
                for text in WITHOUT + tuple(each % ("0x%x" % dump.addresses[recipe[0]])
                                            for each in WITH):
                    if time.monotonic() > end:
                        return
                    judge.ask(Core(dump.path, dump.pid), text + " --json", dump.path)


def cores(judge, dumps, rnd, end):
    while time.monotonic() < end:
        dump = rnd.choice(dumps)
        with dump.changed(*mutation(rnd, dump)):
            judge.ask(Core(dump.path, dump.pid), command(rnd, dump), dump.path)


def files(judge, dumps, rnd, end):
    """A binary with the right build-id, whose other contents are anything."""
    with tempfile.TemporaryDirectory(prefix="rme-fuzz-") as folder:
        while time.monotonic() < end:
            dump = rnd.choice(dumps)
            path = os.path.join(folder, os.path.basename(dump.binary))
            data = bytearray(pathlib.Path(dump.binary).read_bytes())
            for _ in range(rnd.choice([1, 2, 8, 64])):
                most = rnd.choice([64, 4096, 1 << 16, len(data)])
                at = rnd.randrange(min(most, len(data) - 8))
                data[at:at + 8] = struct.pack("<Q", value(rnd, dump))
            pathlib.Path(path).write_bytes(data[:rnd.randrange(len(data))]
                                           if rnd.random() < 0.1 else data)
            judge.ask(Core(dump.path, dump.pid, files=[path]), command(rnd, dump), path)


def replies(judge, dumps, rnd, end):
    """Of each command one true reply, changed as text or as a structure."""
    dump, true = dumps[0], {}
    original = image.answer
    for text in WITHOUT + tuple(each % ("0x%x" % dump.addresses["names"]) for each in WITH):
        def remember(*given, text=text):
            true[text] = original(*given)
            return json.loads(json.dumps(true[text]))
        image.answer = remember
        core = Core(dump.path, dump.pid)
        core.end = time.monotonic() + 60
        commands.run(core, *text.partition(" ")[::2])
    try:
        while time.monotonic() < end:
            text = rnd.choice(sorted(true))
            data = _changed_reply(rnd, true[text])
            image.answer = lambda *_: decode(data)
            judge.ask(Core(dump.path, dump.pid), text)
    finally:
        image.answer = original


def _changed_reply(rnd, reply):
    if rnd.random() < 0.4:
        data = bytearray(json.dumps(reply).encode())
        for _ in range(rnd.choice([1, 2, 8])):
            at = rnd.randrange(len(data))
            data[at:at + rnd.randrange(4)] = rnd.choice(
                [b"", b"{", b"]", b"null", b"-1", b"1e999", b'"\\ud800\\n"', b"\xff", b"[" * 2000,
                 b"9" * 5000])
        return bytes(data)
    reply = json.loads(json.dumps(reply))
    for _ in range(rnd.choice([1, 2, 5])):
        holder = reply
        while holder:
            keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            key = rnd.choice(keys)
            inner = holder[key]
            if isinstance(inner, (dict, list)) and inner and rnd.random() < 0.8:
                holder = inner
                continue
            if rnd.random() < 0.2 and isinstance(holder, dict):
                del holder[key]
            else:
                holder[key] = rnd.choice(
                    [None, -1, 1 << 63, 1e308, "", "\x1b[31m\n\u202e\ud800", [], {}, [None], True,
                     {"a": 1}, "0x", "x" * 5000])
            break
    return json.dumps(reply).encode()


def live(judge, interpreter, rnd, end):
    """One process per case: it damages objects of its own, and asks the helper's snapshot."""
    while time.monotonic() < end:
        done = None
        seed = rnd.getrandbits(32)
        try:
            done = subprocess.run(
                [interpreter.path, str(TESTS / "fuzz" / "damage.py"), str(seed)],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                timeout=6 * HANG,
                env=dict(matrix.ENVIRONMENT, RME_LIBRARY=str(matrix.helper_library())))
        except subprocess.TimeoutExpired:
            judge.note("HANG", "damage.py %d" % seed)
            continue
        if done.returncode:
            judge.note("CRASH", "damage.py %d" % seed, "status %d %s" % (
                done.returncode, done.stderr.decode(errors="replace")[-200:]))
            continue
        for line in done.stdout.decode(errors="replace").splitlines():
            verdict, _, said = line.partition(" ")
            judge.note(verdict.replace("-", " "), "damage.py %d" % seed, said)


def dumps_of(interpreter, folder):
    """A core of the kernel's, where it writes one here, and one of gdb's."""
    found = []
    with targets.start(interpreter, "victim.py") as target:
        target.info["pid"] = target.pid
        if "gdb" in matrix.debuggers():
            found.append(Dump(session.gcore(target.pid, folder / "gcore"), target.info))
        core = targets.kernel_core(target)
        if core:
            shutil.copy(str(core), str(folder / "core"))
            found.append(Dump(folder / "core", target.info))
    for dump in found:
        dump.binary = os.path.realpath(interpreter.path)
    return found


def main():
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--seconds", type=float, default=300)
    options.add_argument("--seed", type=int, default=int(time.time()))
    options.add_argument("--interpreters", default="")
    options.add_argument("--only", default="recipes,cores,files,replies,live")
    given = options.parse_args()
    chosen = [each for each in matrix.interpreters().values()
              if not given.interpreters or each.name in given.interpreters.split(",")]
    os.environ.setdefault("REMEMBERME_LIBDIR", str(matrix.helper_library().parent))
    kinds = given.only.split(",")
    judge = Judge(given.seed)
    share = given.seconds / len(chosen)
    for number, interpreter in enumerate(chosen):
        rnd = random.Random(given.seed + number)
        with tempfile.TemporaryDirectory(prefix="rme-fuzz-") as folder:
            dumps = dumps_of(interpreter, pathlib.Path(folder))
            for kind in kinds:
                before, end = sum(judge.counts.values()), time.monotonic() + share / len(kinds)
                if kind == "live":
                    live(judge, interpreter, rnd, end)
                elif dumps:
                    {"recipes": recipes, "cores": cores, "files": files,
                     "replies": replies}[kind](judge, dumps, rnd, end)
                print("%s %s: %d" % (interpreter.name, kind, sum(judge.counts.values()) - before),
                      flush=True)
    targets.clean()
    print("seed %d: %s; the slowest took %.1f s: %s" % (
        given.seed, ", ".join("%d %s" % (n, verdict) for verdict, n in
                              sorted(judge.counts.items())), *judge.slowest))
    for finding in judge.findings[:40]:
        print(finding)
    return 1 if judge.findings else 0


if __name__ == "__main__":
    sys.exit(main())
