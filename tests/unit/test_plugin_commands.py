"""Commands above a debugger that is not there: options, errors, JSON, completion."""

import contextlib
import json

import pytest

from rememberme import adapter, commands, image, request
from rememberme.errors import Failure
from rememberme.reply import decode
from rememberme.settings import Settings

REPLY = {"python": "3.12.1", "items": [], "size": 0, "objects": 0, "caveats": []}


class Nothing(adapter.Adapter):
    """No debuggee."""

    def target(self):
        return adapter.Target(adapter.NONE)

    def width(self):
        return None

    def is_terminal(self):
        return False


class Live(Nothing):
    """A live process with two threads, of which the second is selected; remembers what
    it was asked."""

    def __init__(self):
        self.selected = 2
        self.depth = 3

    def target(self):
        return adapter.Target(adapter.LIVE, pid=77, local=True)

    def threads(self):
        return [adapter.Thread(1, 77, 0x1000, 0), adapter.Thread(2, 78, 0x2000, 0)]

    def selected_thread(self):
        return self.threads()[self.selected - 1]

    @contextlib.contextmanager
    def thread_selected(self, number):
        if number not in (1, 2):
            raise Failure("no-such-thread", "There is no thread %d." % number)
        self.selected, former = number, self.selected
        self.depth = 0
        yield
        self.selected = former

    def eval_depth(self):
        return self.depth

    def evaluate(self, text):
        return len(text)


@pytest.fixture
def asked(monkeypatch):
    """The requests that would have been injected; the settings are fresh."""
    requests = []

    def answer(_adapter, _settings, _target, question):
        requests.append(question)
        return dict(REPLY, names=["cache", "config", "_"])

    monkeypatch.setattr(image, "answer", answer)
    monkeypatch.setattr(commands, "SETTINGS", Settings())
    return requests


def failed(outcome):
    assert outcome.failed
    return json.loads(outcome.output)["error"] if outcome.error is None else outcome.error


@pytest.mark.parametrize("name", [name for name in commands.COMMANDS if name != "py-config"])
def test_no_target(name):
    outcome = commands.run(Nothing(), name, "")
    assert (outcome.output, outcome.failed) == ("", True)
    assert outcome.error.startswith("There is no process and no core")
    document = json.loads(commands.run(Nothing(), name, "--json").output)
    assert document["command"] == name and document["error"]["kind"] == "no-target"


@pytest.mark.parametrize("name", list(commands.COMMANDS))
def test_help(name):
    outcome = commands.run(Nothing(), name, "--help")
    assert outcome.output == commands.COMMANDS[name].help + "\n" and not outcome.failed
    assert "\nExample:\n  " in outcome.output and "Usage: " + name in outcome.output
    assert max(map(len, outcome.output.split("\n"))) <= 79


def test_the_request_of_a_plain_question(asked):
    commands.run(Live(), "py-memory", "a b.c")
    question, = asked
    assert (question.query, question.flags, question.limit, question.depth) == (
        request.MEMORY, 0, 10, 3)
    assert (question.frame, question.eval_depth) == (request.SELECTED_FRAME, 3)
    assert question.thread == (2, 78, 0x2000, 0) and list(question.threads) == [question.thread]
    assert [expr.text for expr in question.exprs] == ["a", "b.c"]


def test_options_reach_the_request(asked):
    live = Live()
    for line in ("references traverse", "classes off", "depth 7"):
        assert not commands.run(live, "py-config", line).failed
    commands.run(live, "py-mem-print", "--thread 1 --frame 4 x --limit=0")
    question, = asked
    assert question.flags == request.TRAVERSE_ONLY | request.NO_CLASSES
    assert (question.frame, question.limit, question.depth) == (4, 0, 7)
    assert question.thread.number == 1
    assert live.selected == 2


def test_the_selected_c_frame_matters_only_to_names(asked, monkeypatch):
    def no_symbols(_):
        raise Failure("no-symbols", "No symbols.")

    monkeypatch.setattr(Live, "eval_depth", no_symbols)
    assert failed(commands.run(Live(), "py-memory", "a")) == "No symbols."
    for name, line in (("py-memory", "m:a 0x10"), ("py-frames", ""), ("py-memory", "--frame 0 a"),
                       ("py-top", "--all-threads")):
        assert not commands.run(Live(), name, line).failed
    assert [question.eval_depth for question in asked] == [0] * 4


def test_all_threads(asked):
    commands.run(Live(), "py-top", "--all-threads")
    question, = asked
    assert question.flags == request.ALL_THREADS
    assert [thread.number for thread in question.threads] == [1, 2]


