"""Remember Me for lldb: `command script import` this file. The only one that imports
lldb: it adapts lldb to rememberme.adapter.Adapter and registers the commands.

Written for lldb 14 to 19. What differs between them is asked of lldb (hasattr), never
of its version. lldb completes the names of the commands only: it offers no completion
of their arguments to a Python command that reads its own text (checked up to 19; the
parsed commands of 19 lose the quotes of cache["users"]).
"""

import contextlib
import importlib.util
import os
import re
import sys


def _package():
    """The package rememberme that belongs to this file: of the source tree that it lies in, else
    the one that was installed beside it. Neither what else `import rememberme` might find,
    nor a folder near a copy of this file that somebody else has put there."""
    this = os.path.abspath(__file__)
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

from rememberme import adapter, commands, packets, process  # noqa: E402
from rememberme.errors import CallFailed, Failure, Unreadable  # noqa: E402

_NO_MODULE = ("this lldb finds no Python module of its own version (Debian's lldb 14 looks in a "
              "folder that does not exist): start it with PYTHONPATH set to its dist-packages, "
              "for example /usr/lib/llvm-14/lib/python3.11/dist-packages")
try:
    import lldb
except ImportError:
    raise ImportError(_NO_MODULE)

_MASK = (1 << 64) - 1
_EVAL_LOOP = "_PyEval_EvalFrameDefault"
_CALL_TIME_LIMIT = 60 * 10**6  # microseconds
_NO_CACHE = "target.process.disable-memory-cache"


