"""The graph of the heap, kept from one question to the next at the same stop, so that only the
first of them takes the time to build it. The last one is kept, in a file of this process
that has no name. Knows no debugger.

It is good for a core as long as the files are the same, and for a live process as long as
none of its threads has run since: the kernel counts how often each was given a CPU. Our own
calls run one; so the counts are taken when a question is over.
"""

import glob
import os
import re
import struct
import tempfile

from . import library
from .errors import CallFailed, Failure
from .request import GRAPH, KEPT, OFFERED

FEWEST = 200000  # objects: a smaller graph is built before it is copied

_BUFFER = 1 << 18
_PIECE = struct.Struct("<QQ")  # struct rme_range
_COUNTS = re.compile(r"^(?:State|\w*voluntary_ctxt_switches):.*", re.MULTILINE)
_STOPPED = "tTZX"

_graph = None  # the _Graph that is kept


def drop():
    """Forgets the graph, if there is one."""
    global _graph
    if _graph is not None:
        _graph.file.close()
        _graph = None


class _Graph(object):
    """`head` are the bytes of struct rme_kept with what follows it; `file` has these, and
    the data behind them. `moment` says what the graph is of."""

    def __init__(self, file, head, moment):
        self.file = file
        self.head = head
        self.moment = moment


class Keeping(object):
    """What one question has to do with the graph: takes the one that is kept, or keeps the
    one that it builds. A context manager around its answer."""

    def __init__(self, target, settings, question):
        self._target = target
        self._settings = settings
        self._question = question
        self._before = None
        self._takes = False
        self._new = None  # the file of a new one
        self._complete = False

    def __enter__(self):
        wanted = self._settings.keep == "on" and self._question.query in GRAPH
        if wanted or _graph is not None:
            self._before = _moment(self._target, self._settings)
        if _graph is not None and _graph.moment != self._before:
            drop()
        if wanted and self._before is not None:
            self._takes = _graph is not None
            if self._takes:
                self._question.kept = _graph.head
            else:
                self._question.keep_from = FEWEST
        return self

    def __exit__(self, kind, value, traceback):
        global _graph
        if kind is not None and (not issubclass(kind, Failure) or issubclass(kind, CallFailed)):
            drop()
        new, self._new = self._new, None
        if new is None and _graph is None:
            return
        moment = self._before
        if moment is not None and _calls(self._target, self._settings):
            moment = _moment(self._target, self._settings)
        if _graph is not None:
            _graph.moment = moment
        elif kind is None and self._complete:
            head = _head(new)
            if head:
                _graph, new = _Graph(new, head, moment), None
        if new is not None:
            new.close()
        if moment is None:
            drop()

    def answered(self, reply):
        """Looks at the reply: which graph is it from?"""
        if self._takes and reply.get("graph") != "kept":
            drop()
        self._complete = not self._takes and reply.get("graph") == "built"

    def descriptor(self):
        """The file that rememberme-undump takes the graph from or writes it to; None."""
        try:
            if self._takes:
                os.lseek(_graph.file.fileno(), len(self._question.kept), os.SEEK_SET)
                return _graph.file.fileno()
            if self._question.keep_from:
                self._new = tempfile.TemporaryFile(buffering=0)
                return self._new.fileno()
        except OSError:
            pass
        return None

    def exchange(self, state, snapshot, pieces, n_pieces, interrupted):
        """Copies what a snapshot offers, or gives it what it wants; `snapshot` is its pid in
        the debuggee's own view, `pieces` the address of its table. True when that is done."""
        pid = _pid_here(self._target.pid, snapshot)
        if pid is None:
            return False
        try:
            with open("/proc/%d/mem" % pid, "rb" if state == OFFERED else "r+b", 0) as memory:
                memory.seek(pieces)
                table = _read(memory, n_pieces * _PIECE.size)
                ranges = [(start, end - start) for start, end in _PIECE.iter_unpack(table)]
                if state == OFFERED:
                    self._keep(memory, ranges, interrupted)
                else:
                    self._give(memory, ranges, interrupted)
        except (OSError, ValueError, OverflowError):
            self.refuse()
            return False
        return True

    def refuse(self):
        """What was copied is of no use."""
        if self._new is not None:
            self._new.close()
            self._new = None

    def _keep(self, memory, ranges, interrupted):
        self.refuse()  # of a first try, whose reply was too large
        self._new = tempfile.TemporaryFile(buffering=0)
        room = os.fstatvfs(self._new.fileno())
        if sum(size for _, size in ranges) > room.f_bavail * room.f_frsize // 2:
            raise OSError("the disk would be nearly full")
        for start, size in ranges:
            memory.seek(start)
            _copy(memory, self._new, size, interrupted)

    def _give(self, memory, ranges, interrupted):
        file = _graph.file
        if sum(size for _, size in ranges) != _size(file) - len(_graph.head):
            raise OSError("not the pieces that were kept")
        file.seek(len(_graph.head))
        for start, size in ranges:
            memory.seek(start)
            _copy(file, memory, size, interrupted)


