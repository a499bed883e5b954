#!/usr/bin/env python3
"""Writes, from contract.def and include/rememberme.h, what others read of the contract; with
--check only tells what differs from what is there. Knows no question."""

import collections
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
HEADER = HERE.parent / "include" / "rememberme.h"
BY = "by helper/contract/generate.py (./dev contract)"

Key = collections.namedtuple("Key", "name type optional unseen about home")  # home: its shape
Shape = collections.namedtuple("Shape", "name about keys")  # keys: by name, in order

SIMPLE = ("count", "int", "text", "address", "bool", "null")
SIZES = {"uint32_t": "I", "int32_t": "i", "uint64_t": "Q"}


class Contract:
    """contract.def: kinds by name with what they mean, and shapes of replies by name."""

    def __init__(self, text):
        self.errors, self.caveats = collections.OrderedDict(), collections.OrderedDict()
        self.shapes, self.replies = collections.OrderedDict(), collections.OrderedDict()
        shape = None
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            try:
                shape = self._line(line, shape)
            except (ValueError, KeyError) as error:
                raise SystemExit("contract.def:%d: %s: %s" % (number, line.strip(), error))
        for shape in list(self.shapes.values()) + list(self.replies.values()):
            for key in shape.keys.values():
                self._names_of(key.type, "%s.%s" % (shape.name, key.name))

    def _line(self, line, shape):
        """The shape that the next line may belong to."""
        if line.startswith("  "):
            if line.strip().startswith("+"):
                shape.keys.update(self.shapes[line.strip()[1:]].keys)
                return shape
            name, kind, about = (line.split(None, 2) + [""])[:3]
            key = Key(name.rstrip("?"), parse_type(kind), name.endswith("?"),
                      about.endswith("(--json)"), about.replace("(--json)", "").strip(), shape.name)
            if key.name in shape.keys:
                raise ValueError("the key stands here twice")
            shape.keys[key.name] = key
            return shape
        word, name, about = (line.split(None, 2) + [""])[:3]
        if word in ("error", "caveat"):
            kinds = self.errors if word == "error" else self.caveats
            if name in kinds or not re.match(r"[a-z]+(-[a-z]+)*$", name):
                raise ValueError("no new word with dashes")
            kinds[name] = about
            return None
        shapes = {"shape": self.shapes, "reply": self.replies}[word]
        if name in shapes:
            raise ValueError("that name stands here twice")
        shapes[name] = Shape(name, about, collections.OrderedDict())
        return shapes[name]

    def _names_of(self, kind, where):
        for one in kind:
            if isinstance(one, tuple):
                self._names_of(one, where)
            elif one not in SIMPLE and not one.startswith('"') and one not in self.shapes:
                raise SystemExit("contract.def: %s: there is no shape %s" % (where, one))


def parse_type(text):
    """A tuple of alternatives; a list is a tuple within it."""
    found, rest = [], text
    while rest:
        match = re.match(r'("[^"]*"|\w+|\[(?:"[^"]*"|[\w|])+\])(\||$)', rest)
        if not match:
            raise ValueError("no type: " + text)
        one = match.group(1)
        found.append(parse_type(one[1:-1]) if one.startswith("[") else one)
        rest = rest[match.end():]
    return tuple(found)


def type_text(kind):
    return "|".join("[%s]" % type_text(one) if isinstance(one, tuple) else one for one in kind)


def read():
    return Contract((HERE / "contract.def").read_text(encoding="utf-8"))


def without_comments(text):
    return re.sub(r"/\*.*?\*/", "", text, flags=re.S)


def numbers(header):
    """(enum's name, [(name, value)]) of rememberme.h; the macros stand under None."""
    text = without_comments(header)
    macros = re.findall(r"^#define RME_(\w+)\s+(0x[0-9a-f]+|\d+)u?\s*$", text, re.M)
    yield None, [(name, int(value, 0)) for name, value in macros]
    for enum, body in re.findall(r"^enum rme_(\w+) \{(.*?)^\};", text, re.M | re.S):
        values = []
        for name, value in re.findall(r"RME_(\w+) = ([^,\n]+)", body):
            one, _, shift = value.replace("u", "").partition("<<")
            values.append((name, int(one, 0) << int(shift or 0)))
        yield enum, values


