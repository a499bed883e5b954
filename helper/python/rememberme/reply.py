"""The answer as the helper wrote it: JSON to a dictionary, an error to a Failure."""

import json

from .errors import Failure


def decode(data):
    """The reply as a dict. Raises Failure for {"error":…} and for what is no reply."""
    try:
        reply = json.loads(data.decode("utf-8", "replace"))
    except RecursionError:
        raise Failure("too-deep", "The tree is too deep to be shown; give a smaller --depth.")
    except ValueError as error:
        raise Failure("bad-reply", "The helper's reply is not JSON (%s)." % error)
    if not isinstance(reply, dict):
        raise Failure("bad-reply", "The helper's reply is not a JSON object.")
    error = reply.get("error")
    if error is not None:
        # a core whose binaries are missing fails for that reason: the caveats tell which
        caveats = reply.get("undump", {}).get("caveats", ())
        sentences = [error.get("message", "unknown error")]
        sentences += [caveat["message"] for caveat in caveats]
        raise Failure(error.get("kind", "unknown"), ". ".join(sentence.rstrip(".") for sentence in sentences))
    return reply
