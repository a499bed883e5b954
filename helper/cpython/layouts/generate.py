#!/usr/bin/python3
"""Generates the layout tables: where the fields named in ../fields.def are, in each
supported CPython, and which C types visit fixed offsets only (direct.inc).

    generate.py --write             everything whose interpreter is here
    generate.py --check             regenerates and compares; 1 on a difference
    generate.py --matrix            every field in every version, for reading by eye
    generate.py ... 3.12 3.13       only these versions
    generate.py --drift OLD NEW     what moved between two dumps of debug information
                                    (tab-separated: struct, field, offset), for DRIFTS

Interpreters are looked for in $PYENV_ROOT/versions, else in ~/.pyenv/versions, and as
/usr/bin/python3.N (whose -dev and -dbg packages are needed too). A value comes from the interpreter's own headers (read_headers.py), from the debug
information of its binaries (read_debuginfo.py), or from both, which must agree;
the rules of direct.inc from an experiment in it (read_direct.py).
Needs gcc, objcopy and gdb with Python."""

import argparse
import difflib
import glob
import json
import os
import re
import subprocess
import sys

import read_debuginfo
import read_headers

HERE = os.path.dirname(os.path.abspath(__file__))
FIELDS = os.path.join(os.path.dirname(HERE), "fields.def")

# The version that each table is read from: one more version is one more word here.
VERSIONS = ("3.8.18", "3.9.18", "3.10.13", "3.11.7", "3.12.1", "3.13.0", "3.14.8", "3.15.0")

# Other patch releases in which structures moved: the table of VERSIONS that theirs
# starts from, and PY_VERSION_HEX. What moved is in drift_VERSION.tsv.
DRIFTS = {
    "3.13.7": ("3.13.0", 0x030d07f0),
    "3.13.18": ("3.13.0", 0x030d12f0),
    "3.14.0": ("3.14.8", 0x030e00f0),
    "3.14.4": ("3.14.8", 0x030e04f0),
}

# direct.inc: a rule's set of versions is a bit per minor, its set of offsets a bit
# per word of the object.
MINOR_BITS = {int(v.split(".")[1]): 1 << (int(v.split(".")[1]) - 8) for v in VERSIONS}
NAME_SIZE = 56
MAX_OFFSET = 8 * 63


class LayoutError(Exception):
    pass


def minor(version):
    return ".".join(version.split(".")[:2])


def tables():
    """Every version that has a table, oldest first: the order of tables.inc."""
    return sorted(VERSIONS + tuple(DRIFTS), key=lambda v: [int(part) for part in v.split(".")])


class Installed:
    """An interpreter with its headers, and the binaries that have debug information."""

    def __init__(self, program, include, binaries):
        self.program = program
        self.include = include
        self.binaries = binaries

    def defines(self):
        """What the build was configured with and pyconfig.h does not say: the JIT (3.13+)
        makes some structures larger."""
        code = "import sysconfig; print(sysconfig.get_config_var('PY_CORE_CFLAGS'))"
        done = subprocess.run([self.program, "-c", code], stdout=subprocess.PIPE,
                              universal_newlines=True)
        return re.findall(r"-D_Py_\S+", done.stdout)


def interpreter(version):
    """The Installed of that very version, or None."""
    return from_pyenv(version) or from_debian(version)


def from_pyenv(version):
    root = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    folder = os.path.join(root, "versions", version)
    name = "python" + minor(version)
    program = os.path.join(folder, "bin", name)
    if not os.path.exists(program):
        return None
    main = glob.glob(os.path.join(folder, "lib", "lib%s.so.1.0" % name)) or [program]
    return Installed(program, os.path.join(folder, "include", name),
                     main + modules(os.path.join(folder, "lib", name, "lib-dynload")))