def structures(header):
    """(name, [(member, format)]) of rememberme.h."""
    known = {}
    for name, body in re.findall(r"^struct rme_(\w+) \{(.*?)^\};", without_comments(header),
                                 re.M | re.S):
        members = []
        for kind, member in re.findall(r"^\s*((?:struct )?\w+) (\w+);", body, re.M):
            members.append((member, SIZES[kind] if kind in SIZES else
                            "".join(part for _, part in known[kind.replace("struct rme_", "")])))
        known[name] = members
        yield name, members


def c_kinds(contract):
    """Lists to be expanded, since the helper can hold no table of pointers."""
    lines = ["/* Kinds of errors and caveats, from contract.def", " * %s. */" % BY,
             "/* clang-format off */", "#ifndef REMEMBERME_KINDS_H", "#define REMEMBERME_KINDS_H", ""]
    for word, kinds in (("ERROR", contract.errors), ("CAVEAT", contract.caveats)):
        rows = ["KIND(%s, \"%s\")" % (kind.upper().replace("-", "_"), kind) for kind in kinds]
        lines += ["#define RME_%s_KINDS(KIND) \\" % word]
        lines += ["\t%s \\" % row for row in rows[:-1]] + ["\t" + rows[-1], ""]
    lines += ["#define KIND(name, word) RME_ERROR_##name,",
              "enum rme_error_kind { RME_NO_ERROR, RME_ERROR_KINDS(KIND) };", "#undef KIND", "",
              "#define KIND(name, word) RME_CAVEAT_##name,",
              "enum rme_caveat_kind { RME_CAVEAT_KINDS(KIND) };", "#undef KIND", "", "#endif"]
    return "\n".join(lines) + "\n"


def python_module(contract, header):
    lines = ['"""The contract in numbers, structures and words: rememberme.h and contract.def,',
             BY + '."""', "", "from .structure import Structure"]
    for enum, values in numbers(header):
        lines += ["", "# enum rme_%s" % enum] if enum else [""]
        lines += ["%s = %s" % (name, hex(value) if value > 0xffff else value)
                  for name, value in values]
    for name, members in structures(header):
        lines += ["", '%s = Structure("%s", (' % (name.upper(), name)]
        lines += ['    ("%s", "%s"),' % member for member in members] + ["))"]
    for name, kinds in (("ERROR_KINDS", contract.errors), ("CAVEAT_KINDS", contract.caveats)):
        lines += ["", "%s = (" % name] + ['    "%s",' % kind for kind in kinds] + [")"]
    return "\n".join(lines) + "\n"


def document(contract):
    lines = ["# Replies", "",
             "Written %s from contract.def, whose head tells how a type is read. What every" % BY,
             "reply holds stands under *base*; a key with a question mark may not be there."]
    for title, kinds in (("Kinds of errors", contract.errors),
                         ("Kinds of caveats", contract.caveats)):
        lines += ["", "## " + title, "", "| | |", "|---|---|"]
        lines += ["| `%s` | %s |" % row for row in kinds.items()]
    for title, shapes in (("Replies", contract.replies), ("Shapes", contract.shapes)):
        lines += ["", "## " + title]
        for shape in shapes.values():
            lines += ["", "### %s" % shape.name, "", shape.about or "…", "",
                      "| key | type | |", "|---|---|---|"]
            lines += ["| `%s%s` | `%s` | %s |" % (
                key.name, "?" if key.optional else "", type_text(key.type).replace("|", "\\|"),
                key.about) for key in shape.keys.values()]
    return "\n".join(lines) + "\n"


def outputs():
    contract, header = read(), HEADER.read_text(encoding="utf-8")
    return {HEADER.parent / "rememberme_kinds.h": c_kinds(contract),
            HERE.parent / "python" / "rememberme" / "contract.py": python_module(contract, header),
            HERE / "REPLIES.md": document(contract)}


def main(words):
    stale = []
    for path, text in outputs().items():
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(path.name)
        if "--check" not in words:
            path.write_text(text, encoding="utf-8")
    if "--check" in words and stale:
        raise SystemExit("not as the contract says: %s; run ./dev contract" % ", ".join(stale))


if __name__ == "__main__":
    main(sys.argv[1:])
