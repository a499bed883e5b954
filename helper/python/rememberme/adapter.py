"""What a debugger must provide. Knows nothing of Python objects, of the helper
library or of any command.

How a session runs, and who does what:

    adapter file            registers each of commands.COMMANDS with its help;
                            hands over the raw argument text:
                                outcome = commands.run(adapter, "py-memory", text)
                            prints outcome.output as it is (it ends with a newline
                            unless empty), and when outcome.error is not None
                            reports that sentence as the debugger's own error.
                            With --json an error is in outcome.output, as JSON, and
                            outcome.error is None; outcome.failed tells either way.
                            For completion:
                                start, words = commands.complete(adapter, name, text)
                            where `text` is what stands left of the cursor after the
                            command's name, and each word replaces text[start:].
    commands                parse the text, build a request, render the reply
    session                 which thread and frame
    image                   which image answers: one that is there, or a new one
    inject                  makes a snapshot, with adapter.calls(): call mmap, write the
                            library, call rme_snapshot, munmap
    snapshot                asks it, through /proc
    undump                  runs the program rememberme-undump

Every method may raise errors.Failure with a sentence for the user. Any other
exception is a bug, except KeyboardInterrupt, which is Ctrl-C at any place.
All addresses and values are unsigned Python integers.
"""

import collections
import contextlib
import locale
import sys

# One line of /proc/PID/maps. `path` is "" for anonymous memory; `flags` is "r-xp".
Mapping = collections.namedtuple("Mapping", "start end flags offset path")

# `number` as the user sees it, `lwp` the kernel's thread id in the debugger's view,
# `thread_pointer` the fs base, 0 where the debugger cannot tell it.
Thread = collections.namedtuple("Thread", "number lwp thread_pointer stack_pointer")
Thread.__new__.__defaults__ = (0,)  # not known


def is_utf8(charset):
    return charset.upper().replace("-", "") == "UTF8"


# Where a compiler has cut the eval loop into functions without names (Debian's 3.13 to 3.15
# built by gcc 16), no frame of it can be told.
NO_EVAL_LOOP = ("No C frame of this thread is known to be Python's eval loop, so the Python frame of "
                "the selected C frame cannot be told: name one with --frame (`py-frames` lists "
                "them), or select frame 0.")

LIVE, CORE, NONE = "live", "core", "none"

RESULT = object()  # in call()'s `undo`: what that call returns


class Target(collections.namedtuple(
        "Target", "kind pid local core_path files sysroot search_path")):
    """What is being debugged.

    kind         LIVE, CORE or NONE (nothing is loaded, or a program that is not running)
    pid          of the process in the debugger's view; for a core as the core says; or None
    local        LIVE only: the process runs on this machine, so /proc/PID is its own
    core_path    CORE only: where the core file is, or None when the debugger cannot tell
    files        the binaries here that the debugger has loaded for it (program and
                 libraries, as its own sysroot and search rules found them)
    sysroot      a folder here that holds the debuggee's files, or None
    search_path  folders here to search for its libraries (gdb: solib-search-path)
    """
    __slots__ = ()

    def __new__(cls, kind, pid=None, local=False, core_path=None, files=(),
                sysroot=None, search_path=()):
        return super(Target, cls).__new__(
            cls, kind, pid, local, core_path, tuple(files), sysroot,
            tuple(search_path))