def from_debian(version):
    name = "python" + minor(version)
    program = os.path.join("/usr/bin", name)
    include = os.path.join("/usr/include", name)
    if not os.path.exists(program) or not os.path.exists(os.path.join(include, "Python.h")):
        return None
    done = subprocess.run([program, "-V"], stdout=subprocess.PIPE, universal_newlines=True)
    if done.stdout.split()[1:] != [version]:
        return None
    return Installed(program, include, [program] + modules("/usr/lib/%s/lib-dynload" % name))


def modules(folder):
    """Extension modules, without those of the tests and of debug builds."""
    left_out = re.compile(r"_?xx|_test|_ctypes_test|.*\.cpython-\d+t?d")
    return sorted(m for m in glob.glob(os.path.join(folder, "*.so"))
                  if not left_out.match(os.path.basename(m)))


def members():
    """[(member, [alternatives])] of fields.def, in order. A FIELD's alternatives are
    "struct.field", a SIZE's are "struct"."""
    with open(FIELDS) as f:
        text = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)
    found = re.findall(r'^(FIELD|SIZE)\((\w+), "([^"]+)"\)\s*$', text, re.M)
    if len(found) != sum(1 for line in text.splitlines() if line.strip()):
        raise LayoutError("fields.def has a line that is neither FIELD nor SIZE")
    rows = []
    for kind, member, alternatives in found:
        specs = [a.strip() for a in alternatives.split("|")]
        if any(("." in s) != (kind == "FIELD") for s in specs):
            raise LayoutError("%s(%s): a FIELD names struct.field, a SIZE a struct"
                              % (kind, member))
        rows.append((member, specs))
    return rows


def read(installed, version):
    """({spec: (value, source)}, PY_VERSION_HEX), source H, D or HD."""
    specs = sorted({s for _, alternatives in members() for s in alternatives})
    headers, hexversion = read_headers.read(installed.include, specs, installed.defines())
    debuginfo = read_debuginfo.read(installed.binaries, specs)
    if not debuginfo:
        raise LayoutError("%s has no debug information" % version)
    values = {spec: (value, "D") for spec, value in debuginfo.items() if value is not None}
    for spec, value in headers.items():
        if debuginfo.get(spec, value) != value:
            raise LayoutError("%s: %s is %s in the headers and %s in the debug information"
                              % (version, spec, value, debuginfo[spec]))
        values[spec] = value, "HD" if spec in debuginfo else "H"
    return values, hexversion


def drifted(values, version):
    """The values of a later patch release: those of its base with what moved."""
    values = dict(values)
    with open(os.path.join(HERE, "drift_%s.tsv" % version)) as f:
        rows = [line.rstrip("\n").split("\t") for line in f if not line.startswith("#")]
    for struct, field, offset in rows:
        spec = struct if field == "<sizeof>" else struct + "." + field
        values.pop(spec, None)
        if offset != "-":
            values[spec] = int(offset), "T"
    return values


def print_drift(old, new):
    """What moved in the structures of fields.def; "-" is a field that is gone."""
    structs = {spec.split(".")[0] for _, alternatives in members() for spec in alternatives}
    tables = []
    for path in (old, new):
        with open(path) as f:
            rows = [line.split("\t")[:3] for line in f]
        tables.append({(r[0], r[1]): r[2] for r in rows if r[0] in structs})
    before, after = tables
    known = {struct for struct, _ in before} & {struct for struct, _ in after}
    for row in set(before) | set(after):
        if row[1].startswith("_initial_thread."):  # a _ts once more
            before.pop(row, None), after.pop(row, None)
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key) and key[0] in known:
            print("\t".join(key + (after.get(key, "-"),)))


def choose(values):
    """[(member, value, source, spec)]; the first alternative that there is."""
    rows = []
    for member, alternatives in members():
        spec = next((s for s in alternatives if s in values), None)
        rows.append((member,) + (values[spec] + (spec,) if spec else (None, None, None)))
    return rows


def table_name(version):
    return "cpython_%s.inc" % version.replace(".", "_")


