"""The way into a live process: map the helper with two mmap calls, write it, start
the snapshot that answers, wait, and take everything out again.

The library lies in a private mapping that is never writable and executable at once
(services under systemd's MemoryDenyWriteExecute refuse those); the debugger writes
it all the same. Block, request and reply lie in a shared mapping, because the
snapshot answers there.
"""

import errno
import os
import re
import struct
import time

from . import elf, library, request as _request
from .adapter import RESULT
from .errors import CallFailed, Failure
from .progress import Progress
from .reply import decode

_PAGE = 4096
_PROT_RX, _PROT_RW = 5, 3
_PRIVATE, _SHARED = 0x22, 0x21  # with MAP_ANONYMOUS
_FAILED = (1 << 64) - _PAGE  # from here up: MAP_FAILED, or -errno

# Only the pages that are written cost memory
_REPLY_CAPACITIES = (8 << 20, 1 << 30)

_WAIT_MS = 50      # that rme_start may take itself, so that short answers need no polling
_POLL = 0.02       # seconds between two looks at the block
_CHECK = 0.5       # seconds without progress after which the snapshot may be dead
_CANCEL_TIME = 0.3 # seconds that a cancelled walk gets to say so
_ATTEMPTS = 3      # at each call that takes the helper out again

_AT_WORK = (_request.RUNNING, _request.OFFERED, _request.WANTED)

_LIBC = re.compile(r"/(libc[-.]|libc\.musl|ld-musl)[^/]*$")


def mappings_of(adapter, target):
    """The debuggee's memory map, from /proc where that is its own."""
    if not target.local:
        return adapter.mappings()
    try:
        with open("/proc/%d/maps" % target.pid, "rb") as maps:
            return elf.parse_maps(os.fsdecode(maps.read()))
    except OSError as error:
        raise Failure("no-process", "The memory map of process %d cannot be read: %s."
                      % (target.pid, error.strerror))


def answer(adapter, target, question, keeping):
    """The decoded reply of the helper to a request.Request; `keeping` is a kept.Keeping."""
    _refuse_strict_seccomp(target)
    images = elf.images(mappings_of(adapter, target), adapter.read)
    _require_python(adapter.read, target, images)
    path = library.find(library.LIBRARY)
    try:
        with open(path, "rb") as opened:
            helper = elf.flatten(opened.read())
        elf.relocate(helper, 0)
    except (elf.NotElf, struct.error):
        raise Failure("no-library", "%s is not the helper library, or is damaged: build it again."
                      % path)
    libc_first = sorted(images, key=lambda image: not _LIBC.search(image.path))
    functions = {}
    for name in ("mmap", "munmap"):
        functions[name] = (elf.find_symbol(adapter.read, libc_first, name)
                           or adapter.symbol(name))
        if not functions[name]:
            raise Failure("no-libc", "Process %d has no function %s that could be called (looked "
                          "in the dynamic symbols of %d files); `py-config inject off` answers "
                          "without a call." % (target.pid, name, len(images)))
    pairs = [(image.base, image.end) for image in images]
    for capacity in _REPLY_CAPACITIES:
        try:
            return _Injection(adapter, functions, helper, keeping).ask(
                question.encode(pairs), capacity)
        except Failure as failure:
            if failure.kind != "reply-too-large" or capacity == _REPLY_CAPACITIES[-1]:
                raise


def _refuse_strict_seccomp(target):
    """In strict mode the kernel kills a process for its first mmap."""
    if not target.local:
        return
    try:
        with open("/proc/%d/status" % target.pid, errors="replace") as status:
            strict = re.search(r"^Seccomp:\s*1$", status.read(), re.MULTILINE)
    except OSError:
        return
    if strict:
        raise Failure("seccomp", "Process %d runs under seccomp's strict mode, which would kill it "
                      "for a call; use `py-config inject off`." % target.pid)


def _require_python(read, target, images):
    """Nothing is executed in a process that is plainly no Python."""
    for name in ("_PyRuntime", "PyType_Type"):  # from 3.7, and before
        if elf.find_symbol(read, images, name):
            return
    raise Failure("not-python", "Process %d is not a Python program: none of its %d files exports "
                  "_PyRuntime or PyType_Type." % (target.pid, len(images)))


