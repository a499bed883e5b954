"""Replies turned into text. Pure functions: a reply (the dict of rememberme.h) and
a Look in, lines out."""

import collections
import itertools

from . import tree as _tree
from .table import BYTES, COUNT, NUMBER, TEXT, Column, table
from .text import columns, count, plural, shorten

_SIZE = Column("Size", BYTES)
_ALLOCATED = Column("Allocated", BYTES)
_OBJECTS = Column("Objects", COUNT)
_TYPE = Column("Type", TEXT)

_NODE_WIDTH = 48  # of a node's name in a drawing
_FOLDED_FROM = 3  # children that are alike
_NOTED_TYPES = 4  # by name in one note


def type_of(item):
    """The name of its type, as far as it has one."""
    return item["type"] or "(damaged object)"


def memory(reply, look):
    items = reply["items"]
    if any(item.get("expr") is None for item in items):
        return frames(reply, look)
    rows = [[item["size"], item["objects"], type_of(item), item["expr"]] for item in items]
    rows += _together(reply, len(rows), 2)
    heads = [_SIZE, _OBJECTS, _TYPE, Column("Name", TEXT)]
    _add_allocated(heads, rows, items + [reply])
    return table(heads, rows, look) + _foot(reply, look)


def _add_allocated(heads, rows, items):
    """Puts a column behind that of the sizes, where the helper was asked for it. A figure
    that was not taken is left blank."""
    if not any("allocated" in item for item in items):
        return
    at = heads.index(_SIZE) + 1
    heads.insert(at, _ALLOCATED)
    for row, item in zip(rows, items):
        row.insert(at, item.get("allocated"))


def top(reply, look, all_threads=False):
    """The largest locals, under the frame that they belong to, or the largest objects
    that one object reaches."""
    items = reply["items"]
    shown = [item.get("expr") or item.get("address") for item in items]
    rows = [[item["size"], item["objects"], type_of(item), name]
            for item, name in zip(items, shown)]
    heads = [_SIZE, _OBJECTS, _TYPE, Column("Name", TEXT)]
    of_frames = [item for item in items if "function" in item]
    places = {(item.get("thread"), item["frame"]) for item in of_frames}
    lines = []
    if len(places) > 1 or (all_threads and of_frames):
        heads += [Column("Thread", NUMBER), Column("Frame", NUMBER), Column("Function", TEXT)]
        for row, item in zip(rows, items):
            row += [item.get("thread"), item["frame"], item["function"]]
    elif of_frames:
        lines.append(look.faint(_place(of_frames[0])))
    if not items:
        lines.append("No local variables.")
        return lines + caveats(reply, look)
    _add_allocated(heads, rows, items)
    lines += table(heads, rows, look)
    more = reply.get("more", {}).get("items", 0)
    if more:
        lines.append("  … and %s more (--limit 0 shows all)" % count(more))
    return lines + _foot(reply, look, everything=True)


def elsewhere(frame, look):
    """Where more is to be seen than in the frame that was asked about."""
    thread = frame.get("thread")
    return [look.faint("Note: most is in %s: %s; py-top %s--frame %d shows it." % (
        _place(frame), look.size(frame["size"]),
        "" if thread is None else "--thread %d " % thread, frame["frame"]))]


def frames(reply, look, all_threads=False):
    items = reply["items"]
    by_thread = all_threads or len({item.get("thread") for item in items}) > 1
    heads = [Column("Frame", NUMBER), _SIZE, _OBJECTS,
             Column("Function", TEXT), Column("Where", TEXT)]
    marked = any(item.get("selected") for item in items) and len(items) > 1
    rows = []
    for item in items:
        row = [item["frame"], item["size"], item["objects"], item["function"], _where(item)]
        if by_thread:
            row.insert(0, item.get("thread"))
        if marked:
            row.insert(0, "*" if item.get("selected") else None)
        rows.append(row)
    if by_thread:
        heads.insert(0, Column("Thread", NUMBER))
    if marked:
        heads.insert(0, Column("", TEXT))
    if not items:
        return ["No Python frames."] + caveats(reply, look)
    _add_allocated(heads, rows, items)
    more = reply.get("more", {}).get("items", 0)
    rest = ["  … and %s more: --frame takes their numbers, too" % count(more)] if more else []
    return table(heads, rows, look) + rest + _foot(reply, look, everything=len(items) > 1)


def indented(reply, look, labels=False):
    """The tree from top to bottom: size, place, type and address of each object, what is alike
    of one parent in one line."""
    lines = []
    pending = [(0, reply["tree"])]
    while pending:
        level, node = pending.pop()
        lines.append("  " * level + _line_of(node, look, labels))
        below = [(level + 1, child) for child in _folded(node.get("children", []))]
        more = node.get("more") or {"children": 0}
        if more["children"]:
            below.append((level + 1, {"rest": more}))
        pending += reversed(below)
    return lines + _foot(reply, look)


