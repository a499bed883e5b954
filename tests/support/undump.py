"""Runs rememberme-undump, with the real helper or with a probe (undump_probe.c) that
tells what the child is like. Knows nothing about debuggers."""

import functools
import json
import os
import shutil
import struct
import subprocess

import matrix
import replies

from rememberme import contract

PROGRAM = matrix.BUILD / "rememberme-undump"

# enum probe of undump_probe.c
WORDS, TABLES, TOUCH, SYSCALL, SPIN, CALL, WRITE, GARBAGE, GREEDY = range(1, 10)

FRAMES = contract.QUERY_FRAMES


def request(query, addresses=(), limit=0, depth=0, flags=0, lwp=0, thread_pointer=0, threads=()):
    """A struct rme_request. The "exprs" are what the probe takes for them: a header
    that it skips, and an address."""
    exprs = b"".join(struct.pack("<4IQ", 24, 0, 0, 0, address) for address in addresses)
    table = b"".join(struct.pack("<4Q", *thread, 0) for thread in threads)
    size = contract.REQUEST.size
    return contract.REQUEST.pack(
        abi=contract.ABI, query=query, flags=flags, limit=limit, depth=depth, frame=-1, lwp=lwp,
        thread_pointer=thread_pointer,
        threads=(size + len(exprs) if table else 0, len(threads)),
        exprs=(size if exprs else 0, len(addresses))) + exprs + table


@functools.lru_cache(maxsize=None)
def probe():
    """The probe library, built once."""
    out = matrix.BUILD / "tests" / "undump_probe.so"
    sources = [matrix.TESTS / "support" / "undump_probe.c"] + [
        matrix.ROOT / "helper" / name
        for name in ("reply/json.c", "runtime/buffer.c", "runtime/memory.c", "runtime/utf8.c")]
    out.parent.mkdir(exist_ok=True)
    new = out.with_suffix(".%d" % os.getpid())
    subprocess.run(
        ["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-O2", "-fPIC", "-ffreestanding",
         "-fno-builtin", "-fno-stack-protector", "-fcf-protection=none", "-fno-jump-tables",
         "-fvisibility=hidden", "-nostdlib", "-shared", "-Wl,-Bsymbolic,-z,defs",
         "-I", matrix.ROOT / "helper", "-I", matrix.ROOT / "helper" / "include", "-o", new]
        + sources, check=True, env=matrix.ENVIRONMENT)
    os.rename(new, out)
    return out


class Answer:
    def __init__(self, status, output, errors):
        self.status = status
        self.output = output
        self.errors = errors

    @property
    def json(self):
        """Standard output: one JSON object, in one line."""
        assert self.output.endswith("\n") and self.output.count("\n") == 1, self.output[-300:]
        return json.loads(self.output)

    @property
    def kind(self):
        """Of the error; None: an answer. Checks that status and output agree."""
        error = self.json.get("error")
        assert self.status == (1 if error else 0), (self.status, self.output[:500])
        return error["kind"] if error else None

    @property
    def message(self):
        return self.json["error"]["message"]


def arguments(source):
    """A core's path, or the pid of a stopped process."""
    if isinstance(source, int):
        return ["--pid", str(source)]
    return ["--core", str(source)]


def start(source, data, *options, library=None, under=(), **keywords):
    """The running program, run by the command `under`; its standard input is already read."""
    read, write = os.pipe()
    os.write(write, data)
    os.close(write)
    try:
        return subprocess.Popen(
            list(under) + [str(PROGRAM), "--library", str(library or probe()), "--request", "-"]
            + arguments(source) + [str(option) for option in options],
            stdin=read, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **keywords)
    finally:
        os.close(read)


def finish(process, timeout=60):
    output, errors = process.communicate(timeout=timeout)
    return Answer(process.returncode, output.decode(), errors.decode())


def ask(source, data, *options, library=None, timeout=60, **keywords):
    answer = finish(start(source, data, *options, library=library, **keywords), timeout)
    if library == matrix.helper_library() and answer.output:
        replies.check(answer.json, replies.question(struct.unpack_from("<I", data, 4)[0]))
    return answer


def words(source, addresses, *options, **keywords):
    """The 8 bytes at each address, as the child sees them."""
    found = []
    for i in range(0, len(addresses), 1000):
        answer = ask(source, request(WORDS, addresses[i:i + 1000], **keywords), *options)
        assert answer.kind is None, answer.output
        found += answer.json["words"]
    return found


def child_of(pid):
    """The pid of the only child, once there is one."""
    for _ in range(2000):
        with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
            children = file.read().split()
        if children:
            return int(children[0])
    raise AssertionError("no child")


def has_gcore():
    return shutil.which("gcore", path=matrix.ENVIRONMENT["PATH"]) is not None
