"""Whatever the locale is, also none: the plugins load, complete and answer, and write nothing
that what reads them cannot show."""

import json
import os
import shutil

import pytest

import session
import target as targets

pytestmark = pytest.mark.every_debugger

WIDE = ("C.UTF-8",)
NARROW = ("C", "POSIX", "xx_XX.UTF-8")  # the last is of a locale that is not installed
COMMANDS = ("py-memory", "py-top", "py-mem-print --frame 1 --labels kept", "py-frames", "py-summary",
            "py-types", "py-types --by module", "py-retained", "py-dominators",
            "py-why 0x%x", "py-referrers 0x%x", "py-config")


def written(debugger, locale, steps, **where):
    """The bytes that a debugger of this locale prints."""
    found = session.console_bytes(debugger, steps, env={"LC_ALL": locale}, **where)
    for trouble in (b"Traceback (most recent", b"UnicodeEncodeError", b"UnicodeDecodeError", b"bug of its own",
                    b"Could not convert", b"computing the error message"):
        assert trouble not in found, found
    return found


@pytest.mark.parametrize("locale", NARROW + WIDE)
def test_text(subject, kind, interpreter, debugger, locale):
    target, where = subject(kind, interpreter, "foreign_names.py")
    address = target.info["address"]
    steps = [command % address if "%" in command else command for command in COMMANDS]
    steps += ["help py-mem-print", "py-memory --nothing", "py-memory nothing"]
    if debugger.family == "gdb":
        steps += ["help set rememberme binaries", "set rememberme binaries /nowhere",
                  "show rememberme binaries"]
    found = written(debugger, locale, steps, **where)
    ours = found[found.index(b"Size  Objects"):]
    if locale in WIDE:
        shown = ("__main__.Größe", "größe", " → ", "[OPTION…]", "┌", "│", "↺ ", "… and ")
        text = ours.decode()
    else:
        shown = (r"__main__.Gr\xf6\xdfe", r"gr\xf6\xdfe", " -> ", "[OPTION...]", "+", "|",
                 "(cycle) ", "... and ")
        text = ours.decode("ascii")
    for part in shown + ("nothing", "--nothing"):
        assert part in text, (part, text)


@pytest.mark.parametrize("locale", NARROW + WIDE)
def test_json(subject, kind, interpreter, debugger, locale):
    target, where = subject(kind, interpreter, "foreign_names.py")
    address = "0x%x" % target.info["address"]
    steps = ["py-memory %s --json" % address, "py-mem-print %s --json --labels" % address,
             "py-why %s --json" % address, "py-memory nothing --json"]
    found = written(debugger, locale, steps, **where)
    replies = [json.loads(line) for line in found.splitlines() if line.startswith(b"{")]
    assert len(replies) == 4, found
    assert replies[0]["items"][0]["type"] == "__main__.Größe"
    assert "größe" in json.dumps(replies[2], ensure_ascii=False)
    assert replies[3]["error"]["kind"] == "no-such-name"


@pytest.mark.parametrize("locale", NARROW + WIDE)
def test_names_of_files(interpreter, debugger, locale, tmp_path):
    """Of the core and of the program that it is of."""
    folder = os.path.join(os.fsencode(tmp_path), b"caf\xe9 \xc3\xa9")
    os.mkdir(folder)
    with targets.start(interpreter, "seed.py") as target:
        core = session.gcore(target.pid, tmp_path / "core")
    odd = os.path.join(folder, b"core")
    shutil.move(core, odd)
    found = written(debugger, locale, ["py-memory --frame 1 b"], core=os.fsdecode(odd),
                    exe=interpreter.path)
    assert b"list  b" in found and b"Note" not in found, found


@pytest.mark.parametrize("locale", NARROW + WIDE)
def test_completion(shared_target, interpreter, debugger, locale):
    if debugger.family == "lldb":
        steps = ["py-memory --json --frame 1 kept"]  # it completes nothing; see README
    else:
        steps = ["complete py-mem", "complete py-memory --frame 1 k", "complete py-memory --frame 1 gr",
                 "complete py-memory --a"]
    target = shared_target(interpreter, "foreign_names.py")
    found = written(debugger, locale, steps, attach=target.pid)
    assert b"Traceback" not in found and b"Unicode" not in found, found
    if debugger.family == "gdb":
        assert b"py-memory\n" in found and b"py-memory --frame 1 kept\n" in found, found
        assert b"py-memory --allocated\n" in found
        assert ("größe".encode() in found) == (locale in WIDE)
