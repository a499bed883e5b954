"""The recipes of CONTRIBUTING.md: what one of them says is done everywhere that it says, and
the files that it names are there. A complaint names the place that was forgotten."""

import ast
import re

import pytest

import matrix
from rememberme import adapter, commands, contract

HELPER = matrix.ROOT / "helper"


def text(*names):
    return "\n".join((HELPER / name).read_text(encoding="utf-8") for name in names)


def enum(header, name):
    body = re.search(r"enum rme_%s \{(.*?)\};" % name, text(header), re.S).group(1)
    return re.findall(r"^\t(RME_\w+)", body, re.M)


@pytest.mark.parametrize("document", ["CONTRIBUTING.md", "helper/README.md", "tests/README.md"])
def test_the_files_that_it_names_are_there(document):
    path = matrix.ROOT / document
    plugin = HELPER / "python" / "rememberme"
    folders = [matrix.ROOT, HELPER, plugin, plugin / "commands", HELPER / "cpython" / "layouts",
               HELPER / "runtime" / "arch", path.parent]
    named = re.findall(r"`((?:[\w.-]+/)*[\w.-]+\.(?:c|h|py|def|md|inc|txt)|(?:[\w-]+/)+)`",
                       path.read_text(encoding="utf-8"))
    assert named
    missing = [name for name in named if not any((folder / name).exists() for folder in folders)
               and not list(matrix.ROOT.glob("helper/*/" + name))]
    assert not missing, "%s names %s" % (document, ", ".join(missing))


def test_a_type():
    kinds = set(enum("cpython/known.h", "kind")) - {"RME_KIND_OTHER", "RME_KIND_N"}
    assert len(kinds) > 40
    named = text("cpython/known.c", "cpython/kind.c", "cpython/type.c")
    for kind in sorted(kinds):
        assert re.search(r"\b%s\b" % kind, named), "%s: neither known.c nor kind.c names it" % kind


def test_a_command():
    answer, told = text("query/answer.c"), text("contract/contract.def")
    for name in dir(contract):
        if name.startswith("QUERY_"):
            word = name[len("QUERY_"):].lower()
            assert re.search(r"\bRME_%s\b" % name, answer), "%s: query/answer.c does not ask it" % word
            assert (HELPER / "query" / (word + ".c")).exists(), "%s: no file in query/" % word
            assert re.search(r"^reply %s\b" % word, told, re.M), "%s: not in contract.def" % word
    folder = HELPER / "python" / "rememberme" / "commands"
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "base"}
    listed = {command.__class__.__module__.rpartition(".")[2]
              for command in commands.COMMANDS.values()}
    assert modules == listed, "commands/__init__.py lists %s" % sorted(listed)
    readme = (matrix.ROOT / "README.md").read_text(encoding="utf-8")
    for name in commands.COMMANDS:
        assert "`%s" % name in readme, "%s: README.md has no row for it" % name


def test_a_root():
    source = text("cpython/roots.c")
    for kind in enum("cpython/roots.h", "root_kind"):
        assert re.search(r"\b%s\b" % kind, source + text("query/whole.c")), "%s: nothing emits it" % kind


@pytest.mark.parametrize("name", ["gdb", "lldb"])
def test_an_adapter(name):
    """Every method that the base leaves open is there."""
    tree = ast.parse((matrix.ROOT / name / ("rememberme_%s.py" % name)).read_text(encoding="utf-8"))
    defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    base = ast.parse((HELPER / "python" / "rememberme" / "adapter.py").read_text(encoding="utf-8"))
    left_open = {node.name for node in ast.walk(base) if isinstance(node, ast.FunctionDef)
                 and any(isinstance(part, ast.Raise) and "NotImplementedError" in ast.dump(part)
                         for part in node.body)}
    assert len(left_open) > 5 and hasattr(adapter, "Adapter")
    assert not left_open - defined, "%s: without %s" % (name, sorted(left_open - defined))


def test_a_cpu():
    arch = HELPER / "runtime" / "arch"
    folders = [path for path in arch.iterdir() if path.is_dir()]
    first = {name for header in ("abi.h", "cpu.h")
             for name in names(arch / "x86_64" / header)}
    assert folders and len(first) > 20
    for folder in folders:
        found = {name for header in ("abi.h", "cpu.h") for name in names(folder / header)}
        assert not first - found, "%s: without %s" % (folder.name, sorted(first - found))
        for selector in ("abi.h", "cpu.h"):
            assert "arch/%s/%s" % (folder.name, selector) in (arch / selector).read_text(), (
                "%s: arch/%s does not choose it" % (folder.name, selector))


def names(header):
    return set(re.findall(r"\b(RME_(?!RUNTIME)\w+|rme_(?:cpu|syscall)\w+)\b",
                          header.read_text(encoding="utf-8")))
