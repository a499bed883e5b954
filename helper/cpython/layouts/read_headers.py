"""Offsets from an interpreter's own headers: a C file with one probe per line is
compiled, and the numbers are read back from the object file. This is the only
code of the project that includes Python.h."""

import os
import re
import struct
import subprocess
import tempfile

# Internal headers that are not meant to be included by themselves: initialisers,
# other platforms, and code templates.
SKIP = re.compile(r"(_generated|_init|_fini|_windows|_data_registry)\.h$|emscripten|blocks_output_buffer")

PUBLIC = ("Python.h", "frameobject.h", "structmember.h", "datetime.h")


class HeaderError(Exception):
    pass


def _includes(folder):
    names = [n for n in PUBLIC if os.path.exists(os.path.join(folder, n))]
    for name in sorted(os.listdir(os.path.join(folder, "internal"))):
        if name.startswith("pycore_") and not SKIP.search(name):
            names.append("internal/" + name)
    return names


def _compile(source, folder, arguments):
    command = ["gcc", "-w", "-I" + folder, "-I" + os.path.join(folder, "internal"),
               "-I" + os.path.join(folder, "internal", "mimalloc")]
    done = subprocess.run(command + arguments + [source], stderr=subprocess.PIPE,
                          universal_newlines=True, env=dict(os.environ, LC_ALL="C"))
    return done.returncode, done.stderr


def _probe(spec, form):
    name, _, field = spec.partition(".")
    if form == "tag" and not name.startswith("struct "):
        name = "struct " + name
    return "offsetof(%s, %s)" % (name, field) if field else "sizeof(%s)" % name


def read(folder, specs, defines=()):
    """Returns ({spec: value}, PY_VERSION_HEX). A spec is "struct.field" (its offset)
    or "struct" (its size); the name may be a typedef or a tag ("struct name": only a tag).
    One that the headers do not have is not in the answer. `defines`: -DNAME=VALUE."""
    forms = [(spec, form) for spec in specs for form in ("tag", "typedef")]
    probes = ["PY_VERSION_HEX"] + [_probe(*f) for f in forms]
    head = "#define Py_BUILD_CORE 1\n#include <stddef.h>\n"
    head += "".join('#include "%s"\n' % n for n in _includes(folder))
    first = head.count("\n") + 1
    with tempfile.TemporaryDirectory() as scratch:
        source = os.path.join(scratch, "probe.c")
        with open(source, "w") as f:
            f.write(head)
            f.writelines("enum { probe_%d = %s };\n" % (i, p) for i, p in enumerate(probes))
        _, errors = _compile(source, folder, ["-fsyntax-only", *defines])
        wrong = set()
        for line in errors.splitlines():
            found = re.match(r"(.*?):(\d+):\d+: (?:fatal )?error: ", line)
            if not found:
                continue
            if found.group(1) != source or int(found.group(2)) < first:
                raise HeaderError("the headers in %s do not compile: %s" % (folder, line))
            wrong.add(int(found.group(2)) - first)
        good = [i for i in range(len(probes)) if i not in wrong]
        with open(source, "w") as f:
            f.write(head)
            f.write('__attribute__((section(".probe"))) const unsigned long probe[] = {\n')
            f.writelines("%s,\n" % probes[i] for i in good)
            f.write("};\n")
        binary = os.path.join(scratch, "probe.o")
        status, errors = _compile(source, folder, ["-c", "-o", binary, *defines])
        if status:
            raise HeaderError("the probes for %s do not compile: %s" % (folder, errors))
        data = os.path.join(scratch, "probe.bin")
        subprocess.run(["objcopy", "-O", "binary", "-j", ".probe", binary, data], check=True)
        with open(data, "rb") as f:
            numbers = struct.unpack("<%dQ" % len(good), f.read())
    values = {}
    for i, number in zip(good, numbers):
        if i == 0:
            continue
        spec = forms[i - 1][0]
        if values.setdefault(spec, number) != number:
            raise HeaderError("%s is a tag and a typedef of different structures" % spec)
    if not good or good[0] != 0:
        raise HeaderError("no PY_VERSION_HEX in %s" % folder)
    return values, numbers[0]
