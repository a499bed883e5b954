"""The settings that both debuggers share. Knows no debugger: an adapter that has
settings of its own is told of changes."""

import collections
import os

from .errors import Failure

Setting = collections.namedtuple("Setting", "name default choices help")

_SWITCH = ("on", "off")

# `choices` is a tuple of words, int for a number of rows (0: no limit), or str
SETTINGS = (
    Setting("inject", "on", _SWITCH,
            "Whether the helper may be called in a live process. When off, nothing is executed in "
            "it: its memory is read and analysed outside, as a core's is."),
    Setting("classes", "on", _SWITCH,
            "Whether the classes and code that an object refers to count in its size. The size "
            "without them is always reported too."),
    Setting("references", "owned", ("owned", "traverse"),
            "Which references are followed: `owned`, those of the garbage collector and what an "
            "object owns besides (keys of dicts, constants of code, …), or `traverse`, those of "
            "gc.get_referents alone."),
    Setting("limit", 10, int,
            "How many rows a table has and how many children a node of a tree; 0: no limit."),
    Setting("depth", 4, int, "How many levels a tree has; 0: no limit."),
    Setting("binaries", "", str,
            "A folder that holds the files which a core names (the interpreter, its libraries), in "
            "a tree or flat; empty: they are looked for where the debugger finds them."),
)

BY_NAME = collections.OrderedDict((setting.name, setting) for setting in SETTINGS)


class Settings(object):
    """The values in force: attributes named as the settings."""

    def __init__(self):
        for setting in SETTINGS:
            setattr(self, setting.name, setting.default)

    def set(self, name, text):
        """Sets one from what the user typed; returns the new value."""
        setting = BY_NAME.get(name)
        if setting is None:
            raise Failure("bad-argument", "There is no setting `%s`; there are %s."
                          % (name, ", ".join(BY_NAME)))
        value = parse(setting, text)
        setattr(self, name, value)
        return value


def parse(setting, text):
    """The value of a setting that `text` stands for, or a Failure."""
    if setting.choices is int:
        if not text.isdigit() or int(text) >= 1 << 32:
            raise Failure("bad-argument", "`%s` is a number from 0 (no limit) up, not `%s`."
                          % (setting.name, text))
        return int(text)
    if setting.choices is str:
        if not text:
            return ""
        path = os.path.abspath(os.path.expanduser(text))
        if not os.path.isdir(path):
            raise Failure("bad-argument", "There is no folder %s." % path)
        return path
    if text not in setting.choices:
        raise Failure("bad-argument", "`%s` is %s, not `%s`."
                      % (setting.name, " or ".join(setting.choices), text))
    return text
