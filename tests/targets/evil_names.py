"""Names that a terminal must not see as they are, wherever Python lets a program choose
one: types, keys, modules, functions, files, locals."""

import sys
import types

import stage

RED = "\x1b[31mred\x1b]0;title\x07"
LINES = "\nNote: forged\r\x0b\x0c\x85\u2028\u2029"
TURNED = "\u202egnp.exe\u2066\u200f"
EVIL = RED + LINES + TURNED + "\ud800"


class Plain:
    pass


def main():
    module = types.ModuleType("evil")
    sys.modules["evil" + RED] = module
    evil_type = type("Evil" + RED + LINES + TURNED, (), {"__module__": "m" + RED})
    thing = evil_type()
    setattr(thing, RED, ["held by an attribute"] * 100)
    module.__dict__[EVIL] = thing
    table = {EVIL: thing, "plain": [thing]}
    source = ("def f():\n"
              "    a = THING\n"
              "    b = TABLE\n"
              "    STAGE.wait(address_of_thing=id(a))\n")
    scope = {"THING": thing, "TABLE": table, "STAGE": stage}
    exec(compile(source, "/tmp/evil" + RED + LINES + TURNED + ".py", "exec"), scope)
    code = scope["f"].__code__
    code = code.replace(co_name="f" + RED + LINES, co_varnames=("a" + RED, "b" + TURNED),
                        **({"co_qualname": "q" + RED} if hasattr(code, "co_qualname") else {}))
    types.FunctionType(code, scope)()


main()
