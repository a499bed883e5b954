"""The layout tables: what is committed is what the interpreters give, the check can
fail, and the C side finds the right row."""

import ctypes
import importlib.util
import os
import re
import shutil
import subprocess
import sys

import pytest

import matrix

LAYOUTS = matrix.ROOT / "helper" / "cpython" / "layouts"


def _load_generator():
    sys.path.insert(0, str(LAYOUTS))
    try:
        spec = importlib.util.spec_from_file_location("generate", LAYOUTS / "generate.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(LAYOUTS))


generate = _load_generator()
TABLES = tuple(generate.tables())
PRESENT = [v for v in generate.VERSIONS if generate.interpreter(v)]


def check(version, folder=LAYOUTS, **environment):
    return subprocess.run([sys.executable, LAYOUTS / "generate.py", "--check", "--folder", folder,
                           version], stdout=subprocess.PIPE, universal_newlines=True,
                          env=dict(os.environ, PYTHONDONTWRITEBYTECODE="1", **environment))


def committed(version):
    """{member: value or None} of a committed table."""
    text = (LAYOUTS / generate.table_name(version)).read_text()
    rows = re.findall(r"^\.(\w+) = (RME_ABSENT|0x\w+|\d+),", text, re.M)
    return {name: None if value == "RME_ABSENT" else int(value, 0) for name, value in rows}


# What is committed

@pytest.mark.parametrize("version", generate.VERSIONS)
def test_committed_is_what_the_interpreter_gives(version):
    if version not in PRESENT:
        pytest.skip("no interpreter %s here" % version)
    done = check(version)
    assert "%s: checked, the same" % version in done.stdout, done.stdout
    assert done.returncode == 0


@pytest.mark.parametrize("version", TABLES)
def test_a_table_has_every_field_once(version):
    names = list(committed(version))
    assert names == ["version", "minor_first", "minor_last"] + [m for m, _ in generate.members()]
    assert committed(version)["version"] >> 16 << 16 == committed(version)["minor_first"]


@pytest.mark.parametrize("version", TABLES)
def test_the_experiment_reads_types_where_the_table_says(version):
    source = (LAYOUTS / "read_direct.py").read_text()
    found = re.search(r"^TP_NAME, TP_BASICSIZE, TP_FLAGS, TP_TRAVERSE = (.*)$", source, re.M)
    table = committed(version)
    assert [int(x) for x in found.group(1).split(",")] == [
        table[x] for x in ("type_name", "type_basicsize", "type_flags", "type_traverse")]


def test_what_moved_inside_3_13():
    tables = [committed(v) for v in ("3.13.0", "3.13.7", "3.13.18")]
    moved = {name for name in tables[0] if len({t[name] for t in tables}) > 1}
    assert [t["gc_generations"] for t in tables] == [24, 20, 20]
    assert all(re.match("gc_generations|(un)?pickler_|version|(runtime|interp|thread)_size", name)
               for name in moved), moved


def test_what_moved_inside_3_14():
    """Objects stayed where they were; the runtime's structures and three extension types did not."""
    tables = [committed(v) for v in ("3.14.0", "3.14.4", "3.14.8")]
    moved = {name for name in tables[0] if len({t[name] for t in tables}) > 1}
    assert [t["interp_modules"] for t in tables] == [7664, 7664, 7688]
    assert all(re.match("unpickler_|scandir_path|version|interp_|(runtime|thread)_size", name)
               for name in moved), moved
    assert {t["gc_generations"] for t in tables} == {24}  # young and old, or three generations


# The check can fail

def _swap(old, new):
    def change(text):
        assert text.count(old) == 1
        return text.replace(old, new)
    return change


TAMPERED = {
    "offset": ("cpython_3_8_18.inc", _swap(".dict_keys = 32,", ".dict_keys = 40,")),
    "absent": ("cpython_3_8_18.inc", _swap(".frame_back = 24,", ".frame_back = RME_ABSENT,")),
    "rule": ("direct.inc", _swap('"traceback", 40, 0x0ff, 0, 0, 0xc ',
                                 '"traceback", 40, 0x0ff, 0, 0, 0x1c ')),
    "no rule": ("direct.inc", lambda text: re.sub('{ "traceback".*\n', "", text)),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_a_tampered_table_is_detected(name, tmp_path):
    if "3.8.18" not in PRESENT:
        pytest.skip("no interpreter 3.8.18 here")
    for path in LAYOUTS.glob("*.inc"):
        shutil.copy(path, tmp_path)
    file, change = TAMPERED[name]
    (tmp_path / file).write_text(change((tmp_path / file).read_text()))
    done = check("3.8.18", tmp_path)
    assert done.returncode == 1
    assert "3.8.18: checked, DIFFERENT" in done.stdout
    assert file in done.stdout


def test_an_absent_interpreter_is_named(tmp_path):
    done = check("3.12", PYENV_ROOT=str(tmp_path))
    assert done.stdout == "3.12.1: no such interpreter here, not checked\n"
    assert done.returncode == 0


def test_a_misspelt_structure_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(generate, "members", lambda: [
        ("dict_used", ["PyDictObjekt.ma_used", "PyDictObject.ma_used"])])
    tables = generate.Tables(tmp_path)
    tables.values = {"3.8.18": {"PyDictObject.ma_used": (16, "HD")}}
    assert tables.unused() == ["PyDictObjekt.ma_used"]


# The C side

class Direct(ctypes.Structure):
    _fields_ = [("words", ctypes.c_uint64), ("visits_type", ctypes.c_bool),
                ("heap_type", ctypes.c_bool)]


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    class Layout(ctypes.Structure):
        _fields_ = [(n, ctypes.c_uint32) for n in ("version", "minor_first", "minor_last")]
        _fields_ += [(member, ctypes.c_int32) for member, _ in generate.members()]

    path = tmp_path_factory.mktemp("layouts") / "layouts.so"
    subprocess.run(["gcc", "-std=c11", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror",
                    "-I%s" % (matrix.ROOT / "helper"), LAYOUTS / "tables.c", LAYOUTS / "direct.c",
                    "-o", path], check=True)
    found = ctypes.CDLL(str(path))
    found.rme_layout_at.restype = ctypes.POINTER(Layout)
    found.rme_layout_for.restype = ctypes.POINTER(Layout)
    found.rme_direct_rule.restype = ctypes.c_bool
    found.rme_direct_rule.argtypes = [ctypes.POINTER(Layout), ctypes.c_char_p, ctypes.c_uint64,
                                      ctypes.POINTER(Direct)]
    return found


def test_every_table_is_built_in(library):
    for index, version in enumerate(TABLES):
        layout = library.rme_layout_at(index).contents
        assert {name: getattr(layout, name) for name, _ in layout._fields_} == {
            name: -1 if value is None else value for name, value in committed(version).items()}
    assert not library.rme_layout_at(len(TABLES))


LIKELIEST = {
    0x030c09f0: [0x030c01f0],
    0x030a0000: [0x030a0df0],
    0x030d00f0: [0x030d00f0, 0x030d07f0, 0x030d12f0],
    0x030d05f0: [0x030d00f0, 0x030d07f0, 0x030d12f0],
    0x030d09f0: [0x030d07f0, 0x030d00f0, 0x030d12f0],
    0x030d63f0: [0x030d12f0, 0x030d07f0, 0x030d00f0],
    0x030710f0: [],
    0x030e00f0: [0x030e00f0, 0x030e04f0, 0x030e08f0],
    0x030e05f0: [0x030e04f0, 0x030e00f0, 0x030e08f0],
    0x030e0af0: [0x030e08f0, 0x030e04f0, 0x030e00f0],
    0x030f02f0: [0x030f00f0],
    0x031000f0: [],
    0x020712f0: [],
}


@pytest.mark.parametrize("asked", LIKELIEST, ids="{:08x}".format)
def test_the_likeliest_table_comes_first(library, asked):
    expected = LIKELIEST[asked]
    found = [library.rme_layout_for(asked, n) for n in range(len(expected) + 1)]
    assert [f.contents.version for f in found[:-1]] == expected
    assert not found[-1]


def _rule(library, version, name, basicsize):
    layout = library.rme_layout_at(TABLES.index(version))
    found = Direct()
    if not library.rme_direct_rule(layout, name.encode(), basicsize, found):
        return None
    return ({8 * i for i in range(64) if found.words >> i & 1}, found.visits_type, found.heap_type)


RULES = {
    "cell": (24, ["cell_ref"]),
    "method": (48, ["method_func", "method_self"]),
    "slice": (40, ["slice_start", "slice_stop", "slice_step"]),
    "traceback": (40, ["traceback_next", "traceback_frame"]),
    "mappingproxy": (24, ["mappingproxy_mapping"]),
    "functools.partial": (64, ["partial_fn", "partial_args", "partial_kw", "partial_dict"]),
}


# The rules come from an experiment, the tables from the structures' declarations.
@pytest.mark.parametrize("version", TABLES)
@pytest.mark.parametrize("name", RULES)
def test_rules_agree_with_the_tables(library, version, name):
    basicsize, members = RULES[name]
    table = committed(version)
    if name == "functools.partial" and table["version"] >= 0x030e0000:
        basicsize = 80  # placeholders
    # partial became a heap type in 3.10, and since 3.9 those visit their type.
    heap = name == "functools.partial" and generate.minor(version) not in ("3.8", "3.9")
    assert _rule(library, version, name, basicsize) == ({table[m] for m in members}, heap, heap)


@pytest.mark.parametrize("name, basicsize", [
    ("tuple", 24), ("list", 40), ("dict", 48), ("type", 920), ("generator", 144),
    ("itertools._tee_dataobject", 496), ("cell", 32), ("no.such", 24), ("", 0), ("cel", 24),
    ("cells", 24)])
def test_no_rule(library, name, basicsize):
    assert _rule(library, "3.12.1", name, basicsize) is None
