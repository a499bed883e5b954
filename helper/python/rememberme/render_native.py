"""Replies about native memory turned into text. Pure functions: a reply (the dict of
rememberme.h) and a Look in, lines out."""

from .render import caveats
from .table import ADDRESS, BYTES, COUNT, TEXT, Column, table
from .text import count, plural

_BYTES = Column("Bytes", BYTES)
_BLOCKS = Column("Blocks", COUNT)


def native(reply, look):
    if reply["allocator"] is None:
        lines = ["No malloc of glibc was found in this process: its blocks are not known."]
        if not reply["owners"]:
            return lines + caveats(reply, look)
        lines.append("")
    else:
        lines = []
    rows = [[item["bytes"], item["blocks"], owner(item)] for item in reply["owners"]]
    lines += table([_BYTES, _BLOCKS, Column("Held by", TEXT)], rows, look)
    more = reply["more"]
    if more["owners"]:
        lines.append("  … and %s more: %s in %s (--limit 0 shows all)" % (
            count(more["owners"]), look.size(more["bytes"]), plural(more["blocks"], "block")))
    lines.append("In use %s in %s, besides %s in the sizes of objects." % (
        look.size(reply["in_use"]["bytes"]), plural(reply["in_use"]["blocks"], "block"),
        look.size(reply["objects"]["bytes"])))
    if reply["arenas"]:
        lines.append("Free in malloc's %s: %s." % (plural(len(reply["arenas"]), "arena"),
                                                   look.size(reply["free"]["bytes"])))
    return lines + _unreferenced(reply["unreferenced"], look) + caveats(reply, look)


def owner(item):
    """Who holds the blocks of an item, in words."""
    if item["kind"] == "type":
        return "type %s" % item["name"]
    if item["kind"] == "library":
        return "data of %s" % item["name"]
    if item["kind"] == "thread":
        return "stack of thread %s" % item["name"]
    if item["kind"] == "interior":
        return "other blocks, which do not point to the start of these"
    if item["kind"] == "memory":
        return "other memory, of no known allocator"
    return "nothing that was found"


def _unreferenced(found, look):
    if not found["blocks"]:
        return []
    lines = ["", look.strong("Nothing points into these")] + table(
        [_BYTES, _BLOCKS, Column("Pointed into", COUNT), Column("Of size", COUNT),
         Column("Example", ADDRESS), Column("Looks like", TEXT)],
        [[item["bytes"], item["blocks"], item["pointed_into"] or None, item["size"],
          item["example"], _looks(item)] for item in found["sizes"]], look)
    if found["more"]["blocks"]:
        lines.append("  … and %s more (--limit 0 shows all)"
                     % plural(found["more"]["blocks"], "block"))
    return lines


def _looks(item):
    if item["type"]:
        return "object of type %s" % item["type"]
    return "text: %s" % item["text"] if item["text"] else None
