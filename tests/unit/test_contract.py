"""The contract of questions and replies is said once: what is written from it is as it says,
and whoever drifts from it is found."""

import re

import pytest

import matrix
import replies
from rememberme import arguments, commands, contract
from rememberme.table import Look

CONTRACT = replies.CONTRACT
HELPER = matrix.ROOT / "helper"


def test_what_is_generated_is_as_the_contract_says():
    for path, text in replies.GENERATE.outputs().items():
        assert path.read_text(encoding="utf-8") == text, "./dev contract has not been run"


def test_a_change_of_the_header_is_seen(tmp_path):
    generate = replies.GENERATE
    header = generate.HEADER.read_text(encoding="utf-8")
    before = generate.python_module(CONTRACT, header)
    assert generate.python_module(CONTRACT, header.replace("RME_DIED = 3", "RME_DIED = 9")) != before
    assert generate.python_module(CONTRACT, header.replace("uint32_t depth;", "uint64_t depth;")) != before


@pytest.mark.parametrize("line, complaint", [
    ("reply memory again", "stands here twice"),
    ("error Not-A-Word x", "no new word"),
    ("shape a b\n  key what?! x", "no type"),
    ("shape a b\n  key nothing x", "no shape nothing"),
])
def test_a_fault_in_the_contract_is_told(line, complaint):
    text = (HELPER / "contract" / "contract.def").read_text(encoding="utf-8")
    with pytest.raises(SystemExit, match=complaint):
        replies.GENERATE.Contract(text + line + "\n")


GOOD = {"items": [], "more": {"items": 0}, "size": 0, "objects": 0, "size_without_classes": 0,
        "mapped": {"files": {"objects": 0, "bytes": 0}, "anonymous": {"objects": 0, "bytes": 0}},
        "references": "owned", "classes": "on", "caveats": []}


@pytest.mark.parametrize("change, complaint", [
    ({"news": 1}, "no key news"),
    ({"size": -1}, "size is not count"),
    ({"classes": "maybe"}, "classes is not"),
    ({"more": {}}, "has no items"),
    ({"items": [{"frame": 0}]}, "has no thread"),
    ({"caveats": [{"kind": "unheard-of", "type": None, "count": 0, "address": None,
                   "message": "x"}]}, "unheard-of"),
])
def test_a_reply_that_drifts_is_told(change, complaint):
    assert replies.faults(GOOD, "frames") == []
    assert complaint in "; ".join(replies.faults(dict(GOOD, **change), "frames"))


def test_an_error_that_drifts_is_told():
    assert replies.faults({"error": {"kind": "no-target", "message": "x"}}, "top") == []
    assert replies.faults({"error": {"kind": "no-such-kind", "message": "x"}}, "top")


def test_every_question_has_its_reply():
    queries = {name[len("QUERY_"):].lower() for name in dir(contract) if name.startswith("QUERY_")}
    assert queries == {name.split(":")[0] for name in CONTRACT.replies}


def command_of(name):
    return commands.COMMANDS.get(CONTRACT.replies[name].about)


# What changes the text of a command, besides its EXPRs.
VIEWS = {"tree": ("", "--labels"), "types": ("", "--by module", "--by length")}


def render(name, reads):
    """Renders examples of the reply, which it returns; adds what was read of them."""
    examples = []
    command = command_of(name)
    for pick in range(4):
        for view in VIEWS.get(name, ("",)):
            values = arguments.parse(command.name, command.all_options(), view.split(), False)
            reply = replies.example(name, reads, pick)
            examples.append(reply)
            dict.update(reply, process={"pid": 1, "kind": "live", "python": "3.12.1",
                                        "notes": [], "memory": None})
            command.render(reply, Look(width=80), values)
    return examples


def unread(value, reads, found):
    """The keys in every part of an example that no text read, but those for scripts."""
    if isinstance(value, replies.Recorded):
        for key in value.shape.keys.values():
            if not key.unseen and (key.home, key.name) not in reads:
                found.add("%s.%s" % (key.home, key.name))
            elif not key.unseen:
                unread(dict.__getitem__(value, key.name), reads, found)
    elif isinstance(value, list):
        for part in value:
            unread(part, reads, found)


def test_texts_read_what_replies_hold():
    """What is written and read by nobody is lost without a word: rows that are cut, say."""
    reads, found = set(), set()
    examples = [part for name in CONTRACT.replies if command_of(name)
                for part in render(name, reads)]
    for example in examples:
        unread(example, reads, found)
    assert not found, "no text tells %s" % ", ".join(sorted(found))


SOURCES = [path for path in HELPER.rglob("*") if path.suffix in (".c", ".h", ".py")] + [
    matrix.ROOT / "gdb" / "rememberme_gdb.py", matrix.ROOT / "lldb" / "rememberme_lldb.py"]


def used(pattern):
    return {word.lower().replace("_", "-") for path in SOURCES
            if path.name != "rememberme_kinds.h"
            for word in re.findall(pattern, path.read_text(encoding="utf-8"))}


def test_every_kind_of_error_is_used():
    """That no other is, the C compiler says, and for Python this."""
    words = used(r'(?:Failure|Failure\.__init__|Doubt)\(\s*(?:self,\s*)?"([a-z-]+)"')
    assert words and words <= set(CONTRACT.errors)
    assert words | used(r"RME_ERROR_(\w+)") - {"kinds"} == set(CONTRACT.errors)


def test_every_kind_of_caveat_is_used():
    words = used(r'"kind": "([a-z-]+)"')
    assert words | used(r"RME_CAVEAT_(\w+)") - {"kinds"} == set(CONTRACT.caveats)
