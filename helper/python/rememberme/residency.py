"""Which memory of a live process is resident, and as what: what /proc/PID says page by page
and mapping by mapping. Knows nothing of Python objects."""

import re

PAGE = 4096
_THERE = bytes(1 if byte & 0xc0 else 0 for byte in range(256))  # present, or swapped
_CHUNK = 1 << 20  # pages that are looked up at once

# Where shared memory lies that is no file on a disk
_SHARED = ("/dev/shm/", "/memfd:", "/SYSV", "/dev/zero", "[anon_shmem:")

_HEAD = re.compile(r"^[0-9a-f]+-[0-9a-f]+ (\S{4}) \S+ \S+ \S+\s*(.*)$")
_FIELD = re.compile(r"^(Rss|Anonymous):\s*(\d+) kB$")
_ROLLUP = re.compile(r"^(Pss|Private_Clean|Private_Dirty|Shared_Clean|Shared_Dirty):\s*(\d+) kB",
                     re.MULTILINE)


def absent(pid, extents):
    """How many bytes of these (start, size), whole pages only, have no page; None when the
    system does not tell."""
    total = 0
    try:
        with open("/proc/%d/pagemap" % pid, "rb") as pagemap:
            for start, end in _pages(extents):
                pagemap.seek(8 * start)
                while start < end:
                    entries = pagemap.read(8 * min(end - start, _CHUNK))
                    if len(entries) < 8:
                        break
                    # the flags are in an entry's highest byte
                    total += entries[7::8].translate(_THERE).count(0)
                    start += len(entries) // 8
    except (OSError, ValueError, OverflowError):
        return None
    return total * PAGE


def _pages(extents):
    """Ranges of whole pages, none twice."""
    last = 0
    for start, size in sorted(extents):
        first = max((start + PAGE - 1) // PAGE, last)
        last = max(last, (start + size) // PAGE)
        if first < last:
            yield first, last


def is_shared_memory(path):
    return path.startswith(_SHARED)


def files(pid):
    """{path: resident bytes of file pages} of files that are mapped as data, not as a program
    or library; None when the system does not tell."""
    found, programs = {}, set()
    path = None
    try:
        with open("/proc/%d/smaps" % pid, errors="replace") as smaps:
            for line in smaps:
                head = _HEAD.match(line)
                if head:
                    path = head.group(2)
                    if "x" in head.group(1):
                        programs.add(path)
                    continue
                field = _FIELD.match(line)
                if field and path.startswith("/") and not is_shared_memory(path):
                    sign = 1 if field.group(1) == "Rss" else -1
                    found[path] = found.get(path, 0) + sign * 1024 * int(field.group(2))
    except OSError:
        return None
    return {path: size for path, size in found.items() if path not in programs and size > 0}


def sharing(pid):
    """{"pss", "private", "shared"} in bytes; None when the system does not tell."""
    try:
        with open("/proc/%d/smaps_rollup" % pid) as rollup:
            fields = {name: 1024 * int(value) for name, value in _ROLLUP.findall(rollup.read())}
    except OSError:
        return None
    if len(fields) != 5:
        return None
    return {"pss": fields["Pss"], "private": fields["Private_Clean"] + fields["Private_Dirty"],
            "shared": fields["Shared_Clean"] + fields["Shared_Dirty"]}
