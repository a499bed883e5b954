"""Remember Me for gdb: `source` this file. The only one that imports gdb: it adapts
gdb to rememberme.adapter.Adapter and registers the commands and settings."""

import contextlib
import importlib.util
import os
import re
import sys

import gdb


def _package():
    """The package rememberme that belongs to this file: of the source tree that it lies in, else
    the one that was installed beside it. Neither what else `import rememberme` might find,
    nor a folder near a copy of this file that somebody else has put there."""
    # Not __file__: that is the outer file when a Python script sources this one.
    this = os.path.abspath(sys._getframe().f_code.co_filename)
    here = os.path.dirname(this)
    source = os.path.join(os.path.dirname(here), "helper", "python", "rememberme")
    beside = os.path.join(here, "rememberme")
    for folder in (source, beside):
        if not os.path.isfile(os.path.join(folder, "__init__.py")):
            continue
        state = os.stat(folder)
        if state.st_mode & 0o002 or state.st_uid not in (0, os.geteuid(), os.stat(this).st_uid):
            raise ImportError("%s is not loaded: it belongs to another user, or anybody may write "
                              "to it. Install Remember Me where only you or root can write." % folder)
        return folder
    raise ImportError("there is no package rememberme in %s and none in %s: load this file from "
                      "the source tree, or from where `cmake --install` put it." % (source, beside))


def _load(folder):
    """`import rememberme`, of this folder and no other."""
    loaded = sys.modules.get("rememberme")
    if loaded is not None and list(getattr(loaded, "__path__", ())) == [folder]:
        return
    for name in [name for name in sys.modules if name.partition(".")[0] == "rememberme"]:
        del sys.modules[name]
    spec = importlib.util.spec_from_file_location(
        "rememberme", os.path.join(folder, "__init__.py"), submodule_search_locations=[folder])
    sys.modules["rememberme"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["rememberme"])


_load(_package())

from rememberme import adapter, commands, image, process, ptrace, settings  # noqa: E402
from rememberme.errors import CallFailed, Failure, Unreadable  # noqa: E402
from rememberme.text import paragraphs, printable  # noqa: E402

_MASK = (1 << 64) - 1
_EVAL_LOOP = "_PyEval_EvalFrameDefault"


