"""Numbers and names as people read them. Pure functions."""

import textwrap
import unicodedata

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def human(n_bytes):
    """Binary units with one decimal, as the rememberme package writes them: 28.0B, 1.2MiB."""
    value = float(n_bytes)
    for unit in _UNITS:
        # not 1024.0KiB where one decimal rounds up to the next unit
        if round(abs(value), 1) < 1024.0 or unit == _UNITS[-1]:
            return "%.1f%s" % (value, unit)
        value /= 1024.0


def count(n):
    """Thousands apart: 9,990."""
    return "{:,}".format(n)


def plural(n, noun):
    return "%s %s%s" % (count(n), noun, "" if n == 1 else "s")


def paragraphs(text, indent=""):
    """The lines of a help text, filled anew; a blank line parts two paragraphs. lldb
    breaks what is wider than 79 columns by itself, and badly."""
    filled = [textwrap.fill(" ".join(part.split()), 79, initial_indent=indent,
                            subsequent_indent=indent, break_on_hyphens=False)
              for part in text.strip().split("\n\n")]
    return "\n\n".join(filled).split("\n")


def columns(text):
    """How many columns of a terminal a text takes."""
    if text.isascii() if hasattr(text, "isascii") else len(text) == len(text.encode()):
        return len(text)
    return sum(0 if unicodedata.combining(char)
               else 2 if unicodedata.east_asian_width(char) in "WF" else 1
               for char in text)


def shorten(text, width):
    """The text in at most `width` columns, cut in the middle where names differ least."""
    if columns(text) <= width:
        return text
    if width <= 1:
        return "…"[:width]
    head, tail = width // 2, width - width // 2 - 1
    front, back = "", ""
    for char in text:
        if columns(front + char) > head:
            break
        front += char
    for char in reversed(text):
        if columns(char + back) > tail:
            break
        back = char + back
    return front + "…" + back


class Styled(str):
    """A line that is to be shown in a style: the number of an SGR sequence, which written()
    puts around it."""
    style = None


def styled(text, style):
    line = Styled(text)
    line.style = style
    return line


def written(lines):
    """The text of an answer or an error as it goes out. This is the one place where a
    control character, a line end, a change of direction (Unicode's bidi characters) or a
    lone surrogate from a debuggee, a core or a file's name becomes harmless; renderers
    escape before this only what they measure."""
    return "".join(_line(line) + "\n" for line in lines)


def _line(line):
    text = printable(line)
    return "\x1b[%dm%s\x1b[0m" % (line.style, text) if isinstance(line, Styled) else text


def printable(text):
    """The text with characters that would disturb a terminal or a table escaped. Text that
    went through it stays as it is."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
                   for char in text)
