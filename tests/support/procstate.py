"""What a process looks like from outside: everything about it that a command of
ours must leave as it was. Standard library only; also runs inside the debuggers."""

import functools
import hashlib
import os
import re
import time

RED_ZONE = 128
CHUNK = 1 << 20


def _read(path):
    with open(path, "rb") as f:
        return f.read()


def maps(pid):
    """[(start, end, permissions, offset, name)]"""
    rows = []
    for line in _read("/proc/%d/maps" % pid).decode(errors="replace").splitlines():
        span, permissions, offset, device, inode, *name = line.split(None, 5)
        start, end = (int(part, 16) for part in span.split("-"))
        rows.append((start, end, permissions, offset, name[0] if name else ""))
    return rows


def _checksum(memory, start, end):
    digest = hashlib.blake2b(digest_size=12)
    memory.seek(start)
    left = end - start
    while left:
        data = memory.read(min(CHUNK, left))
        if not data:
            return "unreadable"
        digest.update(data)
        left -= len(data)
    return digest.hexdigest()


def memory(pid, stack_pointer=0):
    """Checksums of the writable mappings; what lies below the stopped thread's red
    zone in its own stack is dead and left out."""
    sums = {}
    with open("/proc/%d/mem" % pid, "rb", buffering=0) as mem:
        for start, end, permissions, _, name in maps(pid):
            if "w" not in permissions or "r" not in permissions:
                continue
            key = "%x-%x %s" % (start, end, name)
            if start <= stack_pointer < end:
                start = max(start, stack_pointer - RED_ZONE)
            try:
                sums[key] = _checksum(mem, start, end)
            except (OSError, ValueError):
                sums[key] = "unreadable"
    return sums


def status(pid):
    """The signals, the identity and the threads, from /proc/PID/status."""
    wanted = ("Name", "Threads", "SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt", "NoNewPrivs",
              "Seccomp", "Uid", "Gid", "CapEff", "Umask")
    out = {}
    for task in sorted(os.listdir("/proc/%d/task" % pid), key=int):
        for line in _read("/proc/%d/task/%s/status" % (pid, task)).decode().splitlines():
            name, _, value = line.partition(":")
            if name in wanted:
                out["%s %s" % (task, name)] = value.strip()
    return out


def descriptors(pid):
    out = {}
    for fd in os.listdir("/proc/%d/fd" % pid):
        try:
            out[fd] = os.readlink("/proc/%d/fd/%s" % (pid, fd))
        except OSError:
            pass
    return out


def children(pid):
    """Every process whose parent is this one, zombies and hidden ones included."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                stat = _read("/proc/%s/stat" % name).decode(errors="replace")
            except OSError:
                continue
            if int(stat.rpartition(")")[2].split()[1]) == pid:
                found.append(int(name))
    return sorted(found)


def snapshots(pid):
    """The snapshots of a process that live: their stack begins where its own does."""
    found = []
    mine = _stat(pid)
    for name in os.listdir("/proc"):
        fields = _stat(int(name)) if name.isdigit() and int(name) != pid else None
        if fields and mine and fields[25] == mine[25] != "0" and fields[0] not in "ZX" \
                and _name(int(name)) == "rememberme":
            found.append(int(name))
    return found


def gone(pid):
    """Whether a process ends in time. Its init may take its own to reap it."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        fields = _stat(pid)
        if fields is None or fields[0] in "ZX":
            return True
        time.sleep(0.02)
    return False


def _stat(pid):
    """From the state on; None where the process has ended."""
    try:
        return _read("/proc/%d/stat" % pid).decode(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None


def _name(pid):
    try:
        return _read("/proc/%d/comm" % pid).decode(errors="replace").strip()
    except OSError:
        return None


def children_of_tasks(pid):
    """As children(), by the kernel's list: quick, but one with no exit signal is in it
    only while its parent lives."""
    found = []
    for task in os.listdir("/proc/%d/task" % pid):
        try:
            found += _read("/proc/%d/task/%s/children" % (pid, task)).split()
        except OSError:
            pass
    return [int(child) for child in found]


def read(pid, stack_pointer=0):
    state = {
        "maps": ["%x-%x %s %s %s" % row for row in maps(pid)],
        "memory": memory(pid, stack_pointer),
        "status": status(pid),
        "descriptors": descriptors(pid),
        "children": children(pid),
    }
    for name in ("oom_score_adj", "coredump_filter", "limits", "timerslack_ns", "personality"):
        try:
            state[name] = _read("/proc/%d/%s" % (pid, name)).decode()
        except OSError:
            pass
    return state


def differences(before, after):
    """Lines that say what differs, for an assertion's message."""
    lines = []
    for key in sorted(set(before) | set(after)):
        one, two = before.get(key), after.get(key)
        if one == two:
            continue
        if isinstance(one, dict) and isinstance(two, dict):
            lines += ["%s: %s" % (key, line) for line in differences(one, two)]
        elif isinstance(one, list) and isinstance(two, list):
            lines += ["%s: gone: %s" % (key, x) for x in one if x not in two]
            lines += ["%s: new: %s" % (key, x) for x in two if x not in one]
        else:
            lines.append("%s: %r, then %r" % (key, one, two))
    return lines


def _main_thread(pid):
    state = _read("/proc/%d/stat" % pid).rpartition(b")")[2].split()[0].decode()
    switches = re.findall(rb"ctxt_switches:\s*(\d+)", _read("/proc/%d/status" % pid))
    return state, switches, _read("/proc/%d/syscall" % pid).decode().split()


def stack_pointer(pid):
    """Of the main thread of a process that is about to block in a system call, or has: on a
    busy machine one that said that it is ready may not have come so far."""
    seen = None
    for _ in range(500):
        now = _main_thread(pid)
        if now == seen and now[0] in "STt" and len(now[2]) > 2:
            break
        seen = now
        time.sleep(0.02)
    return int(now[2][-2], 16) if len(now[2]) > 2 else 0


def write_byte(fifo):
    """Into the FIFO that a target program holds open; does not wait for a reader."""
    fd = os.open(fifo, os.O_RDWR)
    os.write(fd, b"x")
    os.close(fd)


def footprint(pid):
    """What grows when something leaks."""
    out = {"maps": len(maps(pid)), "descriptors": len(os.listdir("/proc/%d/fd" % pid)),
           "children": len(children(pid))}
    for line in _read("/proc/%d/status" % pid).decode().splitlines():
        name, _, value = line.partition(":")
        if name in ("VmRSS", "VmSize", "VmData", "VmPTE", "Threads", "RssAnon"):
            out[name] = int(value.split()[0])
    return out


def in_three_tries(test):
    """A test that compares memory, tried again where nothing but the main thread's stack
    differs: on an overloaded machine the program may have said that it is ready and not be
    at rest yet. What the helper itself changed would differ in every try."""
    @functools.wraps(test)
    def tried(*args, **kwargs):
        for left in (2, 1, 0):
            try:
                return test(*args, **kwargs)
            except AssertionError as error:
                differences = [line for line in str(error).splitlines() if "memory: " in line]
                if not left or not differences or any("[stack]" not in d for d in differences):
                    raise
    return tried
