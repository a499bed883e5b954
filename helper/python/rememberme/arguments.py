"""The words and options of a command line.

A debugger's own splitting would take the quotes out of `cache["users"]`, so the
words are split here: at blanks that are in no bracket and no quoted string."""

import argparse
import re

from .errors import Failure
from .expr import closing


def split(text):
    """The words of `text` as (start, word) pairs. A quoted word keeps its quotes."""
    words = []
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        end = _word_end(text, position)
        words.append((position, text[position:end]))
        position = end
    return words


def _word_end(text, position):
    while position < len(text) and not text[position].isspace():
        char = text[position]
        if char in "([{":
            end = closing(text, position)
            if end < 0:
                return len(text)
            position = end
        elif char in "'\"":
            end = text.find(char, position + 1)
            if end < 0:
                return len(text)
            position = end
        position += 1
    return position


def unquote(word):
    """A word without the quotes around it, for folders with blanks."""
    if len(word) > 1 and word[0] in "'\"" and word[-1] == word[0]:
        return word[1:-1]
    return word


class Option(object):
    """One option: its flag, what it does, and what follows it: a number, one of a few
    words, or nothing."""

    def __init__(self, flag, help_text, takes_number=False, choices=()):
        self.flag = flag
        self.help = help_text
        self.choices = choices
        self._takes_number = takes_number

    @property
    def takes_value(self):
        return self._takes_number or bool(self.choices)

    @property
    def usage(self):
        value = "N" if self._takes_number else "|".join(self.choices)
        return self.flag + (" " + value if value else "")

    def add_to(self, parser):
        if self._takes_number:
            parser.add_argument(self.flag, type=_number)
        elif self.choices:
            parser.add_argument(self.flag, choices=self.choices)
        else:
            parser.add_argument(self.flag, action="store_true")


def _number(text):
    if not re.match(r"[0-9]{1,9}$", text):
        raise argparse.ArgumentTypeError("needs a number from 0 up, not `%s`" % text)
    return int(text)


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        refuse(self.prog, message)


FRAME = Option("--frame", "the Python frame with this number in py-frames", True)
THREAD = Option("--thread", "another thread than the selected one", True)
ALL_THREADS = Option("--all-threads", "all Python threads")
LIMIT = Option("--limit", "at most N rows, or children of a node; 0: all", True)
DEPTH = Option("--depth", "at most N levels below the root; 0: all", True)
ALLOCATED = Option("--allocated", "also the bytes that the allocator gave for it")
CLASSES = Option("--classes", "classes too, where the tree is indented")
LABELS = Option("--labels", "name each node by the attribute, key or index that holds it")
BYTES = Option("--bytes", "exact bytes instead of KiB and MiB")
JSON = Option("--json", "one JSON object, for scripts")
HELP = Option("--help", "this help")


def parse(command, options, words, takes_words):
    """The values of `options` in `words`, as attributes named as the flags (None or
    False where not given), and the other words as `.words`."""
    words = list(words)
    end = words.index("--") if "--" in words else len(words)
    parser = _Parser(prog=command, add_help=False, allow_abbrev=False)
    for option in options:
        option.add_to(parser)
    # Not as positional arguments: before Python 3.7 these must stand together.
    values, others = parser.parse_known_args(words[:end])
    for word in others:
        if word.startswith("-"):
            refuse(command, "there is no option `%s`" % word.partition("=")[0])
    values.words = others + words[end + 1:]
    if values.words and not takes_words:
        refuse(command, "it takes no `%s`" % values.words[0])
    return values


def refuse(command, what):
    raise Failure("usage", "%s: %s; `%s --help` tells the options."
                  % (command, what, command))
