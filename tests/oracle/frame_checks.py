"""Checks of frames as the helper reads them: their lines and local variables, which one is
selected, threads and interpreters. `python frame_checks.py NAME`, as object_checks.py."""

import asyncio
import enum
import functools
import io
import struct
import sys
import threading
import time

import checks
from asker import Asker
from checks import check, differ
from helper import FRAMES, TOP, TRAVERSE_ONLY

ALL_THREADS = 4  # enum rme_flag


def sample(argument, *rest, **more):
    total = (argument +
             len(rest))
    for i in range(2):
        if i:
            total += 1
        else:
            total = sum([x
                         for x in (1,
                                   2)])
    try:
        {}["absent"]
    except KeyError:
        total = max(
            total,
            3)
    finally:
        total -= 1
    with io.StringIO() as out:
        out.write("x")
    while total:
        total = 0
    return (lambda y:
            y)(total)


@check
def lines():
    """The line of a traced frame, at every line event."""
    asker, wrong, seen = Asker(), [], []

    def trace(frame, event, _):
        if frame.f_code.co_filename != __file__:
            return None
        if event in ("line", "return"):
            line = asker.frame(frame)["line"]
            differ(wrong, event, line, frame.f_lineno)
            seen.append(line)
        return trace

    sys.settrace(trace)
    try:
        sample(1, 2, key=3)
    finally:
        sys.settrace(None)
    if len(set(seen)) < 18:
        wrong.append("only lines %s" % sorted(set(seen)))
    return wrong


def generated_lines(n):
    """Code with every distance between lines, which the tables encode differently."""
    text = ["def far(ask):", " ask()"]
    for i in range(n):
        text += [""] * (i * i % 700) + [" x = [ask(),%s ask()]" % ("\n" * (i * 37 % 300)), " ask()"]
    scope = {}
    exec(compile("\n".join(text), "generated", "exec"), scope)
    return scope["far"]


@check
def long_lines():
    asker, wrong = Asker(), []

    def ask():
        frame = sys._getframe(1)
        differ(wrong, "line", asker.frame(frame)["line"], frame.f_lineno)

    generated_lines(25)(ask)
    return wrong


def expect_locals(wrong, asker, what):
    """Compares the locals of the calling frame."""
    frame = sys._getframe(1)
    got = asker.locals_of(frame)
    expected = sorted((name, id(value)) for name, value in dict(frame.f_locals).items())
    if not frame.f_code.co_flags & 1:  # a namespace: what is in cells comes besides
        got = [pair for pair in got if pair in expected or
               pair[0] not in frame.f_code.co_freevars + frame.f_code.co_cellvars]
    differ(wrong, what, [n for n, _ in got], [n for n, _ in expected])
    differ(wrong, what, got, expected)
    return None


@check
def local_variables():
    """Arguments, locals, cells, free variables, namespaces of modules and classes."""
    asker, wrong = Asker(), []
    expect = functools.partial(expect_locals, wrong, asker)

    def plain(a, b=2, *rest, key=None, **more):
        gone = c = [a]
        del gone
        expect("function")
        return c

    def cells(a, b):
        c = [a]

        def inner(d):
            nonlocal c
            c = [b]
            expect("free variables")
            return d
        inner(1)
        expect("cells")
        return lambda: (a, b, c)

    def generator(n):
        held = [n]
        expect("generator")
        yield held

    async def coroutine(n):
        held = [n]
        expect("coroutine")
        await asyncio.sleep(0)
        return held

    plain([1], key=3, other=4)
    cells([1], [2])
    list(generator(1))
    asyncio.new_event_loop().run_until_complete(coroutine(1))
    sorted([1], key=lambda v: expect("lambda"))
    [expect("comprehension") for _ in (1,)]
    {k: expect("dict comprehension") for k in (1,)}
    list(expect("generator expression") for _ in (1,))
    exec("a = [1]\nexpect('module')\n", {"expect": expect})
    exec("a = [1]\nexpect('two namespaces')\n", {"expect": expect}, {"b": [2]})

    class Body:
        attribute = [1]
        expect("class body")

        def method(self):
            expect("method")
            return __class__

    class Choice(enum.Enum):
        ONE = 1
        expect("class body with a namespace of its own kind")

    def body_with_free(free):
        class Inner:
            other = free
            expect("class body with free variables")

            def method(self):
                return __class__
        return Inner

    Body().method()
    body_with_free([1])
    return wrong


@check
def hidden_variables():
    """Free variables of a class body and the variable of a comprehension in it."""
    asker, wrong = Asker(), []

    def outer(free):
        class Inner:
            copied = free
            names = dict(asker.locals_of(sys._getframe()))
            found = asker.find("free", sys._getframe())
        return Inner

    inner = outer([1])
    differ(wrong, "free", inner.names.get("free"), id(inner.copied))
    differ(wrong, "EXPR free", inner.found, id(inner.copied))
    seen = {}
    exec("held = [[7]]\nseen.update([f('x') for x in held])",
         {"seen": seen, "f": lambda name: (name, asker.find(name, sys._getframe(1)))})
    differ(wrong, "x", isinstance(seen["x"], int), True)
    return wrong