class Gdb(adapter.Adapter):
    name = "gdb"
    tells_when_it_goes_on = True

    def __init__(self):
        # Inside calls() of a process that gdb itself traces:
        self._native = None  # ptrace.StoppedThread
        self._memory = None  # descriptor of /proc/PID/mem, or None

    # What is being debugged

    def target(self):
        inferior = gdb.selected_inferior()
        kind = _connection()
        if kind == "core":
            return self._described(adapter.CORE, pid=inferior.pid or None, core_path=_core_path())
        if kind is not None and inferior.pid:
            return self._described(adapter.LIVE, pid=inferior.pid, local=kind == "native")
        return adapter.Target(adapter.NONE)

    @staticmethod
    def _described(kind, **known):
        files = [_told(lambda objfile=objfile: objfile.filename) for objfile in gdb.objfiles()
                 if objfile.owner is None]
        search = (_told(lambda: gdb.parameter("solib-search-path")) or "").split(":")
        sysroot = _told(lambda: gdb.parameter("sysroot")) or None
        if sysroot and (sysroot.startswith("target:") or sysroot.strip("/") == ""):
            sysroot = None  # the paths of the core as they are
        return adapter.Target(
            kind, files=[path for path in files if path and os.path.isfile(path)], sysroot=sysroot,
            search_path=[path for path in search if path], **known)

    def mappings(self):
        """gdb reads them from the remote machine's /proc."""
        try:
            text = _told(lambda: gdb.execute("info proc mappings", to_string=True))
        except gdb.error as error:
            raise Failure("no-mappings", "gdb cannot tell the memory map of the process: %s"
                          % _words(error))
        return list(_mappings(text))

    def moment(self):
        return 0  # what lets it run or changes it drops the image at once

    def symbol(self, name):
        try:
            return int(gdb.parse_and_eval("(unsigned long)&" + name)) & _MASK
        except (gdb.error, OverflowError):
            return None

    # Memory

    def read(self, address, size):
        if not size:
            return b""
        try:
            return bytes(gdb.selected_inferior().read_memory(address, size))
        except (gdb.error, OverflowError, ValueError):
            raise Unreadable(address, size)

    def write(self, address, data):
        # gdb would announce each of its writes to MI and to event handlers
        if self._memory is not None:
            try:
                if os.pwrite(self._memory, data, address) == len(data):
                    return
            except OSError:
                pass  # a hardened kernel, which lets only ptrace write to read-only pages
        try:
            gdb.selected_inferior().write_memory(address, data)
        except (gdb.error, OverflowError, ValueError):
            raise Unreadable(address, len(data), "write")

    # Calls

    @contextlib.contextmanager
    def calls(self):
        thread = gdb.selected_thread()
        if thread is None or thread.is_running():
            raise Failure("running", "The selected thread is running; interrupt it first.")
        with contextlib.ExitStack() as stack:
            is_native = _connection() == "native"
            if not is_native or _breakpoints_stay():
                stack.enter_context(_breakpoints_out())
            if is_native:
                stack.enter_context(self._native_calls(thread))
            else:
                stack.enter_context(_gdb_calls())
            yield

    @contextlib.contextmanager
    def _native_calls(self, thread):
        pid, lwp, _ = thread.ptid
        self._native = ptrace.StoppedThread(pid, lwp or pid, self.read, self.write)
        try:
            self._memory = os.open("/proc/%d/mem" % pid, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            pass
        try:
            with ptrace.sigint_held():
                try:
                    yield
                finally:
                    self._native.finish()
        finally:
            if self._memory is not None:
                os.close(self._memory)
            self._native = self._memory = None

    def call(self, address, *arguments, undo=None):
        if self._native is not None:
            return self._native.call(address, *arguments, undo=undo)
        text = "((unsigned long(*)(%s))%d)(%s)" % (
            ",".join(["long"] * len(arguments)), address, ",".join(map(str, arguments)))
        try:
            return int(gdb.parse_and_eval(text)) & _MASK
        except gdb.error as error:
            raise CallFailed(_words(error))

    # Threads and frames

    def threads(self):
        selected, frame = gdb.selected_thread(), _selected_frame()
        found = []
        try:
            for thread in gdb.selected_inferior().threads():
                thread.switch()
                found.append(_thread(thread))
        finally:
            _select(selected, frame)
        return sorted(found)

    def selected_thread(self):
        thread = gdb.selected_thread()
        return _thread(thread) if thread is not None else None

    @contextlib.contextmanager
    def thread_selected(self, number):
        selected, frame = gdb.selected_thread(), _selected_frame()
        for thread in gdb.selected_inferior().threads():
            if thread.num == number:
                break
        else:
            raise Failure("no-such-thread", "There is no thread %d; `info threads` lists them."
                          % number)
        thread.switch()
        try:
            yield
        finally:
            _select(selected, frame)

    def eval_depth(self):
        selected = _selected_frame()
        if selected is None or selected.level() == 0:
            return 0
        if self.symbol(_EVAL_LOOP) is None:
            raise Failure("no-symbols", "gdb has no symbols of this Python, so it cannot tell the "
                          "Python frame of the selected C frame: name one with --frame "
                          "(`py-frames` lists them), or select frame 0.")
        depth = 0
        frame = gdb.newest_frame()
        while frame is not None and frame != selected:
            depth += _is_eval_loop(frame)
            frame = frame.older()
        while not depth and not _is_eval_loop(frame):
            frame = frame.older()
            if frame is None:
                raise Failure("no-symbols", adapter.NO_EVAL_LOOP)
        return depth

    def stack_pointer(self):
        selected = _selected_frame()
        if selected is None or selected.level() == 0:
            return 0
        try:
            return int(selected.read_register("sp").cast(gdb.lookup_type("long"))) & _MASK
        except (gdb.error, ValueError):
            return 0

    def evaluate(self, text):
        try:
            return int(gdb.parse_and_eval(text).cast(gdb.parse_and_eval("(unsigned long)0").type))
        except (gdb.error, OverflowError, ValueError) as error:
            raise Failure("bad-expression", "gdb cannot evaluate $(%s): %s"
                          % (text, _words(error)))

    # The user

    def width(self):
        return gdb.parameter("width") or None

    def is_terminal(self):
        # With MI every line on standard output is a record
        return adapter.Adapter.is_terminal(self) and not _under_mi()

    def is_styled(self):
        return bool(gdb.parameter("style enabled"))

    @staticmethod
    def shows_unicode():
        return adapter.is_utf8(gdb.host_charset())

    def interrupted(self):
        # Elsewhere gdb raises KeyboardInterrupt by itself
        return self._native is not None and ptrace.sigint_pending()

    def setting_changed(self, name, value):
        _PARAMETERS[name].take(value)


def _words(error):
    """gdb's own words, in one line."""
    return " ".join(str(error).split())


def _told(ask):
    """The text that `ask` gets from gdb, as Python takes the names of files. gdb decodes it
    by its host charset, and fails where a name is of another."""
    try:
        return ask()
    except UnicodeError:
        with gdb.with_parameter("host-charset", "ISO-8859-1"):
            return os.fsdecode(ask().encode("latin-1"))


def _connection():
    """The kind of the process target: "native", "core", "remote", …, or None."""
    connection = gdb.selected_inferior().connection
    return connection.type if connection is not None and connection.is_valid() else None


def _core_path():
    """gdb 13 tells it in prose only; a path may hold anything but a quote and a comma
    in that order."""
    try:
        text = _told(lambda: gdb.execute("info files", to_string=True))
    except UnicodeError:  # gdb 13 takes what commands print for UTF-8, whatever the charset is
        found = _open_cores()
        return found[0] if len(found) == 1 else None
    match = re.search(r"Local core dump file:\s*`(.*)', file type", text)
    return match.group(1) if match else None


def _open_cores():
    links = []
    for number in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink("/proc/self/fd/" + number))
        except OSError:
            pass  # it was that of listdir
    return sorted({path for path in links if path[:1] == "/" and process.is_core(path)})


