"""Words and options of a command line."""

import pytest

from rememberme import arguments
from rememberme.errors import Failure

OPTIONS = (arguments.FRAME, arguments.LIMIT, arguments.ALL_THREADS, arguments.JSON)


@pytest.mark.parametrize("text, words", [
    ("", []),
    ("  a   b ", ["a", "b"]),
    ('self.cache["two words"][0] --json', ['self.cache["two words"][0]', "--json"]),
    ("d['it\"s']", ["d['it\"s']"]),
    ("$(obj->field + (1)) b", ["$(obj->field + (1))", "b"]),
    ('d[ "a ] b" ] c', ['d[ "a ] b" ]', "c"]),
    ('binaries "/a b/c"', ["binaries", '"/a b/c"']),
    ("d[unclosed and more", ["d[unclosed and more"]),
    ("'unclosed quote", ["'unclosed quote"]),
])
def test_split(text, words):
    found = arguments.split(text)
    assert [word for _, word in found] == words
    for start, word in found:
        assert text[start:start + len(word)] == word


def test_unquote():
    assert arguments.unquote('"/a b"') == "/a b"
    assert arguments.unquote("'x'") == "x"
    assert arguments.unquote('x"') == 'x"'
    assert arguments.unquote('"') == '"'


def test_options_anywhere():
    values = arguments.parse("py-x", OPTIONS, ["a", "--limit", "3", "b", "--frame=0"], True)
    assert (values.limit, values.frame, values.all_threads, values.json) == (3, 0, False, False)
    assert values.words == ["a", "b"]
    assert arguments.parse("py-x", OPTIONS, ["--", "--json"], True).words == ["--json"]
    assert arguments.parse("py-x", OPTIONS, [], False).frame is None


@pytest.mark.parametrize("words, part", [
    (["--nope"], "no option `--nope`"),
    (["--lim", "3"], "no option `--lim`"),
    (["--limit"], "--limit: expected one argument"),
    (["--limit", "x"], "not `x`"),
    (["--limit", "-1"], "not `-1`"),
    (["--frame=99999999999"], "not `99999999999`"),
    (["--json=1"], "--json: ignored explicit argument '1'"),
    (["stray"], "takes no `stray`"),
])
def test_refused(words, part):
    with pytest.raises(Failure) as caught:
        arguments.parse("py-x", OPTIONS, words, False)
    assert caught.value.kind == "usage"
    assert caught.value.message.startswith("py-x: ") and part in caught.value.message
    assert "`py-x --help`" in caught.value.message
