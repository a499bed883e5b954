"""Which interpreters and debuggers there are on this machine.

Knows where things are; starts nothing but `python -c` and `--version`.
"""

import functools
import os
import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
BUILD = pathlib.Path(os.environ.get("RME_BUILD", ROOT / "build")).resolve()
TARGETS = TESTS / "targets"
PLUGIN = {"gdb": ROOT / "gdb" / "rememberme_gdb.py", "lldb": ROOT / "lldb" / "rememberme_lldb.py"}


def _supported():
    """The minor versions that the helper has a table for, oldest first."""
    text = (ROOT / "helper" / "cpython" / "layouts" / "tables.inc").read_text()
    return tuple(dict.fromkeys(".".join(v) for v in re.findall(r"cpython_(\d+)_(\d+)_", text)))


SUPPORTED = _supported()
UNSUPPORTED = ("2.7", "3.6", "3.7")
DEBIAN = "debian"

# lldb takes the prefix of its embedded Python from the python3 in PATH, so a
# pyenv or a venv there would break it.
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
    "TERM": "dumb",
    "LC_ALL": "C.UTF-8",
    "HOME": os.environ.get("HOME", "/"),
    "PYTHONDONTWRITEBYTECODE": "1",
    "DEBUGINFOD_URLS": "",
}


class Interpreter:
    def __init__(self, name, path, version):
        self.name = name  # "3.12", or "debian"
        self.path = str(path)
        self.version = version  # "3.12.1"

    @property
    def minor(self):
        return tuple(int(part) for part in self.version.split(".")[:2])

    @property
    def is_debians(self):
        """One program, without symbols or a library of its own, whose modules are in /usr/lib."""
        return os.path.realpath(self.path).startswith("/usr/bin/")

    @property
    def with_packages(self):
        """The same interpreter with the packages of requirements.txt, in the venv
        that `./dev setup` made; None where there is none."""
        of_debian = os.path.realpath(self.path) == os.path.realpath("/usr/bin/python3")
        path = BUILD / "venvs" / ("system" if of_debian else self.version) / "bin" / "python"
        return path if path.exists() else None

    def __repr__(self):
        return "<python %s: %s>" % (self.name, self.path)


class Debugger:
    def __init__(self, name, path, full=False):
        self.name = name  # "gdb", "lldb-19", or "lldb" where the version is in no name
        self.path = str(path)
        self.full = full  # gets every test, not the smaller selection

    @property
    def family(self):
        return "gdb" if self.name == "gdb" else "lldb"

    @property
    def lldb_version(self):
        """None where the name does not tell."""
        digits = self.name.partition("-")[2]
        return int(digits) if digits else None

    @functools.cached_property
    def version(self):
        """As it says itself: "13.1", "19.1.7"."""
        try:
            done = subprocess.run([self.path, "--version"], stdin=subprocess.DEVNULL, timeout=60,
                                  stdout=subprocess.PIPE, env=ENVIRONMENT)
        except (OSError, subprocess.SubprocessError):
            return "?"
        return (re.findall(r"\d+(?:\.\d+)+", done.stdout.decode(errors="replace")) or ["?"])[0]

    def __repr__(self):
        return "<%s: %s>" % (self.name, self.path)


def _version_of(path):
    code = "import sys; print('.'.join(map(str, sys.version_info[:3])))"
    try:
        out = subprocess.run(
            [str(path), "-c", code.replace("print(", "sys.stdout.write(")],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            timeout=30, env=ENVIRONMENT, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return out.stdout.decode().strip()


def _pyenv_versions():
    root = pathlib.Path(os.environ.get("PYENV_ROOT", pathlib.Path.home() / ".pyenv"))
    found = {}
    for path in (root / "versions").glob("[0-9]*.[0-9]*.[0-9]*"):
        try:
            key = tuple(int(part) for part in path.name.split("."))
        except ValueError:
            continue
        minor = "%d.%d" % key[:2]
        if (path / "bin" / "python").exists() and key > found.get(minor, ((), None))[0]:
            found[minor] = (key, path / "bin" / "python")
    return {minor: path for minor, (_, path) in found.items()}


@functools.lru_cache(maxsize=None)
def interpreters():
    """{name: Interpreter} of what is installed, the supported ones: pyenv's, else what a
    package has put beside /usr/bin/python3."""
    found = {}
    pyenv = _pyenv_versions()
    for name in SUPPORTED:
        path = pyenv.get(name) or "/usr/bin/python" + name
        version = _version_of(path)
        if version:
            found[name] = Interpreter(name, path, version)
    if os.path.exists("/etc/debian_version") and os.path.exists("/usr/bin/python3"):
        version = _version_of("/usr/bin/python3")
        if version and ".".join(version.split(".")[:2]) in SUPPORTED:
            found[DEBIAN] = Interpreter(DEBIAN, "/usr/bin/python3", version)
    return found


def one_interpreter():
    """For what is the same in all of them: the system's, else the newest that is supported."""
    return interpreters().get(DEBIAN) or list(interpreters().values())[-1]


def different(found):
    """Those of {name: Interpreter} that are not one program under two names."""
    return list({os.path.realpath(one.path): one for one in found.values()}.values())


@functools.lru_cache(maxsize=None)
def unsupported_interpreters():
    pyenv = _pyenv_versions()
    return {name: Interpreter(name, pyenv[name], _version_of(pyenv[name]))
            for name in UNSUPPORTED if name in pyenv}


def debug_interpreters():
    """The paths of Debian's debug builds."""
    return sorted(str(path) for path in pathlib.Path("/usr/bin").glob("python3.*d")
                  if path.name[len("python3."):-1].isdigit())


@functools.lru_cache(maxsize=None)
def debuggers():
    """{name: Debugger} of what is installed: gdb, each lldb-NN, or lldb where there is none
    with a number, and what `./dev setup` has put beside them. The newest lldb that is
    installed gets every test."""
    found = {}
    gdb = shutil.which("gdb", path=ENVIRONMENT["PATH"])
    if gdb:
        found["gdb"] = Debugger("gdb", gdb, full=True)
    installed = sorted({int(path.name[5:]) for folder in ENVIRONMENT["PATH"].split(":")
                        for path in pathlib.Path(folder).glob("lldb-[0-9]*")
                        if path.name[5:].isdigit()}, reverse=True)
    for version in installed:
        name = "lldb-%d" % version
        found[name] = Debugger(name, shutil.which(name, path=ENVIRONMENT["PATH"]),
                               full=version == installed[0])
    unnumbered = shutil.which("lldb", path=ENVIRONMENT["PATH"])
    if unnumbered and not installed:
        found["lldb"] = Debugger("lldb", unnumbered, full=True)
    for path in sorted(BUILD.glob("lldb-[0-9]*/lldb"), reverse=True):
        found.setdefault(path.parent.name, Debugger(path.parent.name, path))
    return found


def newest_lldb():
    """The Debugger, or None."""
    return next((d for d in debuggers().values() if d.family == "lldb" and d.full), None)


def helper_library():
    for path in (BUILD / "librememberme.so", BUILD / "helper" / "librememberme.so",
                 BUILD / "lib" / "librememberme.so"):
        if path.exists():
            return path
    raise FileNotFoundError("no librememberme.so under %s: build it first" % BUILD)
