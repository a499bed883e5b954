"""The answer as the helper wrote it: JSON to a dictionary, an error to a Failure."""

import contextlib
import json

from .errors import Failure

# What Python may take for a reply, by the most that each of its bytes can turn into. A reply can
# be forged, and one of a few megabytes can be a few million empty objects.
_MOST = 1 << 30
_COSTS = ((b"{", 240), (b"[", 64), (b",", 100), (b":", 60))


def cost(data):
    """Bytes that the decoded reply takes at most, and its text while it is decoded."""
    return 5 * len(data) + sum(bytes_each * data.count(mark) for mark, bytes_each in _COSTS)


def decode(data):
    """The reply as a dict. Raises Failure for {"error":…} and for what is no reply."""
    if cost(data) > _MOST:
        raise Failure("too-large", "The reply is too large to be shown (%d bytes, which would take "
                      "up to %d of memory): ask for less with --limit and --depth."
                      % (len(data), cost(data)))
    try:
        reply = json.loads(data.decode("utf-8", "replace"))
    except RecursionError:
        raise Failure("too-deep", "The tree is too deep to be shown; give a smaller --depth.")
    except ValueError as error:
        raise Failure("bad-reply", "The helper's reply is not JSON (%s)." % error)
    if not isinstance(reply, dict):
        raise Failure("bad-reply", "The helper's reply is not a JSON object.")
    with well_formed():
        _raise_error(reply)
    return reply


def _raise_error(reply):
    error = reply.get("error")
    if error is None:
        return
    # a core whose binaries are missing fails for that reason: the caveats tell which
    caveats = reply.get("undump", {}).get("caveats", ())
    sentences = [error.get("message", "unknown error")]
    sentences += [caveat["message"] for caveat in caveats]
    raise Failure(str(error.get("kind", "unknown")),
                  ". ".join(sentence.rstrip(".") for sentence in sentences))


@contextlib.contextmanager
def well_formed():
    """Around what takes a reply to pieces: one that has not the form of rememberme.h ends in a
    sentence like any other bad input."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise Failure("bad-reply", "The reply is not one that the helper writes (%s: %s): the "
                      "process or core may be made to mislead, or the plugin and the helper "
                      "come from different installations." % (type(error).__name__, error))