@check
def activations():
    """Which frame belongs to which C activation of the eval loop (eval_depth)."""
    asker, wrong = Asker(), []
    reduce, separate = functools.reduce, sys.version_info < (3, 11)

    def leaf(*_):
        depths = []
        for depth in range(60):
            reply, first = asker.ask(sys._getframe(), eval_depth=depth)
            depths.append([i for i, item in enumerate(reply["items"]) if item["selected"]])
        differ(wrong, "the innermost", depths[0], [0])
        # The activation that runs leaf and called_by_c may run some of the asking too.
        further_out = [d for d in depths if d[0] > first]
        expected = [[first + 2], [first + 3]]  # from Python to C to Python: a new one begins
        if separate:  # each Python frame has its own
            expected.insert(0, [first + 1])
        differ(wrong, "selected by depth", further_out[:len(expected)], expected)
        return 1

    def called_by_c(*_):
        return leaf()

    def in_reduce(*_):
        return reduce(called_by_c, [1, 2])

    def in_sorted():
        return sorted([1], key=in_reduce)

    in_sorted()
    return wrong


@check
def selections():
    """Frames that do not exist, threads without Python."""
    asker, wrong = Asker(), []

    def ask(query=FRAMES, **options):
        return asker.helper.ask(query, **options)

    def selected(reply):
        return [i for i, item in enumerate(reply["items"]) if item["selected"]]

    n = len(ask()["items"])
    reply = ask(TOP, frame=n)
    differ(wrong, "too far out", reply["error"]["kind"], "no-such-frame")
    if "0 to %d" % (n - 1) not in reply["error"]["message"]:
        wrong.append(reply["error"]["message"])
    differ(wrong, "selected", selected(ask(frame=2)), [2])
    # An outermost C frame, beyond all of Python: the innermost frame is taken.
    differ(wrong, "beyond", selected(ask(eval_depth=100000)), [0])
    request = bytearray(asker.helper.request(FRAMES))
    struct.pack_into("<QQ", request, 32, 1, 4096)  # lwp, thread_pointer
    reply = ask(request=bytes(request))
    differ(wrong, "no such thread", reply["error"]["kind"], "no-python-thread")
    struct.pack_into("<I", request, 8, TRAVERSE_ONLY | ALL_THREADS)
    reply = ask(request=bytes(request))
    differ(wrong, "all threads all the same", len(reply["items"]), n)
    return wrong


@check
def deep_recursion():
    asker, wrong = Asker(), []
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20000)

    def down(n):
        return down(n - 1) if n else len(asker.helper.ask(FRAMES)["items"])

    got = []
    threading.stack_size(256 << 20)
    thread = threading.Thread(target=lambda: got.append(down(5000)))
    thread.start()
    thread.join()
    threading.stack_size(0)
    sys.setrecursionlimit(limit)
    if not got or not 5000 < got[0] < 5030:
        wrong.append("%s frames" % got)
    return wrong


def subinterpreters():
    for name in ("_interpreters", "_xxsubinterpreters"):
        try:
            return __import__(name)
        except ImportError:
            pass
    return None


@check
def sub_interpreter():
    """One thread with two thread states: the frames of the one that runs are its own."""
    module, asker, wrong = subinterpreters(), Asker(), []
    if module is None:
        return wrong

    def other_interpreter():
        # Made by the thread that runs it: until 3.11 its state keeps its maker's identity.
        module.run_string(module.create(), "def inside():\n  mine = [1, 2]\n  import time\n"
                                           "  time.sleep(1.5)\ninside()\n")

    thread = threading.Thread(target=other_interpreter)
    thread.start()
    time.sleep(0.7)
    request = bytearray(asker.helper.request(FRAMES))
    struct.pack_into("<QQ", request, 32, thread.native_id, thread.ident)  # lwp, thread_pointer
    reply = asker.helper.ask(FRAMES, request=bytes(request))
    differ(wrong, "selected", [i["function"] for i in reply.get("items", [])][:2],
           ["inside", "<module>"])
    struct.pack_into("<I", request, 8, TRAVERSE_ONLY | ALL_THREADS)
    functions = [i["function"].rpartition(".")[2]
                 for i in asker.helper.ask(FRAMES, request=bytes(request))["items"]]
    for name in ("inside", "run", "sub_interpreter"):
        if name not in functions:
            wrong.append("%s is missing among %s" % (name, functions))
    thread.join()
    return wrong


if __name__ == "__main__":
    checks.main()
