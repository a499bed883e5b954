"""Offsets from the debug information of an interpreter's binaries, by gdb.

Imported by generate.py, and run by gdb itself (`gdb -batch -nx -x`) for the part
that looks the types up."""

import json
import os
import subprocess
import tempfile


class DebugInfoError(Exception):
    pass


def _field_offset(kind, names):
    """The offset of a.b.c in a structure, members of anonymous ones included."""
    for field in kind.fields():
        if not hasattr(field, "bitpos"):
            continue
        inner = field.type.strip_typedefs()
        if field.name == names[0]:
            if len(names) == 1:
                return field.bitpos // 8
            rest = _field_offset(inner, names[1:]) if _is_compound(inner) else None
        elif not field.name and _is_compound(inner):
            rest = _field_offset(inner, names)
        else:
            continue
        if rest is not None:
            return field.bitpos // 8 + rest
    return None


def _is_compound(kind):
    return kind.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION)


def _look_up(name):
    """Every complete structure of that name: the tag's and the typedef's."""
    for form in (name,) if name.startswith("struct ") else ("struct " + name, name):
        try:
            kind = gdb.lookup_type(form).strip_typedefs()
        except gdb.error:
            continue
        if _is_compound(kind) and kind.fields():
            yield kind


def _inside_gdb(binaries, specs):
    gdb.execute("set confirm off")
    answer = {}
    for binary in binaries:
        gdb.execute("file " + binary, to_string=True)
        kinds = {s.split(".")[0]: None for s in specs}
        for name in kinds:
            kinds[name] = list(_look_up(name))
        for spec in specs:
            name, _, path = spec.partition(".")
            for kind in kinds[name]:
                value = _field_offset(kind, path.split(".")) if path else kind.sizeof
                where = answer.setdefault(spec, {}).setdefault(json.dumps(value), [])
                where.append(os.path.basename(binary))
    return answer


def read(binaries, specs):
    """Returns {spec: value or None}: None where the structure is known and has no
    such field; a spec whose structure no binary knows is left out. Fails where two
    binaries disagree: then the spec names two different structures."""
    with tempfile.TemporaryDirectory() as scratch:
        question = os.path.join(scratch, "question.json")
        reply = os.path.join(scratch, "reply.json")
        with open(question, "w") as f:
            json.dump({"binaries": binaries, "specs": sorted(specs), "reply": reply}, f)
        done = subprocess.run(["gdb", "-batch", "-nx", "-x", os.path.abspath(__file__)],
                              env=dict(os.environ, RME_LAYOUT_QUESTION=question,
                                       DEBUGINFOD_URLS=""),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, universal_newlines=True)
        if not os.path.exists(reply):
            raise DebugInfoError("gdb gave no answer: " + done.stdout[-2000:])
        with open(reply) as f:
            found = json.load(f)
    values = {}
    for spec, by_value in found.items():
        if len(by_value) > 1:
            raise DebugInfoError("%s is not one structure: %s" % (spec, by_value))
        values[spec] = json.loads(next(iter(by_value)))
    return values


if __name__ == "__main__":
    import gdb

    with open(os.environ["RME_LAYOUT_QUESTION"]) as stream:
        _question = json.load(stream)
    _answer = _inside_gdb(_question["binaries"], _question["specs"])
    with open(_question["reply"], "w") as stream:
        json.dump(_answer, stream)