def _read(file, size):
    data = file.read(size)
    if data is None or len(data) != size:
        raise OSError("short")
    return data


def _copy(source, destination, size, interrupted):
    buffer = memoryview(bytearray(min(size, _BUFFER)))
    while size:
        if interrupted():
            raise KeyboardInterrupt()
        n = source.readinto(buffer[:size])
        if not n or destination.write(buffer[:n]) != n:
            raise OSError("short")
        size -= n


def _size(file):
    return os.fstat(file.fileno()).st_size


def _head(file):
    """The bytes of the head of a graph that is there in full; else None."""
    try:
        file.seek(0)
        _, size, total = KEPT.unpack(_read(file, KEPT.size))
        file.seek(0)
        return _read(file, size) if _size(file) == size + total else None
    except OSError:
        return None


def _pid_here(parent, inner):
    """The pid of a child of process `parent` whose pid in that one's namespace is `inner`."""
    candidates = []
    for path in glob.glob("/proc/%d/task/*/children" % parent):
        try:
            with open(path) as children:
                candidates += map(int, children.read().split())
        except OSError:
            pass
    for pid in candidates or [inner]:  # not every kernel has the lists
        try:
            with open("/proc/%d/status" % pid, errors="replace") as status:
                fields = dict(line.split(":", 1) for line in status if ":" in line)
        except OSError:
            continue
        numbers = fields.get("NSpid", fields["Pid"]).split()
        if int(fields["PPid"]) == parent and int(numbers[-1]) == inner:
            return pid
    return None


# What a graph is of: a value that differs when the memory may be another.

def _calls(target, settings):
    return target.kind == "live" and settings.inject == "on"


def _moment(target, settings):
    """None: nothing can be kept of this target, as it is now."""
    try:
        how = ("inject",) if _calls(target, settings) else (
            "undump", settings.binaries, target.sysroot, target.search_path,
            tuple(_version(path) for path in target.files))
        how += (_version(library.find(library.LIBRARY)),)
        if target.kind == "core":
            return how + (_version(target.core_path),)
        if not target.local:
            return None
        threads = _threads(target.pid)
        return how + (target.pid, threads) if threads else None
    except (OSError, IndexError, TypeError):
        return None


def _version(path):
    status = os.stat(path)
    return path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _threads(pid):
    """When the process began, and how often each of its threads has run; None when one of
    them is not stopped."""
    with open("/proc/%d/stat" % pid, errors="replace") as stat:
        found = [stat.read().rpartition(")")[2].split()[19]]
    for lwp in sorted(os.listdir("/proc/%d/task" % pid)):
        folder = "/proc/%d/task/%s/" % (pid, lwp)
        with open(folder + "status", errors="replace") as status:
            counts = _COUNTS.findall(status.read())
        if counts[0].split()[1] not in _STOPPED:
            return None
        found += [lwp] + counts
        try:
            with open(folder + "schedstat") as ran:
                found.append(ran.read())
        except OSError:
            pass  # not every kernel has it
    return tuple(found)