class Lldb(adapter.Adapter):
    """One lldb debugger, during one command: `context` is what the command works on,
    which in a breakpoint's command need not be what the user has selected."""

    name = "lldb"

    def __init__(self, debugger, context):
        if not context.GetTarget().IsValid():  # lldb 14, in a command run by a script
            context = _selection(debugger)
        self._debugger = debugger
        self._target = context.GetTarget()
        self._process = context.GetProcess()
        self._thread = context.GetThread()
        self._level = context.GetFrame().GetFrameID() if context.GetFrame().IsValid() else 0
        self._native = None  # packets.StoppedThread, inside calls()
        self._memory = None  # a descriptor of /proc/PID/mem, inside calls()

    # What is being debugged

    def target(self):
        state = self._process.GetState() if self._process.IsValid() else lldb.eStateInvalid
        if state in (lldb.eStateRunning, lldb.eStateStepping):
            raise Failure("running", "The process is running; `process interrupt` stops it.")
        if state not in (lldb.eStateStopped, lldb.eStateCrashed, lldb.eStateSuspended):
            return adapter.Target(adapter.NONE)
        pid = self._process.GetProcessID()
        if self._process.GetPluginName() == "gdb-remote":  # local processes as well
            return self._described(adapter.LIVE, pid=pid, local=_is_traced_by_us(self._thread))
        return self._described(adapter.CORE, pid=pid, core_path=_core_path(self._process))

    def _described(self, kind, **known):
        modules = [self._target.GetModuleAtIndex(i) for i in range(self._target.GetNumModules())]
        files = [_path(module.GetFileSpec().fullpath) for module in modules]
        search = map(_path, self._setting("target.exec-search-paths"))
        return adapter.Target(
            kind, files=[path for path in files if path and os.path.isfile(path)],
            search_path=[path for path in search if os.path.isdir(path)], **known)

    def _setting(self, name):
        values = self._debugger.GetInternalVariableValue(name, self._debugger.GetInstanceName())
        return [values.GetStringAtIndex(i) for i in range(values.GetSize())]

    def mappings(self):
        regions = self._process.GetMemoryRegions()
        found = []
        region = lldb.SBMemoryRegionInfo()
        for index in range(regions.GetSize()):
            if regions.GetMemoryRegionAtIndex(index, region) and region.IsMapped():
                flags = "".join(letter if has else "-" for letter, has in (
                    ("r", region.IsReadable()), ("w", region.IsWritable()),
                    ("x", region.IsExecutable()))) + "p"
                found.append(adapter.Mapping(region.GetRegionBase(), region.GetRegionEnd(), flags,
                                             0, region.GetName() or ""))
        return sorted(found)

    def moment(self):
        return self._process.GetUniqueID(), self._process.GetStopID(True)

    def symbol(self, name):
        contexts = self._target.FindSymbols(name)
        for index in range(contexts.GetSize()):
            symbol = contexts.GetContextAtIndex(index).GetSymbol()
            address = symbol.GetStartAddress().GetLoadAddress(self._target)
            if symbol.GetName() == name and address != lldb.LLDB_INVALID_ADDRESS:
                return address
        return None

    # Memory

    def read(self, address, size):
        if not size:
            return b""
        if self._memory is not None:
            data = _direct(os.pread, self._memory, size, address)
        else:
            data = self._process.ReadMemory(address, size, lldb.SBError())
        # Short, or None, where a mapping ends or a core is cut
        if data is None or len(data) != size:
            raise Unreadable(address, size)
        return data

    def write(self, address, data):
        if self._memory is not None:
            written = _direct(os.pwrite, self._memory, data, address)
        else:
            written = self._process.WriteMemory(address, bytes(data), lldb.SBError())
        if written != len(data):
            raise Unreadable(address, len(data), "write")

    # Calls

    @contextlib.contextmanager
    def calls(self):
        points = [point for point in self._breakpoints() if point.IsEnabled()]
        cache = self._setting(_NO_CACHE)
        with contextlib.ExitStack() as stack:
            # lldb leaves its int3 in the text of a stopped process
            for point in points:
                point.SetEnabled(False)
                stack.callback(point.SetEnabled, True)
            self._debugger.SetInternalVariable(_NO_CACHE, "true", self._debugger.GetInstanceName())
            stack.callback(self._debugger.SetInternalVariable, _NO_CACHE,
                           cache[0] if cache else "false", self._debugger.GetInstanceName())
            if _is_traced_by_us(self._thread):
                stack.enter_context(self._local_calls(self._process.GetProcessID()))
            yield

    @contextlib.contextmanager
    def _local_calls(self, pid):
        # lldb writes 6 MB and reads 90 MB a second; this does a thousand times as much
        with contextlib.suppress(OSError):  # Yama, or a process that is not dumpable
            self._memory = os.open("/proc/%d/mem" % pid, os.O_RDWR | os.O_CLOEXEC)
        try:
            self._native = packets.StoppedThread(
                pid, self._thread.GetThreadID(), self._send, self.read, self.write,
                _silent(self._process.GetUnixSignals()))
            try:
                yield
            finally:
                self._native.finish()
        finally:
            self._native = None
            if self._memory is not None:
                os.close(self._memory)
                self._memory = None

    def _breakpoints(self):
        target = self._target
        for index in range(target.GetNumBreakpoints()):
            yield target.GetBreakpointAtIndex(index)
        for index in range(target.GetNumWatchpoints()):
            yield target.GetWatchpointAtIndex(index)

    def _send(self, packet):
        answer = lldb.SBCommandReturnObject()
        _messenger().HandleCommand("process plugin packet send '%s'" % packet,
                                   lldb.SBExecutionContext(self._thread), answer)
        found = re.search(r"^response: (.*)", answer.GetOutput() or "", re.MULTILINE)
        return found.group(1) if found else ""

    def call(self, address, *arguments, undo=None):
        if self._native is not None:
            return self._native.call(address, *arguments, undo=undo)
        text = "((unsigned long(*)(%s))%dUL)(%s)" % (
            ",".join(["unsigned long"] * len(arguments)), address,
            ",".join("%dUL" % (value & _MASK) for value in arguments))
        options = _expression_options()
        options.SetLanguage(lldb.eLanguageTypeC99)  # whatever the frame is written in
        # The innermost frame: whatever is further out is not where the thread stands
        value = self._thread.GetFrameAtIndex(0).EvaluateExpression(text, options)
        error = lldb.SBError()
        result = value.GetValueAsUnsigned(error, 0)
        if value.GetError().Success() and error.Success():
            return result
        if self.interrupted():
            raise KeyboardInterrupt()
        raise CallFailed(_words(value.GetError()))

    # Threads and frames

    def threads(self):
        return [_thread(self._process.GetThreadAtIndex(index))
                for index in range(self._process.GetNumThreads())]

    def selected_thread(self):
        return _thread(self._thread) if self._thread.IsValid() else None

    @contextlib.contextmanager
    def thread_selected(self, number):
        # Only for this command: what the user has selected stays so
        former = self._thread, self._level
        thread = self._process.GetThreadByIndexID(number)
        if not thread.IsValid():
            raise Failure("no-such-thread", "There is no thread %d; `thread list` lists them."
                          % number)
        self._thread, self._level = thread, 0
        try:
            yield
        finally:
            self._thread, self._level = former

    def eval_depth(self):
        if not self._level:
            return 0
        if self.symbol(_EVAL_LOOP) is None:
            raise Failure("no-symbols", "lldb has no symbols of this Python, so it cannot tell the "
                          "Python frame of the selected C frame: name one with --frame (`py-frames` "
                          "lists them), or select the innermost frame.")
        # By CFA: what is inlined is a frame of its own in lldb, and of the function that it is
        # inlined into there may be none.
        inner = [self._thread.GetFrameAtIndex(level) for level in range(self._level)]
        selected = self._thread.GetFrameAtIndex(self._level)
        found = {frame.GetCFA() for frame in inner if _is_eval_loop(frame)}
        if not found and not any(_is_eval_loop(self._thread.GetFrameAtIndex(level))
                                 for level in range(self._level, self._thread.GetNumFrames())):
            raise Failure("no-symbols", adapter.NO_EVAL_LOOP)
        return len(found - {selected.GetCFA()})

    def stack_pointer(self):
        frame = self._thread.GetFrameAtIndex(self._level)
        return frame.GetSP() if self._level and frame.IsValid() else 0

    def evaluate(self, text):
        frame = self._thread.GetFrameAtIndex(self._level)
        scope = frame if frame.IsValid() else self._target
        value = scope.EvaluateExpression(text, _expression_options())
        error = lldb.SBError()
        result = value.GetValueAsUnsigned(error, 0)
        for problem in (value.GetError(), error):
            if not problem.Success():
                raise Failure("bad-expression", "lldb cannot evaluate $(%s): %s"
                              % (text, _words(problem)))
        return result

    # The user

    def width(self):
        # Without a terminal it is 80, whatever reads the text
        return self._debugger.GetTerminalWidth() if self.is_terminal() else None

    def is_styled(self):
        return self._debugger.GetUseColor()

    def interrupted(self):
        # Python's KeyboardInterrupt never comes in lldb
        return self._debugger.GetCommandInterpreter().WasInterrupted()