def test_json_names_command_and_target(asked):
    document = json.loads(commands.run(Live(), "py-memory", "--json").output)
    assert list(document)[:3] == ["command", "python", "target"]
    assert document["command"] == "py-memory" and document["python"] == "3.12.1"
    assert document["target"] == {"kind": "live", "pid": 77, "thread": 2}
    document = json.loads(commands.run(Live(), "py-memory", "--json --all-threads").output)
    assert document["target"]["thread"] is None


@pytest.mark.parametrize("name, line, part", [
    ("py-memory", "a[x]", "character 3"),
    ("py-memory", "--what", "no option `--what`"),
    ("py-memory", "--depth 3", "no option `--depth`"),
    ("py-top", "a b", "takes one EXPR"),
    ("py-frames", "a", "takes no `a`"),
    ("py-frames", "--thread 9", "no thread 9"),
    ("py-memory", "--all-threads a", "goes without EXPR"),
    ("py-memory", "--all-threads --frame 1", "goes without EXPR"),
    ("py-config", "nope", "no setting `nope`"),
    ("py-config", "classes maybe", "on or off"),
    ("py-config", "limit -1", "no option `-1`"),
    ("py-config", "limit 99999999999", "number from 0"),
    ("py-config", "binaries /no/such/folder", "no folder /no/such/folder"),
    ("py-config", "a b c", "a name and a value"),
])
def test_one_sentence_for_each_mistake(asked, name, line, part):
    outcome = commands.run(Live(), name, line)
    assert part in failed(outcome) and outcome.output == ""
    assert failed(commands.run(Live(), name, line + " --json"))["message"] == outcome.error
    assert not asked


