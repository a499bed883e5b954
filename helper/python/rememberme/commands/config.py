"""py-config: shows and changes the settings."""

import json

from .. import arguments
from ..errors import Failure
from ..settings import BY_NAME, SETTINGS
from ..table import TEXT, Column, table
from ..text import paragraphs
from .base import Command, look_of

_OPTIONS = (arguments.JSON, arguments.HELP)


class Config(Command):
    name = "py-config"
    summary = "Show or change the settings of the py- commands."

    @property
    def help(self):
        lines = [self.summary, "", "Usage: py-config [NAME [VALUE]]", "",
                 "Without NAME: all settings. In gdb they are also `set/show rememberme NAME`.", ""]
        for setting in SETTINGS:
            lines.append("%s %s: %s" % (setting.name, values_of(setting), setting.title))
            lines += paragraphs(setting.help, "    ")
        lines += ["", "Options:"]
        lines += ["  %-6s  %s" % (option.usage, option.help) for option in _OPTIONS]
        lines += ["", "Example:", "  py-config limit 20", "  limit is 20."]
        return "\n".join(lines)

    def run(self, adapter, settings, words):
        values = arguments.parse(self.name, _OPTIONS, words, True)
        if values.help:
            return self.help.split("\n")
        if len(values.words) > 2:
            raise Failure("usage", "py-config takes a name and a value, not `%s`."
                          % " ".join(values.words))
        names = list(BY_NAME)
        if values.words:
            name = values.words[0]
            if len(values.words) == 2:
                value = settings.set(name, arguments.unquote(values.words[1]))
                adapter.setting_changed(name, value)
            elif name not in BY_NAME:
                settings.set(name, "")  # says which names there are
            names = [name]
        current = [(name, getattr(settings, name)) for name in names]
        if values.json:
            return [json.dumps({"command": self.name, "settings": dict(current)})]
        if len(current) == 1:
            return ["%s is %s." % (current[0][0], shown(current[0][1]))]
        return table([Column("Name", TEXT), Column("Value", TEXT), Column("Values", TEXT)],
                     [[name, shown(value), values_of(BY_NAME[name])] for name, value in current],
                     look_of(adapter, exact=False))

    def complete(self, adapter, settings, before, last):
        if last.startswith("-"):
            return [option.flag for option in _OPTIONS]
        if not before:
            return list(BY_NAME)
        if len(before) == 1 and before[0] in BY_NAME:
            choices = BY_NAME[before[0]].choices
            return list(choices) if isinstance(choices, tuple) else []
        return []


def values_of(setting):
    if setting.choices is int:
        return "N"
    if setting.choices is str:
        return "DIR"
    return "|".join(setting.choices)


def shown(value):
    return "not set" if value == "" else str(value)


COMMAND = Config()