def _path(text):
    """The name of a file as Python takes it; lldb's are UTF-8, whatever the locale."""
    return text and os.fsdecode(text.encode("utf-8", "surrogateescape"))


def _silent(signals):
    """Those that lldb has told lldb-server to pass on without a word."""
    return [number for number in range(1, signals.GetNumSignals() + 1) if not (
        signals.GetShouldStop(number) or signals.GetShouldNotify(number)
        or signals.GetShouldSuppress(number))]


def _direct(function, *arguments):
    try:
        return function(*arguments)
    except (OSError, OverflowError):
        return None


def _selection(debugger):
    target = debugger.GetSelectedTarget()
    thread = target.GetProcess().GetSelectedThread()
    frame = thread.GetSelectedFrame()
    for scope in (frame, thread, target):
        if scope.IsValid():
            return lldb.SBExecutionContext(scope)
    return lldb.SBExecutionContext()


def _messenger():
    """The command interpreter of a debugger of our own: the user's refuses every
    command from a Ctrl-C on until the command that it came in has ended."""
    global _own_debugger
    if _own_debugger is None:
        _own_debugger = lldb.SBDebugger.Create(False)
    return _own_debugger.GetCommandInterpreter()


_own_debugger = None


def _expression_options():
    """Only the selected thread runs, and is put back whatever happens."""
    options = lldb.SBExpressionOptions()
    options.SetTryAllThreads(False)
    options.SetStopOthers(True)
    options.SetIgnoreBreakpoints(True)
    options.SetUnwindOnError(True)
    options.SetTrapExceptions(False)
    options.SetTimeoutInMicroSeconds(_CALL_TIME_LIMIT)
    options.SetAutoApplyFixIts(False)
    options.SetSuppressPersistentResult(True)  # no $0
    return options


