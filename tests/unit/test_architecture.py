"""Who may know what: the dependency rule of CONTRIBUTING.md, read from the sources."""

import ast
import re
import subprocess

import pytest

import matrix

HELPER = matrix.ROOT / "helper"

# What a folder of helper/ may include, besides itself and the contract.
MAY_INCLUDE = {
    "runtime": set(),
    "graph": {"runtime"},
    "cpython": {"runtime"},
    "native": {"runtime"},
    "reply": {"runtime"},
    "query": {"runtime", "cpython", "graph", "native", "reply"},
    # A program of its own: it hands a request to the library and maps memory for it.
    "undump": {"runtime", "reply"},
    "include": set(),
}
TOP = {"CMakeLists.txt", "helper", "gdb", "lldb", "tests", "README.md", "dev", ".ci",
       "CMakePresets.json", ".clang-format", ".gitignore", "LICENSE", "CHANGELOG.md",
       "CONTRIBUTING.md"}
# Headers of C11 that a freestanding program may include, and the contract.
FREESTANDING = {"stdint.h", "stddef.h", "stdbool.h", "stdarg.h", "limits.h", "rememberme.h",
                "elf.h", "rememberme_kinds.h"}


def tracked(*patterns):
    done = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "--"] + list(patterns),
                          cwd=matrix.ROOT, stdout=subprocess.PIPE)
    if done.returncode != 0:
        pytest.skip("no git work tree")
    return [matrix.ROOT / name for name in done.stdout.decode().splitlines()
            if (matrix.ROOT / name).exists()]


def includes(path):
    text = path.read_text(encoding="utf-8")
    return re.findall(r'^\s*#\s*include\s+["<]([^">]+)[">]', text, re.M)


def c_files(folder):
    return sorted(p for p in (HELPER / folder).rglob("*")
                  if p.suffix in (".c", ".h", ".def", ".inc"))


@pytest.mark.parametrize("folder", MAY_INCLUDE)
def test_dependency_rule(folder):
    wrong = []
    for path in c_files(folder):
        for name in includes(path):
            other = name.split("/")[0] if "/" in name else None
            if other in MAY_INCLUDE and other != folder and other not in MAY_INCLUDE[folder]:
                wrong.append("%s includes %s" % (path.relative_to(matrix.ROOT), name))
    assert not wrong


def included_files():
    """File of helper/ (a .c and its .h are one) -> the files that it includes."""
    graph = {}
    for path in sorted(p for p in HELPER.rglob("*") if p.suffix in (".c", ".h")):
        found = graph.setdefault(file_name(path), set())
        for name in includes(path):
            for folder in (path.parent, HELPER, HELPER / "include"):
                if (folder / name).exists():
                    found.add(file_name((folder / name).resolve()))
                    break
        found.discard(file_name(path))
    return graph


def file_name(path):
    name = path.relative_to(HELPER)
    return str(name.with_suffix("") if name.suffix in (".c", ".h") else name)


def find_ring(graph):
    """One ring of the graph as a list of files, or None."""
    done, way = set(), []

    def visit(name):
        if name in way:
            return way[way.index(name):] + [name]
        if name in done:
            return None
        way.append(name)
        for other in sorted(graph.get(name, ())):
            ring = visit(other)
            if ring:
                return ring
        way.pop()
        done.add(name)
        return None

    for name in sorted(graph):
        ring = visit(name)
        if ring:
            return ring
    return None


def test_a_ring_is_found():
    assert find_ring({"a": {"b"}, "b": {"c", "d"}, "d": {"e"}, "e": {"b"}}) == ["b", "d", "e", "b"]
    assert find_ring({"a": {"b", "c"}, "b": {"c"}}) is None


def test_no_files_include_each_other():
    """What depends on what can be told of files as well as of folders."""
    graph = included_files()
    assert len(graph) > 100 and "cpython/class" in graph["cpython/type"]
    # To go with kept.c: the one graph that is kept from question to question.
    graph["query/kept"].remove("query/heap_graph")
    ring = find_ring(graph)
    assert not ring, " includes ".join(ring)


@pytest.mark.parametrize("folder", ["runtime", "graph", "cpython", "native", "query", "reply"])
def test_no_libc_in_the_helper(folder):
    wrong = [(str(path.relative_to(matrix.ROOT)), name) for path in c_files(folder)
             for name in includes(path)
             if "/" not in name and name not in FREESTANDING and not (path.parent / name).exists()]
    assert not wrong