def _folded(children):
    """The children, but one node for three or more that stand together and are alike."""
    for (_, _, cycle), run in itertools.groupby(
            children, lambda node: (node["type"], node["size"], bool(node.get("cycle")))):
        run = list(run)
        if len(run) < _FOLDED_FROM or cycle:
            for node in run:
                yield node
        else:
            yield {"alike": len(run), "type": run[0]["type"], "size": len(run) * run[0]["size"]}


def _line_of(node, look, labels):
    if "rest" in node:
        return "… and %s more (%s)" % (count(node["rest"]["children"]), _sizes(node["rest"], look))
    name = _short(type_of(node) if node.get("function") is None
                  else "%s %s" % (type_of(node), node["function"]), look)
    if "alike" in node:
        return "%s × %s %s" % (count(node["alike"]), name, look.size(node["size"]))
    if labels and node.get("label"):
        name = "%s: %s" % (_short(node["label"], look), name)
    if node.get("cycle"):
        return "↺ %s %s" % (name, node["address"])
    return " ".join(filter(None, (name, _sizes(node, look), node.get("address"))))


def _short(text, look):
    return shorten(look.plain(text), _NODE_WIDTH, look.unicode)


def drawing(reply, look, labels=False):
    if look.indented:
        return indented(reply, look, labels)
    root = reply["tree"]

    def label_of(node):
        if "rest" in node:
            return look.plain("… and %s more (%s)" % (count(node["rest"]["children"]),
                                                      _sizes(node["rest"], look)))
        name = _short(type_of(node) if node.get("function") is None
                      else "%s %s" % (type_of(node), node["function"]), look)
        if labels and node.get("label"):
            name = "%s: %s" % (_short(node["label"], look), name)
        if node.get("cycle"):
            return look.plain("↺ ") + name
        return "%s (%s)" % (name, _sizes(node, look))

    def children_of(node):
        more = node.get("more") or {"children": 0}
        rest = [{"rest": more}] if more["children"] else []
        return node.get("children", []) + rest

    lines = _tree.draw(root, label_of, children_of)
    widest = max(columns(line) for line in lines)
    hint = []
    if look.width is not None and widest > look.width:
        hint = [look.faint("The drawing is %d columns wide; a smaller --depth makes it narrower."
                           % widest)]
    return lines + hint + _foot(reply, look)


def _sizes(node, look):
    size = look.size(node["size"])
    if node.get("allocated") is None:
        return size
    return "%s, allocated %s" % (size, look.size(node["allocated"]))


def _where(item):
    line = item.get("line")
    return "%s:%s" % (item.get("file"), line) if line is not None else item.get("file")


def _place(item):
    thread = item.get("thread")
    return "%sframe %d, %s at %s" % ("thread %d, " % thread if thread is not None else "",
                                     item["frame"], item["function"], _where(item))


def _together(reply, n_rows, n_left):
    """The row for all items, where it tells more than the items do."""
    if n_rows < 2:
        return []
    return [[reply["size"], reply["objects"], None, "together, shared objects once"]
            [:n_left + 2]]


def _foot(reply, look, everything=False):
    """What stands under every report: the totals, the size without classes, caveats."""
    lines = []
    if everything:
        lines.append("Together %s in %s, shared objects once."
                     % (look.size(reply["size"]), plural(reply["objects"], "object")))
        if reply.get("allocated") is not None:
            lines.append("The allocator gave %s for them." % look.size(reply["allocated"]))
    if "size_without_classes" in reply and reply.get("classes", "on") == "on":
        bare = reply["size_without_classes"]
        hint = " (`py-config classes off` makes that the main figure)" \
            if 2 * bare < reply["size"] else ""
        lines.append("Without classes and code: %s%s." % (look.size(bare), hint))
    return lines + caveats(reply, look)


def caveats(reply, look):
    """A note for each, but one for all that say the same of several types."""
    alike = collections.OrderedDict()
    for caveat in reply.get("caveats", ()):
        before, of_type, after = caveat["message"].partition("of type %s" % caveat.get("type"))
        key = (before.lstrip("0123456789"), after) if of_type else (before,)
        alike.setdefault(key, []).append(caveat)
    return [look.faint("Note: " + (
        _of_several_types(*key, found=found) if len(found) > 1 and len(key) > 1
        else _with_units(found[0], look))) for key, found in alike.items()]


def _of_several_types(before, after, found):
    found = sorted(found, key=lambda caveat: -caveat["count"])
    names = ["%s %s" % (count(caveat["count"]), caveat["type"]) for caveat in found]
    if len(names) > _NOTED_TYPES:
        names[_NOTED_TYPES:] = ["…"]
    return "%s%sof %d types (%s)%s" % (count(sum(caveat["count"] for caveat in found)), before,
                                       len(found), ", ".join(names), after)


def _with_units(caveat, look):
    if "bytes" not in caveat:
        return caveat["message"]
    return caveat["message"].replace("%d bytes" % caveat["bytes"], look.size(caveat["bytes"]))
