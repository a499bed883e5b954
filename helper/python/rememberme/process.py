"""What the system says about the memory of a process, or the file of a core: the part of
py-summary that the helper, which sees objects only, cannot know."""

import os
import re
import stat
import struct

from . import residency

_ET_CORE = 4
_PT_LOAD, _PT_NOTE, _NT_FILE = 1, 4, 0x46494c45
_NOTES_MOST = 1 << 26  # bytes of notes that are read
_NAMED, _NAMED_FROM = 5, 1 << 20  # data files that have a row: how many, from which size on
_FIELDS = re.compile(r"^(VmRSS|VmSwap|RssFile|RssShmem):\s*(\d+) kB", re.MULTILINE)
_NATIVE = "memory of C code, thread stacks, what malloc keeps"
_IN_CORE = "memory of C code, stacks, what malloc keeps, pages of files, unused pages"


def account(target, reply):
    """{"memory":{"total","total_title","parts","rest","rest_title"}|None,"notes":[…]}:
    total = objects + free in arenas + parts + rest. Of a live process "memory" also has what
    residency.sharing says, where the system tells."""
    notes = []
    memory = None
    if target.kind == "core":
        memory = _of_core(target.core_path)
    elif target.local:
        memory = _of_process(target.pid, reply.get("large", ()))
    if memory is None:
        notes.append("How much memory the process takes in all is not known here.")
    if reply["arenas"] is None:
        notes.append(_why_no_arenas(reply["python"]))
    notes.append("Not seen: objects outside the garbage collector's lists that only C code holds, "
                 "and memory that C code allocates by itself; both are in the rest.")
    if memory:
        if reply.get("large_more"):
            notes.append("Of %d more objects of 256 KiB or more it was not looked up whether they "
                         "are resident." % reply["large_more"])
        known = reply["size"] + (reply["arenas"] or {"free": 0})["free"]
        known += sum(part["size"] for part in memory["parts"])
        memory["rest"] = memory["total"] - known
        if memory["rest"] < 0:
            # built-in types lie in files; of small objects it is not looked up
            memory["parts"].append({"title": "counted above, but not resident or in files",
                                    "size": memory["rest"]})
            memory["rest"] = 0
    return {"memory": memory, "notes": notes}


def _why_no_arenas(version):
    if tuple(int(part) for part in version.split(".")[:2]) < (3, 12):
        return ("What CPython's arenas hold free is in the rest: only CPython 3.12 and later tell "
                "where their arenas are.")
    return ("No arenas of CPython's own were found: small blocks come from another allocator "
            "(PYTHONMALLOC), and what that holds free is in the rest.")


def is_core(path):
    try:
        # to open a pipe would wait
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        with open(descriptor, "rb") as opened:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return False
            header = opened.read(18)
    except OSError:
        return False
    return header[:4] == b"\x7fELF" and struct.unpack_from("<H", header, 16)[0] == _ET_CORE


def _of_process(pid, large):
    try:
        with open("/proc/%d/status" % pid, errors="replace") as status:
            fields = {name: int(value) * 1024 for name, value in _FIELDS.findall(status.read())}
    except OSError:
        return None
    if "VmRSS" not in fields:
        return None
    swap = fields.get("VmSwap", 0)
    parts = _of_files(fields.get("RssFile", 0), residency.files(pid) or {})
    parts.append({"title": "shared memory", "size": fields.get("RssShmem", 0)})
    absent = residency.absent(pid, [(int(one["address"], 16), one["size"]) for one in large])
    parts.append({"title": "in objects, but not resident: pages that were not touched yet",
                  "size": -(absent or 0)})
    found = {"total": fields["VmRSS"] + swap,
             "total_title": "resident (RSS)" + (" and swapped" if swap else ""), "swap": swap,
             "parts": [part for part in parts if part["size"]], "rest_title": _NATIVE}
    found.update(residency.sharing(pid) or {})
    return found


def _of_files(total, data):
    """Rows for the largest of the data files, and one for all other pages of files."""
    named = sorted(((size, path) for path, size in data.items() if size >= _NAMED_FROM),
                   reverse=True)[:_NAMED]
    # files of a file system in memory are in the shared memory
    while sum(size for size, _ in named) > total:
        named.pop(0)
    rest = total - sum(size for size, _ in named)
    return [{"title": "pages of files: program and libraries", "size": rest}] + [
        {"title": "pages of the file %s" % path, "size": size} for size, path in named]


def _of_core(path):
    """What the core's PT_LOAD headers have in the file, and how much of it is shared memory."""
    try:
        with open(path, "rb") as core:
            head = core.read(64)
            offset, = struct.unpack_from("<Q", head, 32)
            size, n = struct.unpack_from("<HH", head, 54)
            if n == 0xffff:  # PN_XNUM: the number is in the first section header
                core.seek(struct.unpack_from("<Q", head, 40)[0])
                n = struct.unpack_from("<I", core.read(64), 44)[0]
            core.seek(offset)
            headers = core.read(size * n)
            loads, names = [], []
            for i in range(n):
                kind, _, at, start, _, in_file = struct.unpack_from("<IIQQQQ", headers, i * size)
                if kind == _PT_LOAD:
                    loads.append((start, start + in_file))
                elif kind == _PT_NOTE and in_file <= _NOTES_MOST:
                    core.seek(at)
                    names += _mapped_files(core.read(in_file))
    except (OSError, TypeError, struct.error):
        return None
    shared = sum(max(0, min(end, load_end) - max(start, load_start))
                 for start, end, path in names if residency.is_shared_memory(path)
                 for load_start, load_end in loads)
    parts = [{"title": "shared memory", "size": shared}] if shared else []
    return {"total": sum(end - start for start, end in loads), "total_title": "memory in the core",
            "swap": 0, "parts": parts, "rest_title": _IN_CORE}


def _mapped_files(notes):
    """The (start, end, path) of an NT_FILE note, as the kernel and gdb write it."""
    at = 0
    while at + 12 <= len(notes):
        n_name, n_data, kind = struct.unpack_from("<III", notes, at)
        data = at + 12 + (n_name + 3 & ~3)
        at = data + (n_data + 3 & ~3)
        if kind != _NT_FILE or data + n_data > len(notes) or n_data < 16:
            continue
        count, _ = struct.unpack_from("<QQ", notes, data)
        paths = notes[data + 16 + 24 * count:data + n_data].split(b"\0")
        if 16 + 24 * count > n_data or len(paths) < count:
            continue
        return [struct.unpack_from("<QQ", notes, data + 16 + 24 * i) +
                (paths[i].decode("utf-8", "surrogateescape"),) for i in range(count)]
    return []
