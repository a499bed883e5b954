"""The control groups of a process, as this mount namespace shows them (v1 and v2): how much
memory it may still take, and whether it is frozen. Knows no debugger."""

import collections
import os
import re

PROC = "/proc"
_UNLIMITED = 1 << 60

_CLEAN_1 = "total_inactive_file", "total_dirty", "total_writeback"
_CLEAN_2 = "inactive_file", "file_dirty", "file_writeback"

# What a group and those above it leave: `room` bytes until `path`/`name` is reached
Room = collections.namedtuple("Room", "room limit path name")


def room(pid):
    """The least Room of the groups that bound the memory of a process, or None: no limit
    is known."""
    found = []
    for depth, folder in enumerate(_folders(pid, "memory")):
        if depth and _text(folder, "memory.use_hierarchy").strip() == "0":
            continue  # an upper group that does not bound this one (v1)
        found += _rooms(folder)
    return min(found, key=lambda each: each.room) if found else None


def shares(pid, path):
    """Whether process `pid` counts in the group `path` of a Room."""
    return path in list(_folders(pid, "memory"))


def move_here(pid):
    """Puts a process into the memory group of this one, where that is allowed."""
    here, there = (next(_folders(one, "memory"), None) for one in ("self", pid))
    if here is None or here == there:
        return
    try:
        with open(os.path.join(here, "cgroup.procs"), "w") as procs:
            procs.write("%d\n" % pid)
    except OSError:
        pass


def is_frozen(pid):
    for folder in _folders(pid, "freezer"):
        if _text(folder, "freezer.state").strip() in ("FROZEN", "FREEZING"):
            return True
    for folder in _folders(pid, ""):
        if (_text(folder, "cgroup.freeze").strip() == "1"
                or re.search(r"^frozen 1$", _text(folder, "cgroup.events"), re.MULTILINE)):
            return True
    return False


def _rooms(folder):
    for usage_name, limit_names, clean in (
            ("memory.current", ("memory.max", "memory.high"), _CLEAN_2),
            ("memory.usage_in_bytes", ("memory.limit_in_bytes",), _CLEAN_1),
            ("memory.memsw.usage_in_bytes", ("memory.memsw.limit_in_bytes",), _CLEAN_1)):
        limits = [(name, _number(folder, name)) for name in limit_names]
        limits = [(name, limit) for name, limit in limits if limit is not None
                  and limit < _UNLIMITED]
        usage = _number(folder, usage_name) if limits else None
        if usage is None:
            continue
        for name, limit in limits:
            yield Room(limit - usage + _clean(folder, *clean) // 2, limit, folder, name)


def _clean(folder, inactive, *others):
    """Pages of files that the kernel gives back, though not all of them at once."""
    stat = dict(line.split() for line in _text(folder, "memory.stat").splitlines()
                if len(line.split()) == 2)
    return max(0, int(stat.get(inactive, 0)) - sum(int(stat.get(name, 0)) for name in others))


def _folders(pid, controller):
    """The folder of a process in the hierarchy of a controller, and those above it. That of
    v2 has every controller which no v1 hierarchy has."""
    paths = {}
    for line in _text(PROC, str(pid), "cgroup").splitlines():
        _, names, path = line.split(":", 2)
        for name in names.split(","):
            paths[name] = path
    for name in sorted({controller, ""}, reverse=True):
        if name not in paths:
            continue
        for root, mounted in _mounts(name):
            inside = os.path.relpath(paths[name], root)
            if inside.startswith(".."):
                continue  # another namespace's
            while True:
                yield os.path.normpath(os.path.join(mounted, inside))
                if inside in (".", ""):
                    break
                inside = os.path.dirname(inside)
            break


def _mounts(controller):
    """(root, where it is mounted) of a hierarchy; "" is v2's."""
    for line in _text(PROC, "self", "mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        fields, kinds = before.split(), after.split()
        if len(fields) < 5 or len(kinds) < 3:
            continue
        if (kinds[0] == "cgroup2" and not controller
                or kinds[0] == "cgroup" and controller in kinds[2].split(",")):
            yield fields[3], _unescaped(fields[4])


def _unescaped(path):
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found.group(1), 8)), path)


def _number(folder, name):
    text = _text(folder, name).strip()
    if text == "max":
        return _UNLIMITED
    return int(text) if text.isdigit() else None


def _text(*path):
    try:
        with open(os.path.join(*path), errors="replace") as opened:
            return opened.read()
    except OSError:
        return ""
