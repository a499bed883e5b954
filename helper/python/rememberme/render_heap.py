"""Replies about the whole heap turned into text. Pure functions: a reply (the dict of
rememberme.h) and a Look in, lines out."""

from .render import caveats, type_of
from .table import ADDRESS, BYTES, COUNT, NUMBER, TEXT, Column, table
from .text import count, plural

_RETAINED = Column("Retained", BYTES)
_SIZE = Column("Size", BYTES)
_OBJECTS = Column("Objects", COUNT)
_TYPE = Column("Type", TEXT)
_ADDRESS = Column("Address", ADDRESS)

_SHOWN = 8     # steps at each end of a long path
_THREADS = 10  # in a summary


def types(reply, look):
    items = reply["items"]
    if not items:
        return ["No objects."] + caveats(reply, look)
    if "items" in items[0]:
        rows = [[item["size"], item["objects"], item["types"], item["module"],
                 ", ".join(part["type"] for part in item["items"])] for item in items]
        heads = [_SIZE, _OBJECTS, Column("Types", COUNT), Column("Module", TEXT),
                 Column("Largest types", TEXT)]
    else:
        rows = []
        for item in items:
            rows.append([item["size"], item["objects"], type_name(item)])
            for part in item.get("lengths", ()):
                rows.append([part["size"], part["objects"], "  length " + _span(part)])
        heads = [_SIZE, _OBJECTS, _TYPE]
    lines = table(heads, rows, look)
    more = reply["more"]
    if more["items"]:
        lines.append("  … and %s more: %s in %s (--limit 0 shows all)" % (
            count(more["items"]), look.size(more["size"]), plural(more["objects"], "object")))
    return lines + _total(reply, look)


def type_name(item):
    """Of an item that may stand for several types of one name."""
    if item.get("types", 1) > 1:
        return "%s (%d types of that name)" % (item["type"], item["types"])
    return item["type"]


def _span(part):
    if part["from"] == part["to"]:
        return count(part["from"])
    return "%s to %s" % (count(part["from"]), count(part["to"]))


def _total(reply, look):
    return ["All together %s in %s." % (look.size(reply["size"]),
                                        plural(reply["objects"], "object"))] + caveats(reply, look)


def retained(reply, look):
    items = reply["items"]
    if "types" not in reply:
        rows = [[item["retained"], item["objects"], type_of(item), item["address"], item["expr"]]
                for item in items]
        if len(rows) > 1:
            rows.append([reply["retained"], reply["objects"], None, None, "together"])
        return table([_RETAINED, _OBJECTS, _TYPE, _ADDRESS, Column("Name", TEXT)],
                     rows, look) + caveats(reply, look)
    lines = [look.strong("Objects, none of them within another")]
    lines += holders(items, look)
    lines += ["", look.strong("Classes, by what their instances retain together")]
    lines += _classes(reply["types"], look)
    lines += ["", look.strong("Modules")]
    lines += table([_RETAINED, _OBJECTS, Column("Module", TEXT)],
                   [[item["retained"], item["objects"], item["module"]]
                    for item in reply["modules"]], look)
    return lines + [""] + _total(reply, look)


def _classes(items, look):
    return table([_RETAINED, _OBJECTS, Column("Instances", COUNT), _TYPE],
                 [[item["retained"], item["objects"], item["instances"], type_of(item)]
                  for item in items], look)


def holders(items, look):
    """A table of objects that have a path."""
    return table([_RETAINED, _OBJECTS, _TYPE, _ADDRESS, Column("Held by", TEXT)],
                 [[item["retained"], item["objects"], type_of(item), item["address"],
                   item["expr"] if _from_module(item) else chain(item)] for item in items], look)


def _from_module(path):
    return path["expr"] and ":" in path["expr"]


def chain(path):
    """A path in one line: module app.cache → CACHE["users"] → list[17] → User.session.
    Each arrow is one reference: the holder, and the name of the place in it."""
    steps = path["steps"]
    parts = [path["root"]]
    holder = steps[0]["label"]
    if len(steps) == 1:
        parts.append(holder or _short(type_of(steps[0])))
    for before, step in zip(steps, steps[1:]):
        holder = holder or _short(type_of(before))
        label = step["label"] or ""
        parts.append(holder + (" " + label if label.startswith("(") else label))
        holder = None
    if len(steps) > 1 and not steps[-1]["label"]:
        parts.append(_short(type_of(steps[-1])))
    before, n_hidden, after = _ends(parts, path)
    return " → ".join(before + (["… %s more …" % count(n_hidden)] if n_hidden else []) + after)


