"""Looks at a live process before anything is called in it: could that cost it anything?
Then it is analysed from outside, and the answer says why. Knows no debugger and nothing
of how a call is made."""

import copy
import ctypes
import glob
import os
import re

from . import library, limits, seccomp
from .adapter import LIVE
from .errors import Failure
from .request import TYPES, WHOLE_HEAP

PROC = "/proc"

# What an injection ended with, while nothing was different in the process afterwards: the
# other way may still answer
_HARMLESS = ("no-memory", "no-snapshot", "no-libc", "call-failed", "died", "out-of-memory")

_AUTO = "`py-config inject auto` answers from outside"
_CROWD = ("this debugger counts in that group too: give it more room, run the debugger outside of it, "
          "or analyse a core elsewhere")
_THAW = "thaw it first"

_SYS_KCMP, _KCMP_VM = 312, 1
_MARGIN = 1 << 20       # what a group counts late, and the kernel's side of a process
_PER_MAPPING = 256      # struct vm_area_struct, in the copy

# Of the resident memory, what a snapshot takes for itself at most: the bitmap of a walk; the
# graph of the heap and what is computed on it
_WALK, _GRAPH = 1 / 24, 1


class Doubt(object):
    """A reason not to call. `fatal`: the process would surely die, or be lost to the
    debugger. `kind` is the Failure's, `reason` the beginning of a sentence, `instead` its end
    where the other way cannot be taken either."""

    def __init__(self, kind, reason, fatal=False, instead=None):
        self.kind = kind
        self.reason = reason
        self.fatal = fatal
        self.instead = instead

    def failure(self):
        return Failure(self.kind, "%s%s; %s." % (self.reason[0].upper(), self.reason[1:],
                                                 self.instead or _AUTO))


def guarded(settings, target, request, ask, holds=lambda chosen: False):
    """The reply of ask(settings), where `inject` is "on" or "off" as the look at the process
    says, with a caveat where `auto` has become off. Raises Failure. Where holds(settings) there
    is a snapshot already, and nothing will be called."""
    if target.kind != LIVE or settings.inject == "off":
        return ask(settings)
    if not target.local:
        return ask(_with(settings, "on"))
    doubt = None if holds(_with(settings, "on")) else _doubt(target.pid, request)
    if settings.inject == "on":
        if doubt is not None and doubt.fatal:
            raise doubt.failure()
        try:
            return ask(settings)
        except Failure as failure:
            if failure.kind != "out-of-memory":
                raise
            raise Failure(failure.kind, "%s; %s." % (failure.message.rstrip("."), _AUTO))
    if doubt is not None:
        if doubt.instead:
            raise doubt.failure()
        reason = doubt.reason
    else:
        try:
            return ask(_with(settings, "on"))
        except Failure as failure:
            if failure.kind not in _HARMLESS:
                raise
            reason = failure.message
    try:
        reply = ask(_with(settings, "off"))
    except Failure as failure:
        if failure.kind != "no-thread-pointer":
            raise
        raise Failure(failure.kind, "%s; %s" % (reason.rstrip("."), failure.message))
    reply["caveats"].append({
        "kind": "hands-off", "type": None, "count": 0, "address": None,
        "message": "The process was read from outside (inject auto): %s." % reason.rstrip(".")})
    return reply


def _with(settings, inject):
    chosen = copy.copy(settings)
    chosen.inject = inject
    return chosen


def _doubt(pid, request):
    lwp = request.thread.lwp
    try:
        status = _read(pid, "task", str(lwp), "status")
        memory = _read(pid, "status")
    except OSError:
        return None  # it has ended: the way in says so
    for look in (_frozen, _state, _filtered, _shared, _crowded, _committed):
        doubt = look(pid, lwp, request, status + memory)
        if doubt is not None:
            return doubt
    return None


def _frozen(pid, lwp, request, status):
    if limits.is_frozen(pid):
        return Doubt("frozen", "process %d is frozen by its control group, where a call would wait "
                     "for ever" % pid, fatal=True,
                     # v1: not even its memory is known to be at rest then
                     instead=_THAW if re.search(r"^State:\s*D", status, re.MULTILINE) else None)
    return None


