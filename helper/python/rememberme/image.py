"""Images: frozen memories that answer questions. Here is which of them a question goes to: the
one of this stop, or of this core, which is made by the first question and serves the
others until the process goes on. Knows no debugger.

An image of a live process is good as long as none of its threads has run since: the debugger
tells of what it does itself (Adapter.moment), and the kernel counts how often each thread was
given a CPU. Our own calls run one; so the counts are taken when they are over.
"""

import atexit
import os
import re
import threading
import time

from . import inject, library, undump
from .adapter import CORE, LIVE
from .errors import Failure

_COUNTS = re.compile(r"^(?:State|\w*voluntary_ctxt_switches):.*", re.MULTILINE)
_STOPPED = "tTZX"

_WATCH = 0.1  # seconds between two looks whether the process goes on

_current = None  # the _Held of this stop or core


class _Held(object):
    def __init__(self, image, moment):
        self.image = image
        self.moment = moment  # what it is of: another value when the memory may be another


def drop():
    """The memory may be another from now on."""
    global _current
    held, _current = _current, None
    if held is not None:
        held.image.close()


atexit.register(drop)


def answer(adapter, settings, target, request):
    """The reply of an image to a Request, as a dict. Raises Failure."""
    global _current
    moment = _moment(adapter, settings, target, request)
    if _current is not None and (_current.image.ended or _current.moment != moment):
        drop()
    if _current is None:
        image = _make(adapter, settings, target)
        moment = _moment(adapter, settings, target, request)
        if moment is None or not image.stays:
            try:
                return image.ask(adapter, settings, request)
            finally:
                image.close()
        _current = _Held(image, moment)
        if target.kind == LIVE and not adapter.tells_when_it_goes_on:
            threading.Thread(target=_watch, args=(image, target.pid), daemon=True).start()
    held = _current
    try:
        return held.image.ask(adapter, settings, request)
    finally:
        if held.image.ended and _current is held:
            drop()


def holds(adapter, settings, target, request):
    """Whether answer() has an image for this."""
    return (_current is not None and not _current.image.ended
            and _current.moment == _moment(adapter, settings, target, request))


def _make(adapter, settings, target):
    if target.kind == LIVE and settings.inject == "on":
        return inject.make(adapter, settings, target)
    if target.kind == LIVE and not target.local:
        raise Failure("not-local", "`py-config inject off` reads the memory of a process on "
                      "this machine; this one is remote, so use `py-config inject on` or a "
                      "core of it.")
    return undump.make(target, settings)


def _watch(image, pid):
    """Ends the image when the process goes on: each page that it writes would be copied."""
    while not image.ended:
        try:
            with open("/proc/%d/stat" % pid, errors="replace") as stat:
                if stat.read().rpartition(")")[2].split()[0] not in _STOPPED:
                    break
        except (OSError, IndexError):
            break
        time.sleep(_WATCH)
    image.close()


def _moment(adapter, settings, target, request):
    """None: an image of this target, as it is now, is good for one question only."""
    try:
        if target.kind == LIVE and settings.inject == "on":
            how = ("inject", settings.watchdog)
            if not request.thread.thread_pointer:
                how += (request.thread.lwp,)  # the image knows but one thread's
        else:
            how = ("undump", settings.watchdog, settings.binaries, target.sysroot, target.search_path,
                   tuple(_version(path) for path in target.files))
        how += (_version(library.find(library.LIBRARY)),)
        if target.kind == CORE:
            return how + (_version(target.core_path),)
        if not target.local:
            return None
        threads = _threads(target.pid)
        return how + (target.pid, adapter.moment(), threads) if threads else None
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
