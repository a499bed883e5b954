"""The commands, and the two functions that an adapter calls: run() and complete()."""

import collections
import json
import os
import sys
import traceback

from .. import arguments
from ..errors import Failure
from ..settings import Settings
from ..text import printable, written
from . import (config, dominators, frames, mem_print, memory, native, referrers, retained, summary, top,
               types, why)

COMMANDS = collections.OrderedDict(
    (command.name, command)
    for command in (memory.COMMAND, top.COMMAND, mem_print.COMMAND, frames.COMMAND,
                    types.COMMAND, retained.COMMAND, dominators.COMMAND, why.COMMAND,
                    referrers.COMMAND, summary.COMMAND, native.COMMAND, config.COMMAND))

# The settings of this debugger session
SETTINGS = Settings()

# `output` is printed as it is; `error` is a sentence or None; `failed` also holds
# for an error that --json put into the output
Outcome = collections.namedtuple("Outcome", "output error failed")


def run(adapter, name, text):
    """Runs a command with the text that the user typed after its name."""
    command = COMMANDS[name]
    unicode = adapter.shows_unicode()
    words = [word for _, word in arguments.split(text)]
    try:
        return Outcome(written(command.run(adapter, SETTINGS, words), unicode), None, False)
    except Failure as error:
        failure = error
    except KeyboardInterrupt:
        failure = Failure("cancelled", "Interrupted; the debuggee is as it was.")
    except Exception as error:  # pylint: disable=broad-except
        if os.environ.get("REMEMBERME_DEBUG"):
            sys.stderr.write(written(traceback.format_exc().splitlines(), unicode))
        failure = Failure("internal", "%s failed by a bug of its own: %s: %s (REMEMBERME_DEBUG=1 "
                          "shows where)." % (name, type(error).__name__, error))
    if arguments.JSON.flag in text.split():
        return Outcome(json.dumps({"command": name, "error": {
            "kind": failure.kind, "message": failure.message}}) + "\n", None, True)
    return Outcome("", message(adapter, failure), True)


def message(adapter, failure):
    """What a Failure says, as the debugger is to report it."""
    return printable(failure.message, adapter.shows_unicode())


def help_of(adapter, name):
    """What `help NAME` of the debugger shows."""
    return written(COMMANDS[name].help.split("\n"), adapter.shows_unicode()).rstrip("\n")


def complete(adapter, name, text):
    """What may follow `text`, the part of the arguments left of the cursor: (start,
    words), where each word would replace text[start:]. A name that cannot be typed as it
    is shown is none of them. Silent whatever happens."""
    try:
        words = arguments.split(text)
        start, last = len(text), ""
        if words and words[-1][0] + len(words[-1][1]) == len(text):
            start, last = words.pop()
        before = [word for _, word in words]
        found = COMMANDS[name].complete(adapter, SETTINGS, before, last)
        return start, [word for word in found
                       if word.startswith(last) and word == printable(word, adapter.shows_unicode())]
    except (Exception, KeyboardInterrupt):  # pylint: disable=broad-except
        return len(text), []