def test_a_bug_is_one_sentence_too(asked, monkeypatch):
    monkeypatch.setattr(Live, "eval_depth", lambda self: 1 // 0)
    assert "ZeroDivisionError" in failed(commands.run(Live(), "py-top", ""))


EVIL = "\x1b[31mred\x07\nNote: forged\u202e\ud800"


@pytest.mark.parametrize("error", [Failure("x", EVIL), ValueError(EVIL)])
def test_an_error_goes_out_escaped(monkeypatch, error):
    def answer(*_):
        raise error

    monkeypatch.setattr(image, "answer", answer)
    sentence = commands.run(Live(), "py-top", "").error
    assert sentence.isprintable() and r"\x1b[31mred\x07\nNote: forged\u202e\ud800" in sentence
    document = commands.run(Live(), "py-top", "--json").output
    assert document[:-1].isprintable() and EVIL in json.loads(document)["error"]["message"]


def test_a_name_that_cannot_be_typed_is_not_offered(monkeypatch):
    monkeypatch.setattr(image, "answer", lambda *_: dict(REPLY, names=["a", "a" + EVIL, "größe"]))
    assert commands.complete(Live(), "py-top", "") == (0, ["a", "größe"])


@pytest.mark.parametrize("reply", [
    b"[" + b",".join([b"{}"] * 5000000) + b"]", b"[" * 30000000, b'{"a":"' + b"x" * 300000000],
    ids=["objects", "lists", "text"])
def test_a_reply_that_would_take_gigabytes_is_not_decoded(reply):
    with pytest.raises(Failure) as caught:
        decode(reply)
    assert caught.value.kind == "too-large" and "--limit" in caught.value.message


def test_a_deep_reply_is_no_crash():
    with pytest.raises(Failure) as caught:
        decode(b'{"tree":' + b"[" * 1000000)
    assert caught.value.kind in ("too-deep", "bad-reply")


@pytest.mark.parametrize("name, line", [
    (name, line) for name in commands.COMMANDS if name != "py-config"
    for line in ("", "a") if not (line and name in ("py-frames", "py-summary", "py-native"))
    if line or name not in ("py-why", "py-referrers")])
@pytest.mark.parametrize("reply", [
    {}, {"items": 1}, {"items": [{}]}, {"items": [None]}, {"items": {"a": 1}},
    {"items": [{"size": "x", "objects": None, "expr": [], "type": {}, "address": 1}]},
    {"caveats": 3}, {"caveats": [1]}, {"tree": [1]}, {"paths": [1], "type": 1}])
def test_a_forged_reply_is_one_sentence(monkeypatch, name, line, reply):
    monkeypatch.setattr(image, "answer", lambda *_: json.loads(json.dumps(reply)))
    outcome = commands.run(Live(), name, line)
    assert outcome.output or "not one that the helper writes" in outcome.error
    assert "bug of its own" not in (outcome.error or "")


@pytest.mark.parametrize("reply", [
    b'{"error":1}', b'{"error":{"message":1}}', b'{"error":{},"undump":1}', b'{"error":[]}',
    b'{"error":{"kind":{},"message":"m"},"undump":{"caveats":[{}]}}', b"[]", b"nul", b""])
def test_a_forged_error_is_a_failure(reply):
    with pytest.raises(Failure):
        decode(reply)


def test_ctrl_c_is_an_ordinary_end(monkeypatch):
    def answer(*_):
        raise KeyboardInterrupt()

    monkeypatch.setattr(image, "answer", answer)
    assert failed(commands.run(Live(), "py-top", "")) == "Interrupted; the debuggee is as it was."
    assert failed(commands.run(Live(), "py-top", "--json"))["kind"] == "cancelled"


def test_config_shows_and_sets(asked):
    live = Live()
    assert commands.run(live, "py-config", "limit").output == "limit is 10.\n"
    assert commands.run(live, "py-config", "limit 25").output == "limit is 25.\n"
    assert commands.run(live, "py-config", 'binaries "/usr"').output == "binaries is /usr.\n"
    shown = json.loads(commands.run(live, "py-config", "--json").output)["settings"]
    assert shown == {"inject": "auto", "classes": "on", "references": "owned", "watchdog": 1,
                     "limit": 25, "tree": "drawing", "depth": 3, "binaries": "/usr"}
    assert commands.run(live, "py-config", 'binaries ""').output == "binaries is not set.\n"
    assert "limit       25       N" in commands.run(live, "py-config", "").output


@pytest.mark.parametrize("name, text, start, words", [
    ("py-memory", "", 0, ["cache", "config", "_"]),
    ("py-memory", "ca", 0, ["cache"]),
    ("py-memory", "cache co", 6, ["config"]),
    ("py-memory", "--fr", 0, ["--frame"]),
    ("py-memory", "cache --al", 6, ["--all-threads", "--allocated"]),
    ("py-memory", "--frame ", 8, []),
    ("py-memory", "cache.", 0, []),
    ("py-memory", 'cache["', 0, []),
    ("py-frames", "", 0, []),
    ("py-config", "", 0, ["inject", "classes", "references", "watchdog", "limit", "tree", "depth",
                           "binaries"]),
    ("py-config", "re", 0, ["references"]),
    ("py-config", "references t", 11, ["traverse"]),
    ("py-config", "limit ", 6, []),
])
def test_completion(asked, name, text, start, words):
    assert commands.complete(Live(), name, text) == (start, words)


def test_completion_takes_the_frame_that_is_named(asked):
    commands.complete(Live(), "py-memory", "--frame 2 --thread 1 ca")
    assert (asked[0].query, asked[0].frame, asked[0].thread.number) == (request.NAMES, 2, 1)


@pytest.mark.parametrize("error", [Failure("x", "y"), KeyboardInterrupt(), ZeroDivisionError()])
def test_completion_is_silent(monkeypatch, capfd, error):
    def answer(*_):
        raise error

    monkeypatch.setattr(image, "answer", answer)
    assert commands.complete(Live(), "py-memory", "ca") == (2, [])
    assert capfd.readouterr() == ("", "")


def test_top_says_where_more_is(monkeypatch):
    """The innermost frame of a program that waits has next to nothing."""
    frame = {"thread": 1, "frame": 3, "function": "serve", "file": "app.py", "line": 9,
             "size": 3 << 20, "objects": 9000, "size_without_classes": 2 << 20, "selected": False}
    replies = {request.TOP: dict(REPLY, more={"items": 0}),
               request.FRAMES: dict(REPLY, items=[
                   dict(frame, size=None, size_without_classes=None), frame,
                   dict(frame, frame=4, size=4 << 20, size_without_classes=10)])}
    queries = []

    def answer(adapter, settings, target, asked):
        queries.append((asked.query, bool(asked.flags & request.ALL_THREADS)))
        return json.loads(json.dumps(replies[asked.query]))

    monkeypatch.setattr("rememberme.session.answer", answer)
    assert commands.run(Live(), "py-top", "").output == """\
No local variables.
Note: most is in thread 1, frame 3, serve at app.py:9: 3.0MiB; py-top --thread 1 --frame 3 shows it.
"""
    assert queries == [(request.TOP, False), (request.FRAMES, True)]
    del queries[:]
    commands.run(Live(), "py-top", "--frame 0")
    replies[request.TOP]["size_without_classes"] = 20000
    commands.run(Live(), "py-top", "")
    assert queries == [(request.TOP, False)] * 2