class _Injection(object):
    """The helper's stay in the debuggee, for one question."""

    def __init__(self, adapter, functions, helper, keeping):
        self._adapter = adapter
        self._keeping = keeping
        self._functions = functions
        self._helper = helper
        self._entries = elf.Symbols(lambda offset, size: helper[offset:offset + size], 0)
        self._code = self._block = 0
        self._started = False

    def ask(self, encoded, capacity):
        reply_offset = (_request.BLOCK_SIZE + len(encoded) + 63) & -64
        size = (reply_offset + capacity + _PAGE - 1) & -_PAGE
        with self._adapter.calls():
            try:
                self._code = self._map(len(self._helper), _PROT_RX, _PRIVATE)
                self._block = self._map(size, _PROT_RW, _SHARED)
                self._adapter.write(self._code, elf.relocate(self._helper, self._code))
                head = _request.encode_block(
                    request=self._block + _request.BLOCK_SIZE, request_size=len(encoded),
                    reply=self._block + reply_offset, reply_capacity=capacity)
                self._adapter.write(self._block, head + encoded)
                self._run()
                return self._reply(self._block + reply_offset, capacity)
            finally:
                self._leave(size)

    def _map(self, size, protection, flags):
        address = self._adapter.call(self._functions["mmap"], 0, size, protection, flags, -1, 0,
                                     undo=(self._functions["munmap"], RESULT, size))
        if address >= _FAILED:
            raise Failure("no-memory", "The process was refused %d bytes of address space for the "
                          "helper (a limit, or a seccomp filter); `py-config inject off` "
                          "answers without them." % size)
        return address

    def _address(self, name):
        offset = self._entries.lookup(name)
        if offset is None:
            raise Failure("no-library", "%s exports no %s; build it again."
                          % (library.LIBRARY, name))
        return self._code + offset

    def _entry(self, name, *arguments, undo=None):
        value = self._adapter.call(self._address(name), self._block, *arguments, undo=undo)
        if value >= _FAILED:
            code = (1 << 64) - value
            raise Failure("no-snapshot", "No snapshot of the process could be made (%s); "
                          "`py-config inject off` answers without one."
                          % errno.errorcode.get(code, code))
        return value

    def _run(self):
        """Starts the snapshot and returns when it is over, or raises."""
        self._started = True
        with Progress(self._adapter) as progress:
            try:
                state = self._entry("rme_start", _WAIT_MS,
                                    undo=(self._address("rme_stop"), self._block))
                self._poll(state, progress)
            except (KeyboardInterrupt, CallFailed):
                self._cancel()
                raise

    def _poll(self, state, progress):
        seen, since = None, time.time()
        exchanged = None
        while state in _AT_WORK:
            if self._adapter.interrupted():
                raise KeyboardInterrupt()
            if state in (_request.OFFERED, _request.WANTED) and state != exchanged:
                exchanged = state
                self._exchange(state)
            time.sleep(_POLL)
            state, _, _, _, n_objects, n_bytes = self._look()
            progress.update(n_objects, n_bytes)
            if n_objects != seen:
                seen, since = n_objects, time.time()
            elif state in _AT_WORK and time.time() - since > _CHECK:
                state = self._entry("rme_wait", 0)  # tells whether it has died
                since = time.time()

    def _exchange(self, state):
        """Copies the graph of the heap from the snapshot, which waits, or into it."""
        pieces = _request.PIECES.unpack(self._adapter.read(
            self._block + _request.PIECES_OFFSET, _request.PIECES.size))
        sign = _request.ANSWER_WAIT
        signed = time.time()

        def interrupted():
            nonlocal sign, signed
            if time.time() - signed > 1:
                sign, signed = sign + 1, time.time()
                self._answer(sign)
            return self._adapter.interrupted()

        done = self._keeping.exchange(state, self._look()[2], *pieces, interrupted=interrupted)
        if self._look()[0] != state:  # it has lost patience: what was copied has changed since
            self._keeping.refuse()
        self._answer(_request.ANSWER_DONE if done else _request.ANSWER_NO)

    def _answer(self, value):
        self._adapter.write(self._block + _request.ANSWER_OFFSET, struct.pack("<I", value))

    def _look(self):
        return _request.STATE.unpack(self._adapter.read(
            self._block + _request.STATE_OFFSET, _request.STATE.size))

    def _cancel(self):
        """Lets the walk end by itself; _leave ends it if it does not."""
        self._adapter.write(self._block + _request.CANCEL_OFFSET, b"\1\0\0\0")
        end = time.time() + _CANCEL_TIME
        while time.time() < end and self._look()[0] in _AT_WORK:
            time.sleep(_POLL)

    def _reply(self, address, capacity):
        block = self._adapter.read(self._block, _request.BLOCK_SIZE)
        state, _, _, status, _, _ = _request.STATE.unpack_from(block, _request.STATE_OFFSET)
        if state != _request.DONE:
            raise Failure("died", _obituary(status))
        size = _request.decode_block(block).reply_size
        if size > capacity:
            raise Failure("bad-reply", "The helper's reply claims %d bytes." % size)
        return decode(self._adapter.read(address, size))

    def _leave(self, size):
        """Whatever happened, nothing of ours stays in the debuggee. A Ctrl-C in here
        waits until that is done."""
        steps = []
        if self._started:
            steps.append((self._entry, ("rme_stop",)))
        unmap = self._functions["munmap"]
        if self._block:
            steps.append((self._adapter.call, (unmap, self._block, size)))
        if self._code:
            steps.append((self._adapter.call, (unmap, self._code, len(self._helper))))
        interruption = None
        for function, arguments in steps:
            for attempt in range(_ATTEMPTS):
                try:
                    function(*arguments)
                    break
                except (KeyboardInterrupt, CallFailed) as error:
                    interruption = error
                    if attempt == _ATTEMPTS - 1:
                        raise Failure("call-failed", "The helper could not be taken out of the "
                                      "process: %s" % error)
        if interruption:
            raise interruption


def _obituary(status):
    signal = status & 0x7f
    if signal == 9:
        return ("The snapshot that analysed the process was killed, probably because memory was "
                "short; `py-config inject off` needs less of it.")
    return ("The snapshot that analysed the process ended without an answer (%s); "
            "`py-config inject off` analyses it from outside."
            % ("signal %d" % signal if signal else "status %d" % (status >> 8)))
