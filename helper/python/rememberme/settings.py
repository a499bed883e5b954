"""The settings that both debuggers share. Knows no debugger: an adapter that has
settings of its own is told of changes."""

import collections
import os

from . import image
from .errors import Failure

# `title` completes "Set …" and "Show …"; `choices` is a tuple of words, int for a
# number of rows (0: no limit), or str for a folder
Setting = collections.namedtuple("Setting", "name default choices title help")

_SWITCH = ("on", "off")

SETTINGS = (
    Setting("inject", "auto", ("auto", "on", "off"),
            "whether anything is executed in a live process", """
`on`: the helper is called in it and a snapshot of the process answers. `off`: nothing is executed; its
memory is read and analysed outside, as a core's is. `auto`: as on, but as off where a call could cost
the process anything (a seccomp filter, too little memory under its limit, a frozen group); the answer
says so. `on` refuses only where the process would surely die."""),
    Setting("classes", "on", _SWITCH, "whether classes and code count in the size of an object", """
An instance refers to its class, and a class to its methods and bases. The size without classes
and code is always reported too; with `off` it is the main figure."""),
    Setting("references", "owned", ("owned", "traverse"), "which references are followed", """
`traverse`: those that gc.get_referents returns. `owned`: these, and what an object owns besides,
such as the keys of dicts and the constants of code."""),
    Setting("watchdog", 1, int, "how many seconds the own code of one object may compute", """
An object whose tp_traverse takes longer is left out, with a note. 0: no limit."""),
    Setting("limit", 10, int, "how many rows a table has, or children a node of a tree", """
0: no limit."""),
    Setting("tree", "drawing", ("drawing", "indented"), "how a tree is shown", """
`drawing`: from left to right, as the rememberme package does. `indented`: from top to bottom, a line for
each object, with its address; what is alike is one line, and classes are left out unless --classes
asks for them."""),
    Setting("depth", 3, int, "how many levels a tree has below its root", """
0: no limit."""),
    Setting("binaries", "", str, "the folder that holds the files which a core names", """
The interpreter and its libraries, in a tree as on the machine of the core, or flat. Empty: they are
looked for where the debugger finds them."""),
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
            raise Failure("usage", "There is no setting `%s`; there are %s."
                          % (name, ", ".join(BY_NAME)))
        value = parse(setting, text)
        setattr(self, name, value)
        if name == "inject":
            image.drop()
        return value


def _file_name(text):
    """lldb hands over UTF-8 also where the locale has none."""
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return os.fsdecode(text.encode("utf-8", "surrogateescape"))
    return text


def parse(setting, text):
    """The value of a setting that `text` stands for, or a Failure."""
    if setting.choices is int:
        if not text.isdigit() or int(text) >= 1 << 32:
            raise Failure("usage", "`%s` is a number from 0 (no limit) up, not `%s`."
                          % (setting.name, text))
        return int(text)
    if setting.choices is str:
        if not text:
            return ""
        path = os.path.abspath(os.path.expanduser(_file_name(text)))
        if not os.path.isdir(path):
            raise Failure("usage", "There is no folder %s." % path)
        return path
    if text not in setting.choices:
        raise Failure("usage", "`%s` is %s, not `%s`."
                      % (setting.name, " or ".join(setting.choices), text))
    return text
