"""Is a reply what the contract says (helper/contract/contract.def)? Every reply that a test
gets is asked this. Runs on Python 3.6 and later."""

import importlib.util
import os
import sys

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def _load_generator():
    path = os.path.join(_ROOT, "helper", "contract", "generate.py")
    spec = importlib.util.spec_from_file_location("contract_generate", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


GENERATE = _load_generator()
CONTRACT = GENERATE.read()

# Read once: a test may measure the heap that this module is in.
_QUESTIONS = {value: name[len("QUERY_"):].lower()
              for enum, values in GENERATE.numbers(GENERATE.HEADER.read_text(encoding="utf-8"))
              if enum == "query" for name, value in values}

# What the plugin adds to a reply for --json.
PLUGIN_KEYS = ("command", "python", "target", "process")


def faults(reply, name):
    """Sentences about what in the reply to that question is not as the contract says."""
    if "error" in reply:
        shapes, kinds = CONTRACT.shapes, CONTRACT.errors
        error = reply["error"]
        found = _of_shape(error, shapes["error"], "error")
        if not found and error["kind"] not in kinds:
            found.append("error: %s is no kind of contract.def" % error["kind"])
        return found
    found = _best(_of_shape(reply, shape, name) for shape in variants(name))
    for caveat in reply.get("caveats", ()) if not found else ():
        if caveat["kind"] not in CONTRACT.caveats:
            found.append("caveats: %s is no kind of contract.def" % caveat["kind"])
    return found


def check(reply, name):
    """The reply, if it is as the contract says."""
    found = faults(reply, name)
    assert not found, "; ".join(found[:5])
    return reply


def check_command(document):
    """What a command printed with --json."""
    by_command = {shape.about: name for name, shape in CONTRACT.replies.items()
                  if ":" not in name}
    name = by_command.get(document.get("command"))
    if name or "error" in document:
        check({key: value for key, value in document.items() if key not in PLUGIN_KEYS}, name)
    return document


def question(number):
    """The contract's name of a question, from enum rme_query."""
    return _QUESTIONS.get(number)


def variants(name):
    return [shape for shape in CONTRACT.replies.values() if shape.name.split(":")[0] == name]


def _best(alternatives):
    """What speaks against the alternative that fits best."""
    best = None
    for found in alternatives:
        if best is None or len(found) < len(best):
            best = found
    return best


def _of_shape(value, shape, where):
    found = []
    for key in shape.keys.values():
        if key.name in value:
            found += _of_type(value[key.name], key.type, "%s.%s" % (where, key.name))
        elif not key.optional:
            found.append("%s has no %s, which the contract promises" % (where, key.name))
    return found + ["contract.def has no key %s for %s (shape %s)" % (name, where, shape.name)
                    for name in value if name not in shape.keys]


def _of_type(value, kind, where):
    return _best(_of_one(value, one, where) for one in kind)


def _of_one(value, one, where):
    if isinstance(one, tuple):
        if not isinstance(value, list):
            return ["%s is no list" % where]
        return [fault for i, item in enumerate(value)
                for fault in _of_type(item, one, "%s[%d]" % (where, i))]
    if one in CONTRACT.shapes:
        if not isinstance(value, dict):
            return ["%s is no object" % where]
        return _of_shape(value, CONTRACT.shapes[one], where)
    fits = {"int": type(value) is int, "count": type(value) is int and value >= 0,
            "text": isinstance(value, str), "bool": isinstance(value, bool),
            "null": value is None, '"%s"' % value: isinstance(value, str),
            "address": isinstance(value, str) and value.startswith("0x")}
    return [] if fits.get(one) else ["%s is not %s but %r" % (where, one, value)]


_MANY = 18  # so many that a long path is shortened


class Recorded(dict):
    """A part of an example. Notes what is read of it: the key, and the shape that it is of."""

    def __init__(self, shape, reads, values):
        dict.__init__(self, values)
        self.shape = shape
        self._reads = reads

    def _note(self, key):
        if key in self.shape.keys:
            self._reads.add((self.shape.keys[key].home, key))

    def __getitem__(self, key):
        self._note(key)
        return dict.__getitem__(self, key)

    def get(self, key, default=None):
        self._note(key)
        return dict.get(self, key, default)


def example(name, reads, pick):
    """A reply with every key that it may have; of alternatives, number `pick` or the last.
    What is read of it is added to `reads`."""
    return _example(CONTRACT.replies[name], reads, pick, ())


def _example(shape, reads, pick, way):
    return Recorded(shape, reads, {
        key.name: _value(key.type, reads, pick, way + (key.name,))
        for key in shape.keys.values()})


def _value(kind, reads, pick, way):
    one = kind[min(pick, len(kind) - 1)]
    if isinstance(one, tuple):
        if way.count(way[-1]) > 1:  # children of children
            return []
        return [_value(one, reads, pick, way) for _ in range(_MANY)]
    if one in CONTRACT.shapes:
        return _example(CONTRACT.shapes[one], reads, pick, way)
    return {"int": 3, "count": 7, "text": "text", "bool": True, "null": None,
            "address": "0x10"}.get(one, one.strip('"'))