def test_what_is_a_cpus_is_in_one_place():
    """Another CPU is another folder of runtime/arch, and nothing else in C."""
    of_a_cpu = re.compile(r"x86_64|X86_64|<< ?47\b|__asm__(?: volatile)?\((?!\"\"|\"\.section)|<sys/user\.h>")
    wrong = ["%s:%d: %s" % (path.relative_to(HELPER), number, line.strip())
             for path in sorted(HELPER.rglob("*.[ch]"))
             if HELPER / "runtime" / "arch" not in path.parents
             for number, line in enumerate(path.read_text().splitlines(), 1)
             if of_a_cpu.search(line)]
    assert not wrong


def test_versions_of_cpython_are_compared_in_one_place():
    """facts.def says since when something holds, and flags have one definition."""
    compare = re.compile(r"py->version (?:[<>]|>=|<=|==) 0x|\bFLAG_(?!OWNDATA)\w+ =|1u? << 9\b")
    folder = HELPER / "cpython"
    wrong = ["%s:%d" % (path.relative_to(HELPER), number)
             for path in c_files("cpython") + c_files("query")
             if path not in (folder / "facts.h", folder / "boot.c")
             and folder / "layouts" not in path.parents
             for number, line in enumerate(path.read_text().splitlines(), 1) if compare.search(line)]
    assert not wrong
    rows = re.findall(r"^FACT\((\w+),", (folder / "facts.def").read_text(), re.M)
    assert len(set(rows)) == len(rows) > 10


def test_only_the_layout_generator_includes_python_h():
    wrong = [str(path.relative_to(matrix.ROOT)) for path in tracked("*.c", "*.h", "*.inc", "*.def")
             if "Python.h" in includes(path)
             and path.parent != HELPER / "cpython" / "layouts"]
    assert not wrong


def imports(path):
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


def test_only_the_adapters_import_a_debugger():
    for name in ("gdb", "lldb"):
        # The layout generator reads debug info with gdb: a tool of ours, not the product.
        tools = HELPER / "cpython" / "layouts"
        found = {str(path.relative_to(matrix.ROOT))
                 for path in tracked("*.py") if path.parts[len(matrix.ROOT.parts)] != "tests"
                 and path.parent != tools and name in imports(path)}
        assert found == {"%s/rememberme_%s.py" % (name, name)}


def test_the_plugin_needs_nothing_but_the_standard_library():
    import sys
    mine = {"rememberme", "gdb", "lldb"}
    wrong = [(path.name, name) for path in tracked("helper/python/*.py", "gdb/*.py", "lldb/*.py")
             for name in imports(path) - mine if name not in sys.stdlib_module_names]
    assert not wrong


def test_no_package_of_a_debuggers_name():
    """With the root on sys.path a folder gdb/ with an __init__.py would be `import gdb`."""
    wrong = [str(p) for p in tracked("gdb", "lldb", "tests") if p.name == "__init__.py"]
    assert not wrong


def test_the_entries_at_the_top():
    assert {path.relative_to(matrix.ROOT).parts[0] for path in tracked()} == TOP


def test_the_library_stands_alone():
    """No undefined symbol, nothing writable, and of relocations only those that its loaders
    apply: a flat copy of it works."""
    library = str(matrix.helper_library())

    def readelf(*options):
        return subprocess.run(["readelf", "-W"] + list(options) + [library], check=True,
                              stdout=subprocess.PIPE).stdout.decode()

    relocations = re.findall(r"\bR_X86_64_\w+", readelf("-r"))
    assert set(relocations) == {"R_X86_64_RELATIVE"}  # of the table in query/answer.c
    assert not re.search("TEXTREL|RELR|JMPREL", readelf("-d"))
    undefined = [line for line in readelf("--dyn-syms").splitlines()
                 if re.search(r"\bUND\b", line) and not line.strip().startswith("0:")]
    assert undefined == []
    assert "NEEDED" not in readelf("-d")
    sections = re.findall(r"\] +(\.\S+) +\S+ +[0-9a-f]+ [0-9a-f]+ ([0-9a-f]+)", readelf("-S"))
    assert ".text" in dict(sections)
    for name, size in sections:
        assert not re.match(r"\.(data(?!\.rel\.ro)|bss|init_array|fini_array|tdata|tbss)", name) \
            or int(size, 16) == 0, name
    exported = {line.split()[-1] for line in readelf("--dyn-syms").splitlines()
                if re.search(r"FUNC +GLOBAL", line)}
    header = (HELPER / "include" / "rememberme.h").read_text()
    assert exported == set(re.findall(r"RME_EXPORT int64_t (\w+)\(", header))