def table(version, values, hexversion):
    """The text of the table's file."""
    lines = [
        "/* CPython %s, x86-64, glibc. Generated by generate.py, not to be edited." % version,
        " * H: from its headers, D: from its debug information, HD: both, and they agree%s */"
        % (",\n * of %s; T: from drift_%s.tsv." % (DRIFTS[version][0], version)
           if version in DRIFTS else "."),
        ".version = 0x%08x," % hexversion,
        ".minor_first = 0x%08x," % (hexversion & 0xffff0000),
        ".minor_last = 0x%08x," % (hexversion & 0xffff0000),
    ]
    for member, value, source, spec in choose(values):
        if value is None:
            lines.append(".%s = RME_ABSENT," % member)
        else:
            lines.append(".%s = %d, /* %s %s */" % (member, value, source, spec))
    return "\n".join(lines) + "\n"


def read_direct(installed, version):
    """({rule}, {(name, basicsize)}): the direct types, and all that have a tp_traverse."""
    command = [installed.program, "-I", "-S", os.path.join(HERE, "read_direct.py")]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          universal_newlines=True)
    if done.returncode:
        raise LayoutError("%s: read_direct.py failed: %s" % (version, done.stderr[-2000:]))
    answer = json.loads(done.stdout)
    rules = set()
    for name, basicsize, heap, visits_type, offsets in answer["rules"]:
        if len(name) >= NAME_SIZE or basicsize > 0xffff or max(offsets, default=0) > MAX_OFFSET:
            raise LayoutError("%s: %s does not fit a row of direct.inc" % (version, name))
        rules.add((name, basicsize, heap, visits_type, tuple(sorted(offsets))))
    return rules, {tuple(t) for t in answer["types"]}


def load_direct(path):
    """{minor bit: {rule}} of a direct.inc."""
    rules = {bit: set() for bit in MINOR_BITS.values()}
    if os.path.exists(path):
        with open(path) as f:
            text = f.read()
        row = r'^{ "([^"]+)", (\d+), (0x\w+), (\d), (\d), (0x\w+) },$'
        for name, size, minors, heap, visits, words in re.findall(row, text, re.M):
            words = int(words, 16)
            offsets = tuple(8 * i for i in range(64) if words >> i & 1)
            for bit in rules:
                if int(minors, 16) & bit:
                    rules[bit].add((name, int(size), bool(int(heap)), bool(int(visits)), offsets))
    return rules


def list_of_tables():
    """The text of tables.inc."""
    lines = ["/* Generated by generate.py, not to be edited. Oldest first. */"]
    for version in tables():
        lines += ["{", '#include "%s"' % table_name(version), "},"]
    return "\n".join(lines) + "\n"