def _words(error):
    """lldb's own words, without the position and the lines that show it."""
    lines = [line.strip() for line in (error.GetCString() or "no reason given").split("\n")]
    lines = [line for line in lines if line and not line.endswith("expression failed to parse:")]
    first = lines[0] if lines else "no reason given"
    while first.startswith(("error: ", "<user expression ")):
        first = first.partition(": ")[2]
    # The reason that lldb gives for an interruption is that of an earlier stop
    return first.partition(", reason:")[0].rstrip(".") + "."


def _thread(thread):
    frame = thread.GetFrameAtIndex(0)
    pointer = frame.FindRegister("fs_base")  # unknown to lldb before 19
    return adapter.Thread(thread.GetIndexID(), thread.GetThreadID(),
                          pointer.GetValueAsUnsigned(0) if pointer.IsValid() else 0,
                          frame.GetSP() if frame.IsValid() else 0)


def _is_eval_loop(frame):
    """Also of its parts that the compiler moved away (.cold), and what was inlined into it."""
    name = frame.GetSymbol().GetName() or frame.GetFunctionName() or ""
    return name.partition(".")[0] == _EVAL_LOOP


def _is_traced_by_us(thread):
    """Whether lldb's thread is one of this machine: its tracer is then the lldb-server
    that this lldb started. A remote thread may have the number of another one here."""
    tracer = _status(thread.GetThreadID(), "TracerPid")
    return bool(tracer) and _status(tracer, "PPid") == os.getpid()


def _status(lwp, field):
    try:
        with open("/proc/%d/status" % lwp, errors="replace") as status:
            for line in status:
                if line.startswith(field + ":"):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0


def _core_path(dead):
    """lldb tells it from 18 on; before, it has the core mapped."""
    if hasattr(dead, "GetCoreFile"):
        return _path(dead.GetCoreFile().fullpath)
    found = _mapped_cores()
    if len(found) > 1:
        raise Failure("no-core-path", "This lldb does not tell which of the cores that it has open "
                      "this one is (%s): open one at a time, or use lldb 18 or later."
                      % ", ".join(found))
    return found[0] if found else None


def _mapped_cores():
    with open("/proc/self/maps", "rb") as maps:
        fields = [line.rstrip(b"\n").split(None, 5) for line in maps]
    paths = sorted({os.fsdecode(field[5]) for field in fields
                    if len(field) == 6 and field[5][:1] == b"/"})
    return [path for path in paths if process.is_core(path)]


# Registration

class _Command(object):
    """What lldb makes of each command; `shared` is the command."""

    shared = None

    def __init__(self, debugger, internal_dict):
        pass

    def __call__(self, debugger, argument, context, result):
        outcome = commands.run(Lldb(debugger, context), self.shared.name, argument)
        if outcome.output:
            result.AppendMessage(outcome.output.rstrip("\n"))
        if outcome.error is not None:
            result.SetError(outcome.error)
        elif outcome.failed:
            result.SetStatus(lldb.eReturnStatusFailed)

    def get_short_help(self):
        return self.shared.summary

    def get_long_help(self):
        return commands.help_of(Lldb, self.shared.name)


def __lldb_init_module(debugger, internal_dict):
    if not isinstance(debugger, lldb.SBDebugger):
        raise ImportError(_NO_MODULE)
    for shared in commands.COMMANDS.values():
        name = "Command_" + shared.name.replace("-", "_")
        globals()[name] = type(name, (_Command,), {"shared": shared})
        debugger.HandleCommand("command script add --overwrite --class %s.%s %s"
                               % (__name__, name, shared.name))
