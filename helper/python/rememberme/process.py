"""What the system says about the memory of a process, or the file of a core: the part of
py-summary that the helper, which sees objects only, cannot know."""

import os
import re
import stat
import struct

_ET_CORE = 4
_FIELDS = re.compile(r"^(VmRSS|VmSwap|RssFile|RssShmem):\s*(\d+) kB", re.MULTILINE)
_NATIVE = "memory of C code, thread stacks, what malloc keeps"
_IN_CORE = "memory of C code, stacks, what malloc keeps, pages of files, unused pages"


def account(target, reply):
    """{"memory":{"total","total_title","parts","rest","rest_title"}|None,"notes":[…]}:
    total = objects + free in arenas + parts + rest."""
    notes = []
    memory = None
    if target.kind == "core":
        memory = _of_core(target.core_path)
    elif target.local:
        memory = _of_process(target.pid)
    if memory is None:
        notes.append("How much memory the process takes in all is not known here.")
    if reply["arenas"] is None:
        notes.append("What CPython's arenas hold free is in the rest: only CPython 3.12 and later "
                     "tell where their arenas are.")
    notes.append("Not seen: objects outside the garbage collector's lists that only C code holds, "
                 "and memory that C code allocates by itself; both are in the rest.")
    if memory:
        known = reply["size"] + (reply["arenas"] or {"free": 0})["free"]
        known += sum(part["size"] for part in memory["parts"])
        memory["rest"] = memory["total"] - known
        if memory["rest"] < 0:
            # a buffer of zeros may have no page of its own; built-in types lie in files
            memory["parts"].append({"title": "counted above, but not resident or in files",
                                    "size": memory["rest"]})
            memory["rest"] = 0
    return {"memory": memory, "notes": notes}


def is_core(path):
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # to open a pipe would wait
            return False
        with open(path, "rb") as opened:
            header = opened.read(18)
    except OSError:
        return False
    return header[:4] == b"\x7fELF" and struct.unpack_from("<H", header, 16)[0] == _ET_CORE


def _of_process(pid):
    try:
        with open("/proc/%d/status" % pid, errors="replace") as status:
            fields = {name: int(value) * 1024 for name, value in _FIELDS.findall(status.read())}
    except OSError:
        return None
    if "VmRSS" not in fields:
        return None
    swap = fields.get("VmSwap", 0)
    parts = [{"title": "pages of files: program and libraries", "size": fields.get("RssFile", 0)},
             {"title": "shared memory", "size": fields.get("RssShmem", 0)}]
    return {"total": fields["VmRSS"] + swap,
            "total_title": "resident (RSS)" + (" and swapped" if swap else ""), "swap": swap,
            "parts": [part for part in parts if part["size"]], "rest_title": _NATIVE}


def _of_core(path):
    """The sum of what the core's PT_LOAD headers have in the file."""
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
            total = sum(struct.unpack_from("<Q", headers, i * size + 32)[0] for i in range(n)
                        if struct.unpack_from("<I", headers, i * size)[0] == 1)
    except (OSError, TypeError, struct.error):
        return None
    return {"total": total, "total_title": "memory in the core", "swap": 0, "parts": [],
            "rest_title": _IN_CORE}