def direct_table(rules):
    """The text of direct.inc."""
    minors = {}
    for bit, found in rules.items():
        for rule in found:
            minors[rule] = minors.get(rule, 0) | bit
    lines = [
        "/* Generated by generate.py, not to be edited. Found by experiment (read_direct.py) in",
        " * CPython %s." % ", ".join(VERSIONS),
        " * { tp_name, tp_basicsize, minor versions, heap type, visits its type, words } */",
    ]
    for rule in sorted(minors):
        name, basicsize, heap, visits_type, offsets = rule
        lines.append('{ "%s", %d, 0x%03x, %d, %d, 0x%x },' % (
            name, basicsize, minors[rule], heap, visits_type, sum(1 << o // 8 for o in offsets)))
    return "\n".join(lines) + "\n"


class Tables:
    """The generated files in one folder, and what was regenerated."""

    def __init__(self, folder):
        self.folder = folder
        self.values = {}  # version -> values
        self.rules = load_direct(self.path("direct.inc"))

    def path(self, name):
        return os.path.join(self.folder, name)

    def generate(self, version):
        """{file name: text} of one interpreter; its rules apart."""
        installed = interpreter(version)
        values, hexversion = read(installed, version)
        self.values[version] = values
        texts = {table_name(version): table(version, values, hexversion)}
        for later, (base, later_hex) in DRIFTS.items():
            if base == version:
                self.values[later] = drifted(values, later)
                texts[table_name(later)] = table(later, self.values[later], later_hex)
        return texts, read_direct(installed, version)

    def write(self, version):
        texts, (rules, _) = self.generate(version)
        self.rules[MINOR_BITS[int(version.split(".")[1])]] = rules
        texts["direct.inc"] = direct_table(self.rules)
        texts["tables.inc"] = list_of_tables()
        for name, text in texts.items():
            with open(self.path(name), "w") as f:
                f.write(text)
        print("%s: written: %s" % (version, ", ".join(sorted(texts))))

    def check(self, version):
        """True when what is committed is what this interpreter gives."""
        texts, (rules, types) = self.generate(version)
        difference = []
        for name, text in texts.items():
            with open(self.path(name)) as f:
                committed = f.read()
            difference += difflib.unified_diff(committed.splitlines(True), text.splitlines(True),
                                               "committed " + name, "regenerated " + name, n=0)
        committed = self.rules[MINOR_BITS[int(version.split(".")[1])]]
        # A build may lack an optional module (sqlite3, curses): its types are not a difference.
        unseen = {rule for rule in committed - rules if rule[:2] not in types}
        for sign, extra in (("-", committed - rules - unseen), ("+", rules - committed)):
            difference += ["%s direct.inc %s\n" % (sign, rule) for rule in sorted(extra)]
        print("%s: checked, %s" % (version, "DIFFERENT:" if difference else "the same"))
        sys.stdout.writelines("    " + line for line in difference)
        if unseen:
            print("    not in this build: " + ", ".join(sorted(rule[0] for rule in unseen)))
        return not difference

    def unused(self):
        """Alternatives of fields.def that no version has: misspelt, most likely."""
        used = {row[3] for values in self.values.values() for row in choose(values)}
        return sorted({s for _, alternatives in members() for s in alternatives} - used)

    def print_matrix(self):
        columns = [choose(values) for values in self.values.values()]
        print("%-34s" % "" + "".join("%9s" % version for version in self.values))
        for rows in zip(*columns):
            cells = ["-" if row[1] is None else str(row[1]) for row in rows]
            print("%-34s" % rows[0][0] + "".join("%9s" % cell for cell in cells))


def main():
    parser = argparse.ArgumentParser(description=__doc__, usage=argparse.SUPPRESS,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("versions", nargs="*", help="as 3.12 or 3.12.1; default: all")
    parser.add_argument("--folder", default=HERE, help="of the generated files; default: this one")
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--write", action="store_true")
    mode.add_argument("--check", action="store_true")
    mode.add_argument("--matrix", action="store_true")
    mode.add_argument("--drift", nargs=2, metavar=("OLD", "NEW"))
    arguments = parser.parse_args()
    if arguments.drift:
        print_drift(*arguments.drift)
        return 0
    chosen = [v for v in VERSIONS if not arguments.versions
              or v in arguments.versions or minor(v) in arguments.versions]
    if not chosen:
        raise LayoutError("no table is read from %s" % " ".join(arguments.versions))
    tables = Tables(arguments.folder)
    good = True
    for version in chosen:
        if not interpreter(version):
            print("%s: no such interpreter here, not %s"
                  % (version, "written" if arguments.write else "checked"))
        elif arguments.write:
            tables.write(version)
        elif arguments.check:
            good = tables.check(version) and good
        else:
            tables.generate(version)
    if arguments.matrix:
        tables.print_matrix()
    if set(VERSIONS) <= set(tables.values):
        for spec in tables.unused():
            print("fields.def: no version has %s" % spec)
            good = False
    return 0 if good else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (LayoutError, read_headers.HeaderError, read_debuginfo.DebugInfoError) as error:
        sys.exit("generate.py: %s" % error)
