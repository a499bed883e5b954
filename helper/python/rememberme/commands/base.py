"""What the commands that ask the helper have in common."""

import json
import re

from .. import arguments, expr, request, session
from ..reply import well_formed
from ..table import Look
from ..text import paragraphs

_OUTPUT = (arguments.BYTES, arguments.JSON, arguments.HELP)


class Command(object):
    """A command as a debugger registers it: `name`, `summary` (one line, also for
    listings) and `help` (everything, with an example)."""

    name = None
    summary = None

    def run(self, adapter, settings, words):
        """The lines of the answer to `words`; raises Failure."""
        raise NotImplementedError

    def complete(self, adapter, settings, before, last):
        """Candidates for the word that begins with `last` after the words `before`."""
        raise NotImplementedError

    @property
    def help(self):
        raise NotImplementedError


class Query(Command):
    """A command that asks the helper one question."""

    query = None       # enum rme_query
    operands = ""      # what stands in its usage line: "[EXPR…]", "[EXPR]" or ""
    min_exprs = 0
    max_exprs = 0      # None: any number
    options = (arguments.FRAME, arguments.THREAD)  # besides those of its output
    about = ""         # paragraphs of help
    example = ""

    def render(self, reply, look, values):
        """The lines of a reply."""
        raise NotImplementedError

    def limit_of(self, values):
        """The limit of the question; None: that of the settings."""
        return getattr(values, "limit", None)

    def options_of(self, values, settings):
        """What the question is told besides: enum rme_option."""
        return 0

    def hints(self, adapter, settings, target, reply, look, values):
        """Lines about what to ask instead, where the answer is as good as empty."""
        return []

    def add(self, target, reply):
        """Adds to the reply what is known on this side."""

    def all_options(self):
        return self.options + _OUTPUT

    @property
    def help(self):
        options = self.all_options()
        width = max(len(option.usage) for option in options)
        lines = [self.summary, "",
                 "Usage: " + " ".join(filter(None, (self.name, "[OPTION…]", self.operands))),
                 ""] + paragraphs(self.about) + ["", "Options:"]
        lines += ["  %-*s  %s" % (width, option.usage, option.help) for option in options]
        if self.operands:
            lines += [""] + paragraphs(expr.HELP)
        lines += ["", "Example:", self.example.strip("\n")]
        return "\n".join(lines)

    def run(self, adapter, settings, words):
        values = arguments.parse(self.name, self.all_options(), words, self.max_exprs != 0)
        if values.help:
            return self.help.split("\n")
        if self.max_exprs is not None and len(values.words) > max(self.max_exprs, 0):
            arguments.refuse(self.name, "it takes one EXPR, not `%s`" % " ".join(values.words))
        frame = getattr(values, "frame", None)
        all_threads = getattr(values, "all_threads", False)
        if all_threads and (values.words or frame is not None or values.thread is not None):
            arguments.refuse(self.name, "--all-threads goes without EXPR, --frame and --thread")
        target = session.require_target(adapter)
        if len(values.words) < self.min_exprs:
            arguments.refuse(self.name, "it needs an EXPR")
        with session.on_thread(adapter, getattr(values, "thread", None)):
            exprs = [expr.parse(word, adapter.evaluate) for word in values.words]
            asked = session.question(
                adapter, settings, target, self.query, exprs, frame, all_threads,
                self.limit_of(values), getattr(values, "depth", None),
                self.options_of(values, settings),
                request.ALLOCATED if getattr(values, "allocated", False) else 0)
            reply = session.answer(adapter, settings, target, asked)
        look = look_of(adapter, values.bytes)
        look.indented = settings.tree == "indented"
        with well_formed():
            self.add(target, reply)
            if values.json:
                return [_json(self.name, target, None if all_threads else asked.thread, reply)]
            return self.render(reply, look, values) + self.hints(
                adapter, settings, target, reply, look, values)

    def complete(self, adapter, settings, before, last):
        flags = {option.flag: option for option in self.all_options()}
        if before and before[-1] in flags and flags[before[-1]].takes_value:
            return list(flags[before[-1]].choices)
        if last.startswith("-"):
            return [flag for flag in flags if flag not in before]
        if self.max_exprs == 0 or not re.match(r"\w*$", last):
            return []
        return _names(adapter, settings, before)


def look_of(adapter, exact):
    return Look(exact=exact, width=adapter.width(),
                styled=adapter.is_styled() and adapter.is_terminal(),
                unicode=adapter.shows_unicode())


def _json(name, target, thread, reply):
    document = {"command": name, "python": reply.pop("python", None),
                "target": {"kind": target.kind, "pid": target.pid,
                           "thread": thread.number if thread else None}}
    document.update(reply)
    return json.dumps(document)


def _names(adapter, settings, before):
    """The names that the selected frame (or --frame, --thread) sees."""
    numbers = {}
    for flag, value in zip(before, before[1:]):
        if flag in (arguments.FRAME.flag, arguments.THREAD.flag) and value.isdigit():
            numbers[flag] = int(value)
    target = session.require_target(adapter)
    with session.on_thread(adapter, numbers.get(arguments.THREAD.flag)):
        asked = session.question(adapter, settings, target, request.NAMES,
                                 frame=numbers.get(arguments.FRAME.flag), limit=0)
        return session.answer(adapter, settings, target, asked)["names"]
