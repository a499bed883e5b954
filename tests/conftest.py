"""The matrix: every test that takes `interpreter`, `debugger` or `kind` runs once per
value, with ids like `live-3.12-gdb`. See support/ for what a test is made of."""

import subprocess

import pytest

import matrix
import session
import target as targets

KINDS = ("live", "core")


def pytest_addoption(parser):
    group = parser.getgroup("remember me")
    group.addoption("--interpreters", default=None,
                    help="comma-separated names: 3.12,debian (default: all that are installed)")
    group.addoption("--debuggers", default=None,
                    help="comma-separated names: gdb,lldb-19 (default: all that are installed)")
    group.addoption("--whole", action="store_true",
                    help="differential: compare every object, print the table")
    group.addoption("--update-goldens", action="store_true",
                    help="rewrite the expected output under tests/goldens")


def _chosen(config, option, found):
    wanted = config.getoption(option)
    if wanted is None:
        return matrix.different(found)
    missing = [name for name in wanted.split(",") if name not in found]
    if missing:
        raise pytest.UsageError("not installed: %s (there is %s)"
                                % (", ".join(missing), ", ".join(found)))
    return [found[name] for name in wanted.split(",")]


def pytest_report_header(config):
    absent = [name for name in matrix.SUPPORTED if name not in matrix.interpreters()]
    lines = ["interpreters: " + ", ".join("%s (%s)" % (i.name, i.version) for i in
                                          _chosen(config, "interpreters", matrix.interpreters())),
             "debuggers: " + ", ".join("%s (%s)" % (d.name, d.version) for d in
                                       _chosen(config, "debuggers", matrix.debuggers()))]
    if absent:
        lines.append("NOT TESTED, not installed: python " + ", ".join(absent))
    return lines


def pytest_generate_tests(metafunc):
    def parametrize(name, values, ids):
        marked = any(name in str(mark.args[:1]) for mark in
                     metafunc.definition.iter_markers("parametrize"))
        if name in metafunc.fixturenames and not marked:
            metafunc.parametrize(name, values, ids=ids, scope="session")

    # The last one parametrised comes last in the id.
    debuggers = _chosen(metafunc.config, "debuggers", matrix.debuggers())
    if not metafunc.definition.get_closest_marker("every_debugger"):
        debuggers = [d for d in debuggers if d.full]
    interpreters = _chosen(metafunc.config, "interpreters", matrix.interpreters())
    parametrize("kind", KINDS, KINDS)
    parametrize("interpreter", interpreters, [i.name for i in interpreters])
    parametrize("debugger", debuggers, [d.name for d in debuggers])


# What the debuggers of the smaller selection look at: the oldest, a middle, the stripped one.
SMALLER = ("3.8", "3.12", matrix.DEBIAN)


def _params(item):
    return getattr(getattr(item, "callspec", None), "params", {})


@pytest.hookimpl(hookwrapper=True)
def pytest_collection_modifyitems(config, items):
    """Tests of one interpreter share their targets, so they go to one worker, and module by
    module: pytest's own order is by kind and debugger first, where what a module has made
    for an interpreter is made again for each of them. The others come last, the longest of
    them first, so that both workers have something to do until the end."""
    kept, dropped = [], []
    for item in items:
        params = _params(item)
        small = ("debugger" in params and not params["debugger"].full and "interpreter" in params
                 and params["interpreter"].name not in SMALLER)
        (dropped if small else kept).append(item)
    if dropped:
        config.hook.pytest_deselected(items=dropped)
    names = list(matrix.interpreters())
    for item in kept:
        if "interpreter" in _params(item):
            item.add_marker(pytest.mark.xdist_group(_params(item)["interpreter"].name))

    modules = {path: n for n, path in enumerate(dict.fromkeys(item.path for item in kept))}

    def place(item):
        interpreter = _params(item).get("interpreter")
        if interpreter:
            return names.index(interpreter.name), modules[item.path]
        return len(names) + (not item.get_closest_marker("slow")), modules[item.path]

    items[:] = kept
    yield
    items.sort(key=place)


def pytest_sessionfinish():
    targets.clean()


@pytest.fixture(scope="session")
def shared_target(request):
    """shared_target(interpreter, program, *arguments): the same stopped program for
    every test of the session that asks for it; tests only look at it."""
    running = {}

    def get(interpreter, program, *arguments, **options):
        path = getattr(interpreter, "path", interpreter)
        key = (path, program, arguments)
        if key not in running:
            running[key] = targets.start(interpreter, program, *arguments,
                                         env={"STAGE_LIFETIME": "1800"}, **options)
        return running[key]

    yield get
    for target in running.values():
        target.kill()


@pytest.fixture(scope="session")
def subject(shared_target, tmp_path_factory):
    """subject(kind, interpreter, program): (target, options of session.run) of that
    program, alive or as a core. What the oracle said is in the target."""
    dead = {}

    def get(kind, interpreter, program):
        if kind == "live":
            target = shared_target(interpreter, program)
            return target, {"attach": target.pid}
        path = str(getattr(interpreter, "path", interpreter))
        if (path, program) not in dead:
            target = targets.start(interpreter, program)
            core = targets.kernel_core(target)
            if core is None:  # core_pattern sends it elsewhere
                target = targets.start(interpreter, program)
                core = session.gcore(target.pid, tmp_path_factory.mktemp("core") / "core")
                target.kill()
            dead[path, program] = target, {"core": core, "exe": path}
        return dead[path, program]

    return get


@pytest.fixture
def run_target():
    """run_target(interpreter, program, …): a program of this test's own."""
    running = []

    def get(interpreter, program, *arguments, **options):
        running.append(targets.start(interpreter, program, *arguments, **options))
        return running[-1]

    yield get
    for target in running:
        target.kill()


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    """The shared library of targets/stops.c."""
    path = tmp_path_factory.mktemp("library") / "libstops.so"
    subprocess.run(["cc", "-O1", "-g0", "-Wall", "-Wextra", "-shared", "-fPIC", "-pthread",
                    str(matrix.TARGETS / "stops.c"), "-o", str(path)], check=True, timeout=60)
    return str(path)


@pytest.fixture
def golden(request):
    """golden(name, text): compares with tests/goldens/NAME, or rewrites it."""
    def check(name, text):
        text = text.replace(str(matrix.ROOT), "…")
        path = matrix.TESTS / "goldens" / name
        if request.config.getoption("--update-goldens"):
            path.write_text(text)
        assert path.exists(), "no %s: run with --update-goldens" % path
        assert text == path.read_text()

    return check