class Adapter(object):
    """A debugger. One instance lives as long as the plugin."""

    name = None  # "gdb" or "lldb"

    # Whether image.drop() is called as soon as the process goes on
    tells_when_it_goes_on = False

    # What is being debugged

    def target(self):
        """The Target. Cheap: called for every command."""
        raise NotImplementedError

    def mappings(self):
        """The debuggee's memory map, as a list of Mapping sorted by address. Only
        called for a LIVE target that is not local: the others are read from /proc."""
        raise NotImplementedError

    def moment(self):
        """LIVE only: a value that is another one when this debugger has let the process run or
        has changed its memory, as far as the debugger knows."""
        raise NotImplementedError

    def symbol(self, name):
        """The address of a function or variable by the debugger's own symbol tables,
        or None. Only asked when the debuggee's .dynsym, which this package reads by
        itself, has no such name."""
        raise NotImplementedError

    # Memory

    def read(self, address, size):
        """Exactly `size` bytes, or errors.Unreadable. Must be fresh: the snapshot
        changes shared memory while the debuggee is stopped, so a debugger's memory
        cache must be by-passed. Must reach memory that is mapped read-only."""
        raise NotImplementedError

    def write(self, address, data):
        """Writes all of `data` or raises errors.Unreadable. Must reach pages mapped
        read-and-execute (private), as ptrace and /proc/PID/mem do."""
        raise NotImplementedError

    # Calls, LIVE only

    @contextlib.contextmanager
    def calls(self):
        """Around all call()s of one question. On entry: only the selected thread will
        run, a signal or fault during a call unwinds it, user breakpoints and
        watchpoints are out of the way (the snapshot would inherit their int3), forks
        are not followed, nothing is announced. On exit, also by an exception, all of
        it is as it was: settings, breakpoints, selected thread and frame."""
        raise NotImplementedError
        yield

    def call(self, address, *arguments, undo=None):
        """Calls the function at `address` on the selected thread with up to six
        integers; returns rax as an unsigned 64-bit integer. Raises errors.CallFailed
        when it did not return. Never passes a string (debuggers call malloc for those).
        Ctrl-C during it raises KeyboardInterrupt or CallFailed.

        `undo` is the call that cleans up after this one: (address, at most two arguments),
        with RESULT for that integer. Where this process is the debuggee's tracer, or lldb-server
        of this machine is, the thread makes it by itself if the debugger ends before call()
        has made it; and in any case the end of calls() does.

        The thread is as before the first call when calls() is over, or a call has failed."""
        raise NotImplementedError

    # Threads and frames

    def threads(self):
        """All threads, as a list of Thread, with thread pointers where known."""
        raise NotImplementedError

    def selected_thread(self):
        """The Thread that the user has selected, or None."""
        raise NotImplementedError

    @contextlib.contextmanager
    def thread_selected(self, number):
        """Selects another thread (its innermost frame), and afterwards the former
        thread and frame. Raises Failure("no-such-thread") for an unknown number."""
        raise NotImplementedError
        yield

    def eval_depth(self):
        """How many C frames of _PyEval_EvalFrameDefault are further in than the
        selected C frame of the selected thread (struct rme_request). 0 when the
        innermost frame is selected, without unwinding anything."""
        raise NotImplementedError

    def stack_pointer(self):
        """That of the selected C frame; 0 when the innermost frame is selected, or when it
        is not known."""
        return 0

    def evaluate(self, text):
        """The value of the C expression inside $(…) as an unsigned 64-bit integer, in
        the selected frame. Raises Failure("bad-expression") with the debugger's
        own words. Leaves no trace in the debugger's value history."""
        raise NotImplementedError

    # The user

    def width(self):
        """Columns of the terminal, or None when lines may be of any length."""
        raise NotImplementedError

    def is_terminal(self):
        """Whether somebody watches: a progress line may be drawn and erased."""
        return sys.__stdout__ is not None and sys.__stdout__.isatty()

    def is_styled(self):
        """Whether the debugger's styling is on. Escape sequences are written only
        when is_terminal() holds too."""
        return False

    @staticmethod
    def shows_unicode():
        """Whether what reads the debugger's output takes UTF-8, which is what debuggers
        write, and not ASCII alone."""
        return is_utf8(locale.nl_langinfo(locale.CODESET))

    def show_progress(self, text):
        """Replaces the progress line by `text`; "" erases it. Only called when
        is_terminal()."""
        sys.__stdout__.write("\r\x1b[K" + text)
        sys.__stdout__.flush()

    def interrupted(self):
        """Whether the user has pressed Ctrl-C since the command began, where that does
        not raise KeyboardInterrupt by itself (in lldb never, in gdb not inside calls())."""
        return False

    def setting_changed(self, name, value):
        """A setting was changed by py-config: mirror it in the debugger's own
        settings, if it has any."""