def _ends(parts, path):
    """The beginning and the end of a long path, and how many parts are between them. The
    reply itself leaves out the middle of a very long one."""
    if len(parts) <= 2 * _SHOWN:
        return parts, 0, []
    return (parts[:_SHOWN], len(parts) - 2 * _SHOWN + path.get("elided", 0), parts[-_SHOWN:])


def _short(name):
    return name.rpartition(".")[2]


def why(reply, look):
    head = "%s at %s, %s" % (type_of(reply), reply["address"], look.size(reply["own_size"]))
    lines = [look.strong(head)]
    for number, path in enumerate(reply["paths"], 1):
        lines += ["", "%d. %s" % (number, chain(path))]
        if path["expr"] and len(path["steps"]) > 1:
            lines.append(look.faint("   " + path["expr"]))
        rows = [[step["address"], type_of(step), step["label"]] for step in path["steps"]]
        before, n_hidden, after = _ends(rows, path)
        rows = before + ([[None, None, "… %s more" % count(n_hidden)]] if n_hidden else []) + after
        lines += table([_ADDRESS, _TYPE, Column("Held as", TEXT)], rows, look, "  ")
    more = reply["more"]["paths"]
    if more:
        lines += ["", "… and %s through other holders (--paths 0 shows all)"
                  % plural(more, "path")]
    return lines + caveats(reply, look)


def referrers(reply, look):
    lines = [look.strong("%s at %s, %s" % (type_of(reply), reply["address"],
                                           look.size(reply["own_size"])))]
    rows = []
    for item in reply["items"]:
        place = item["label"]
        if item["references"] > 1 and item["address"]:
            place = "%s and %s more" % (place or "", count(item["references"] - 1))
        holder = item.get("root") or type_of(item)
        if item.get("of"):
            holder = "%s of %s" % (holder, item["of"])
        rows.append([item["address"], holder, place])
    if not rows:
        lines.append("Nothing refers to it.")
    else:
        lines += table([_ADDRESS, Column("Holder", TEXT), Column("Held as", TEXT)], rows, look)
    more = reply["more"]["items"]
    if more:
        lines.append("  … and %s more (--limit 0 shows all)" % count(more))
    return lines + caveats(reply, look)


def summary(reply, look):
    process = reply["process"]
    title = "Process %s" % process["pid"] if process["kind"] == "live" else "Core of process %s" % (
        process["pid"],)
    lines = [look.strong("%s, CPython %s, %s" % (title, process["python"],
                                                 plural(reply["n_threads"], "Python thread"))), ""]
    lines += table([Column("", BYTES), Column("Memory", TEXT)], _accounts(reply), look)
    memory = process["memory"] or {}
    if "pss" in memory:
        lines.append("Private to the process %s, shared with others %s, its share of all (PSS) %s."
                     % tuple(look.size(memory[key]) for key in ("private", "shared", "pss")))
    lines += [look.faint("Note: " + note) for note in process["notes"]]
    lines += [""] + table([_SIZE, _OBJECTS, Column("Largest types", TEXT)],
                          [[item["size"], item["objects"], type_name(item)]
                           for item in reply["types"]], look)
    lines += ["", look.strong("Largest holders")] + holders(reply["holders"], look)
    lines += ["", look.strong("Classes, by what their instances retain together")]
    lines += _classes(reply["by_class"], look)
    threads = [[item.get("thread") or item["lwp"], item["frames"], item["function"] or
                "(no Python frame)", _where(item)] for item in reply["threads"][:_THREADS]]
    lines += [""] + table([Column("Thread", NUMBER), Column("Frames", COUNT),
                           Column("Innermost function", TEXT), Column("Where", TEXT)],
                          threads, look)
    if reply["n_threads"] > len(threads):
        lines.append("  … and %s more (py-frames --all-threads)"
                     % count(reply["n_threads"] - len(threads)))
    return lines + caveats(reply, look)


def _where(item):
    if item.get("file") is None:
        return None
    return item["file"] if item.get("line") is None else "%s:%d" % (item["file"], item["line"])


def _accounts(reply):
    """The rows of the account: the total, and the parts that add up to it."""
    memory = reply["process"]["memory"]
    rows = [[memory["total"], memory["total_title"]]] if memory else []
    rows.append([reply["size"], "  %s" % plural(reply["objects"], "Python object")])
    if reply["arenas"]:
        rows.append([reply["arenas"]["free"], "  free in CPython's %s"
                     % plural(reply["arenas"]["arenas"], "arena")])
    if memory:
        rows += [[part["size"], "  " + part["title"]] for part in memory["parts"]]
        rows.append([memory["rest"], "  the rest: " + memory["rest_title"]])
    return rows
