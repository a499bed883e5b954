"""Code of a type that never returns, ends the process, or makes system calls: it costs its objects,
not the answer, and neither the process nor the image."""

import pytest

import matrix
import session

PYTHON = list(matrix.interpreters().values())[0]
KINDS = {"loop": "slow", "recurse": "fault", "exit": "system-call", "kill": "system-call",
         "unmap": "system-call"}


@pytest.mark.parametrize("kind", KINDS)
def test_wild_code(run_target, debugger, kind):
    target = run_target(PYTHON, "wild.py", kind)
    asked = ["py-memory --frame 1 tame --json", "py-memory --frame 1 wild tame --json",
             "py-why --frame 1 tame --json", "py-summary --json", "py-types --json"]
    answers = session.run(debugger, asked + asked[1:2] + [{"detach": 1}], attach=target.pid,
                          timeout=300)
    assert answers[0].reply["objects"] == 2 and not answers[0].reply["caveats"]
    for answer in answers[1:2] + answers[5:6]:
        found = [(caveat["kind"], caveat["count"]) for caveat in answer.reply["caveats"]
                 if caveat["type"] == "__main__.Wild"]
        assert found == [(KINDS[kind], 2)], answer.reply["caveats"]
        assert answer.reply["objects"] == 3  # the lists and the float
    assert answers[2].reply["paths"]
    # It was there all the time
    assert [answer.reply["graph"] for answer in answers[2:4]] == ["built", "kept"]
    assert target.finish() == {"done": 3}