def _mappings(text):
    """The table of `info proc mappings`, whose permissions column is newer than gdb 11."""
    for line in text.split("\n"):
        match = re.match(r"\s*0x([0-9a-f]+)\s+0x([0-9a-f]+)\s+0x[0-9a-f]+\s+0x([0-9a-f]+)"
                         r"(?:\s+([-r][-w][-x][-ps]))?\s*(.*)", line)
        if match:
            start, end, offset, flags, path = match.groups()
            yield adapter.Mapping(int(start, 16), int(end, 16), flags or "r--p", int(offset, 16),
                                  path)


def _under_mi():
    try:
        with open("/proc/self/cmdline", "rb") as cmdline:
            words = cmdline.read().decode("utf-8", "replace").split("\0")
    except OSError:
        return False
    return any(re.match(r"--?(i|interpreter)(=mi\d*)?$", word)
               and ("=" in word or following.startswith("mi"))
               for word, following in zip(words, words[1:] + [""]))


def _thread(thread):
    """`thread` must be the selected one: registers are asked of its frame."""
    pid, lwp, _ = thread.ptid
    return adapter.Thread(thread.num, lwp or pid, _register("fs_base"), _register("rsp"))


def _register(name):
    try:
        return int(gdb.newest_frame().read_register(name)) & _MASK
    except (gdb.error, ValueError):
        return 0


def _is_eval_loop(frame):
    """Also in the parts that the compiler moved away (.cold)."""
    return (_told(frame.name) or "").partition(".")[0] == _EVAL_LOOP


def _selected_frame():
    try:
        return gdb.selected_frame()
    except gdb.error:
        return None


def _select(thread, frame):
    if thread is not None and thread.is_valid():
        thread.switch()
    if frame is not None and frame.is_valid():
        frame.select()


@contextlib.contextmanager
def _breakpoints_out():
    """Disables the user's breakpoints: a snapshot would inherit their int3. Conditions,
    hit counts and dispositions stay."""
    enabled = [point for point in gdb.breakpoints() if point.enabled]
    try:
        for point in enabled:
            point.enabled = False
        yield
    finally:
        for point in enabled:
            if point.is_valid():
                point.enabled = True


def _breakpoints_stay():
    """Whether breakpoints remain in the text of a stopped program, which gdb takes
    them out of otherwise."""
    return (gdb.parameter("breakpoint always-inserted")
            or any(thread.is_running() for thread in gdb.selected_inferior().threads()))


