"""The words and options of a command line.

A debugger's own splitting would take the quotes out of `cache["users"]`, so the
words are split here: at blanks that are in no bracket and no quoted string."""

import re
import types

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
        self.takes_number = takes_number
        self.choices = choices

    @property
    def takes_value(self):
        return self.takes_number or bool(self.choices)

    @property
    def usage(self):
        value = "N" if self.takes_number else "|".join(self.choices)
        return self.flag + (" " + value if value else "")

    @property
    def name(self):
        return self.flag[2:].replace("-", "_")


FRAME = Option("--frame", "the Python frame with this number in py-frames", True)
THREAD = Option("--thread", "another thread than the selected one", True)
ALL_THREADS = Option("--all-threads", "all Python threads")
LIMIT = Option("--limit", "at most N rows, or children of a node; 0: all", True)
DEPTH = Option("--depth", "at most N levels below the root; 0: all", True)
ALLOCATED = Option("--allocated", "also the bytes that the allocator gave for it")
LABELS = Option("--labels", "name each node by the attribute, key or index that holds it")
BYTES = Option("--bytes", "exact bytes instead of KiB and MiB")
JSON = Option("--json", "one JSON object, for scripts")
HELP = Option("--help", "this help")


def parse(command, options, words, takes_words):
    """The values of `options` in `words`, as attributes named as the flags (None or
    False where not given), and the other words as `.words`."""
    values = types.SimpleNamespace(words=[])
    for option in options:
        setattr(values, option.name, None if option.takes_value else False)
    by_flag = {option.flag: option for option in options}
    words = list(words)
    while words:
        word = words.pop(0)
        if word == "--":
            values.words += words
            break
        if not word.startswith("-"):
            values.words.append(word)
            continue
        flag, equals, value = word.partition("=")
        option = by_flag.get(flag)
        if option is None:
            refuse(command, "there is no option `%s`" % flag)
        if not option.takes_value:
            if equals:
                refuse(command, "`%s` takes no value" % flag)
            setattr(values, option.name, True)
            continue
        if not equals:
            if not words:
                refuse(command, "`%s` needs %s" % (flag, " or ".join(option.choices)
                                                   or "a number"))
            value = words.pop(0)
        if option.choices:
            if value not in option.choices:
                refuse(command, "`%s` needs %s, not `%s`" % (flag, " or ".join(option.choices),
                                                             value))
            setattr(values, option.name, value)
            continue
        if not re.match(r"[0-9]{1,9}$", value):
            refuse(command, "`%s` needs a number from 0 up, not `%s`" % (flag, value))
        setattr(values, option.name, int(value))
    if values.words and not takes_words:
        refuse(command, "it takes no `%s`" % values.words[0])
    return values


def refuse(command, what):
    raise Failure("usage", "%s: %s; `%s --help` tells the options."
                  % (command, what, command))
