"""Numbers and names as people read them. Pure functions."""

import textwrap
import unicodedata

# What stands for the characters of our own text where ASCII is all that can be shown
_ASCII = {"…": "...", "→": "->", "↺": "(cycle)", "│": "|", "─": "-"}
_ASCII.update((corner, "+") for corner in "┌├└┤┼")

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


def shorten(text, width, unicode=True):
    """The text in at most `width` columns, cut in the middle where names differ least."""
    if columns(text) <= width:
        return text
    mark = printable("…", unicode)
    if width <= len(mark):
        return mark[:width]
    head = width // 2
    tail = width - head - len(mark)
    if tail < 0:
        head, tail = head + tail, 0
    front, back = "", ""
    for char in text:
        if columns(front + char) > head:
            break
        front += char
    for char in reversed(text):
        if columns(char + back) > tail:
            break
        back = char + back
    return front + mark + back


class Styled(str):
    """A line that is to be shown in a style: the number of an SGR sequence, which written()
    puts around it."""
    style = None


def styled(text, style):
    line = Styled(text)
    line.style = style
    return line


def written(lines, unicode=True):
    """The text of an answer, an error or a help as it goes out. This is the one place where
    a control character, a line end, a change of direction (Unicode's bidi characters) or a
    lone surrogate from a debuggee, a core or a file's name becomes harmless, and where
    drawings become ASCII without `unicode`; renderers do it before this only to what they
    measure."""
    return "".join(_line(line, unicode) + "\n" for line in lines)


def _line(line, unicode):
    text = printable(line, unicode)
    return "\x1b[%dm%s\x1b[0m" % (line.style, text) if isinstance(line, Styled) else text


def printable(text, unicode=True):
    """The text with characters that would disturb a terminal or a table escaped, and in ASCII
    without `unicode`. Text that went through it stays as it is."""
    if text.isprintable() and (unicode or max(text, default="") < "\x80"):
        return text
    return "".join(char if char.isprintable() and (unicode or char < "\x80")
                   else _ASCII.get(char) or char.encode("unicode_escape").decode("ascii")
                   for char in text)