@contextlib.contextmanager
def _gdb_calls():
    """What gdb's own calls need, for a process behind a remote stub."""
    _refuse_amx()
    wanted = (("scheduler-locking", "on"), ("unwindonsignal", True), ("language", "c"),
              ("follow-fork-mode", "parent"), ("detach-on-fork", True), ("confirm", False))
    thread, frame = gdb.selected_thread(), _selected_frame()
    with contextlib.ExitStack() as stack:
        for name, value in wanted:
            stack.enter_context(gdb.with_parameter(name, value))
        try:
            yield
        finally:
            _select(thread, frame)


def _refuse_amx():
    """gdb 13 cannot restore registers after a call on a CPU with AMX, and ruins the
    process by trying."""
    if int(gdb.VERSION.split(".")[0]) >= 14:
        return
    try:
        with open("/proc/cpuinfo") as cpuinfo:
            has_amx = "amx_tile" in cpuinfo.read()
    except OSError:
        has_amx = False
    if has_amx:
        raise Failure("unsupported-gdb", "This gdb (%s) breaks a remote process by calling a "
                      "function in it on a CPU with AMX: attach without gdbserver, use gdb 14 or "
                      "later, or analyse a core." % gdb.VERSION)


def _memory_may_differ(_):
    """The process goes on or is gone, or the user has changed its memory."""
    if _ADAPTER._native is None:  # else it was us
        image.drop()


# Registration

class _Command(gdb.Command):
    def __init__(self, shared):
        self.__doc__ = commands.help_of(_ADAPTER, shared.name)
        self._shared = shared
        gdb.Command.__init__(self, shared.name, gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        outcome = commands.run(_ADAPTER, self._shared.name, argument)
        if outcome.output:
            gdb.write(outcome.output)
        if outcome.error is not None:
            raise gdb.GdbError(outcome.error)

    def complete(self, text, word):
        """gdb replaces `word`, which begins after the last of its word breaks ("-" is
        one), where the shared code replaces the text from `start`."""
        before = len(text) - len(word or "")
        start, words = commands.complete(_ADAPTER, self._shared.name, text)
        return [found[before - start:] for found in words if before >= start]


_KINDS = {int: gdb.PARAM_ZUINTEGER, str: gdb.PARAM_OPTIONAL_FILENAME}


class _Parameter(gdb.Parameter):
    """`set/show rememberme NAME`, the same value as py-config's."""

    def __init__(self, setting):
        self._setting = setting
        self.set_doc = "Set %s." % setting.title
        self.show_doc = "Show %s." % setting.title
        self.__doc__ = "\n".join(paragraphs(setting.help))
        name = "rememberme " + setting.name
        if isinstance(setting.choices, tuple):
            gdb.Parameter.__init__(self, name, gdb.COMMAND_DATA, gdb.PARAM_ENUM, setting.choices)
        else:
            gdb.Parameter.__init__(self, name, gdb.COMMAND_DATA, _KINDS[setting.choices])
        self.take(setting.default)

    def take(self, value):
        self.value = value

    def get_set_string(self):
        value = "" if self.value is None else str(self.value)
        try:
            self.take(commands.SETTINGS.set(self._setting.name, value))
        except Failure as failure:
            self.take(getattr(commands.SETTINGS, self._setting.name))
            raise gdb.GdbError(commands.message(_ADAPTER, failure))
        return ""

    def get_show_string(self, value):
        return printable("%s is %s." % (self._setting.name, commands.config.shown(self.value)),
                         _ADAPTER.shows_unicode())


class _Prefix(gdb.Command):
    def __init__(self, verb):
        self.__doc__ = "%s the settings of Remember Me (the py- commands)." % verb.capitalize()
        self._verb = verb
        gdb.Command.__init__(self, verb + " rememberme", gdb.COMMAND_DATA, prefix=True)

    def invoke(self, argument, from_tty):
        if self._verb == "set":
            raise gdb.GdbError('"set rememberme" must be followed by the name of a setting: %s.'
                               % ", ".join(settings.BY_NAME))
        gdb.write(commands.run(_ADAPTER, "py-config", "").output)


_ADAPTER = Gdb()
_PARAMETERS = {}

for _event in ("cont", "exited", "memory_changed", "connection_removed"):
    getattr(gdb.events, _event).connect(_memory_may_differ)
for _verb in ("set", "show"):
    _Prefix(_verb)
for _setting in settings.SETTINGS:
    _PARAMETERS[_setting.name] = _Parameter(_setting)
for _shared in commands.COMMANDS.values():
    _Command(_shared)
