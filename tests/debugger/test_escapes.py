"""Text from a debuggee, a core or a file's name reaches neither a terminal nor the
structure of an answer: no control character, escape sequence, line end or change of
direction goes out as it is."""

import os
import shutil

import matrix
import session
import target as targets

QUERIES = ("py-memory", "py-top", "py-mem-print --labels", "py-frames", "py-summary",
           "py-types", "py-types --by module", "py-retained", "py-dominators", "py-top --all-threads")


def harmless(answer):
    """Every line of it prints as it is."""
    for part in (answer.output, answer.error or ""):
        for line in part.split("\n"):
            assert line.isprintable(), (answer.step, line)
            assert not line.startswith("Note: forged"), (answer.step, part)
    return answer


def test_names_of_a_program(subject, interpreter, debugger, kind):
    target, options = subject(kind, interpreter, "evil_names.py")
    address = "0x%x" % target.info["address_of_thing"]
    of_thing = ["py-why " + address, "py-referrers " + address, "py-memory " + address,
                "py-mem-print %s --labels" % address, "py-retained " + address]
    wrong = ["py-memory nothing", "py-memory %s.nothing" % address, "py-top evil:nothing",
             "py-memory %s.a.b" % address, "py-memory \x1b[31mred", "py-memory a.b[\x07]",
             "py-memory $(\x1b[31m)", "py-memory evil\u202e:x", "py-frames --\u202e"]
    answers = session.run(debugger, list(QUERIES) + of_thing + wrong, **options)
    for answer in answers:
        harmless(answer)
    for answer in answers[:len(QUERIES) + len(of_thing)]:
        assert answer.error is None, answer
    for answer in answers[len(QUERIES) + len(of_thing):]:
        assert answer.error and "\n" not in answer.error, answer
    shown = "".join(answer.output for answer in answers)
    assert r"\x1b[31mred" in shown and r"\u202e" in shown and r"\n" in shown
    # scripts get the names as they are
    reply = session.run(debugger, ["py-memory %s --json" % address], **options)[0].reply
    assert "Evil\x1b[31mred" in reply["items"][0]["type"]


def test_files_that_a_core_names(interpreter, debugger, tmp_path):
    """A core without its binaries: its notes give the paths of files."""
    folder = tmp_path / "a\x1b[31mred\x07\u202e"
    folder.mkdir()
    python = str(folder / "python\x1b[2J")
    real = os.path.realpath(interpreter.path)
    shutil.copy(real, python)
    environment = {}
    if not interpreter.is_debians:
        prefix = os.path.dirname(os.path.dirname(real))
        environment = {"PYTHONHOME": prefix, "LD_LIBRARY_PATH": prefix + "/lib"}
    with targets.Target([python, matrix.TARGETS / "seed.py"], env=environment) as target:
        core = session.gcore(target.pid, tmp_path / "core")
    shutil.rmtree(folder)
    answers = session.run(debugger, ["py-memory", "py-summary", "py-top"], core=core)
    for answer in answers:
        harmless(answer)
    assert any(r"a\x1b[31mred\x07\u202e" in answer.output + (answer.error or "")
               for answer in answers), answers