def _state(pid, lwp, request, status):
    state = re.search(r"^State:\s*(\S)", status, re.MULTILINE)
    if state and state.group(1) in "ZX":
        return Doubt("unsafe", "thread %d has ended and cannot be called in" % lwp, fatal=True)
    if re.search(r"^x86_Thread_features:.*\bshstk\b", status, re.MULTILINE):
        return Doubt("unsafe", "process %d has a shadow stack, which a call of ours would "
                     "not be on" % pid, fatal=True)
    return None


def _filtered(pid, lwp, request, status):
    mode = seccomp.mode(status)
    if mode == 0:
        return None
    if mode == 1:
        return Doubt("seccomp", "process %d runs under seccomp's strict mode, which kills it for "
                     "any call" % pid, fatal=True)
    programs = seccomp.filters(lwp)
    if programs is None:
        return Doubt("seccomp", "process %d runs under a seccomp filter that cannot be read from "
                     "here, so it might be killed for a call" % pid)
    refused = seccomp.refused(programs)
    if not refused:
        return None
    return Doubt("seccomp", "process %d runs under a seccomp filter that does not allow %s" % (
        pid, _listed(sorted(refused))), fatal=any(
            name in seccomp.IN_THE_PROCESS and seccomp.kills(action)
            for name, action in refused.items()))


def _listed(names):
    return ", ".join(names[:4]) + (" and %d more" % (len(names) - 4) if len(names) > 4 else "")


def _shared(pid, lwp, request, status):
    """Another process in the same address space: of vfork, or of clone with CLONE_VM."""
    others = re.findall(r"^PPid:\s*(\d+)", status, re.MULTILINE)
    for path in glob.glob("%s/%d/task/*/children" % (PROC, pid)):
        try:
            with open(path) as children:
                others += children.read().split()
        except OSError:
            pass
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    for other in {int(number) for number in others} - {0, pid}:
        if syscall(_SYS_KCMP, pid, other, _KCMP_VM, 0, 0) == 0:
            return Doubt("unsafe", "process %d shares its whole memory with process %d (one "
                         "is a vfork of the other)" % (pid, other))
    return None


def _crowded(pid, lwp, request, status):
    room = limits.room(pid)
    if room is None:
        return None
    before, after = _needs(request, status)
    if room.room >= before + after + _MARGIN:
        return None
    return Doubt("no-room", "the memory limit of control group %s leaves process %d %s, too little "
                 "for a snapshot" % (room.path, pid, _mib(max(0, room.room))),
                 fatal=room.room < before,
                 instead=_CROWD if limits.shares(os.getpid(), room.path) else None)


def _needs(request, status):
    """Bytes that a stay takes before the snapshot may be killed for it in place of the
    process, and those of the snapshot then."""
    sizes = {name: int(value) << 10 for name, value in re.findall(
        r"^(Vm\w+|Rss\w+):\s*(\d+) kB", status, re.MULTILINE)}
    resident = sizes.get("VmRSS", 0) + sizes.get("VmSwap", 0)
    before = os.path.getsize(library.find(library.LIBRARY)) + sizes.get("VmPTE", 0)
    before += _PER_MAPPING * 1000
    return before, int(resident * (
        _GRAPH if request.query in WHOLE_HEAP and request.query != TYPES else _WALK))


def _committed(pid, lwp, request, status):
    """Without overcommit the copy of a process counts in full, and others get nothing."""
    try:
        with open(os.path.join(PROC, "sys/vm/overcommit_memory")) as setting:
            if setting.read().strip() != "2":
                return None
        with open(os.path.join(PROC, "meminfo")) as meminfo:
            sizes = {name: int(value) << 10 for name, value in re.findall(
                r"^(\w+):\s*(\d+) kB", meminfo.read(), re.MULTILINE)}
    except OSError:
        return None
    data = re.search(r"^VmData:\s*(\d+) kB", status, re.MULTILINE)
    left = sizes.get("CommitLimit", 0) - sizes.get("Committed_AS", 0)
    if data and left < 2 * (int(data.group(1)) << 10):
        return Doubt("no-memory", "this machine promises no more memory than it has "
                     "(vm.overcommit_memory is 2) and a copy of process %d would not fit" % pid)
    return None


def _mib(size):
    return "%.1f MiB" % (size / (1 << 20))


def _read(pid, *path):
    with open(os.path.join(PROC, str(pid), *path), errors="replace") as opened:
        return opened.read()
