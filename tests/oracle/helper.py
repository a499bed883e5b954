"""The helper library called in this very interpreter, through ctypes: for the unit
tests. Runs on Python 3.8 and later. The request is written by the plugin's own code.

PyDLL, not CDLL: the GIL stays held, so that nothing moves during the walk.
"""

import ctypes
import json
import mmap
import os
import sys
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "helper", "python"))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))

import replies  # noqa: E402
from rememberme import contract  # noqa: E402
from rememberme import elf  # noqa: E402
from rememberme import expr as expressions  # noqa: E402
from rememberme import request as requests  # noqa: E402
from rememberme.request import (DONE, FRAMES, MEMORY, NAMES, TOP, TRAVERSE_ONLY, TREE,  # noqa: E402
                                NO_CLASSES)

__all__ = ["Helper", "MEMORY", "TOP", "TREE", "FRAMES", "NAMES", "TRAVERSE_ONLY", "NO_CLASSES",
           "LAYOUTS_ONLY"]

LAYOUTS_ONLY = 16  # enum rme_flag: tests only

class Thread:
    """Of the request: this one."""

    def __init__(self):
        self.lwp = threading.get_native_id()
        self.thread_pointer = 0  # the helper asks the CPU


def images():
    """[(base, end)] of the loaded ELF files."""
    spans = {}
    with open("/proc/self/maps") as maps:
        for line in maps:
            fields = line.split(None, 5)
            if len(fields) == 6 and fields[5].startswith("/"):
                start, end = (int(x, 16) for x in fields[0].split("-"))
                span = spans.setdefault(fields[5], [start, end, int(fields[2], 16)])
                span[1] = end
    return [(start, end) for start, end, offset in spans.values()
            if offset == 0 and ctypes.string_at(start, 4) == b"\x7fELF"]


def no_c_expressions(text):
    raise AssertionError("no debugger here to evaluate " + text)


class Helper:
    """`flat` calls a flat copy of the library, as it is injected."""

    def __init__(self, path, flat=False):
        self.library = ctypes.PyDLL(path)
        self.images = images()
        self.flat = _flat_copy(path) if flat else None
        self.run = self.entry("rme_run")
        self.stop = self.entry("rme_stop")

    def entry(self, name, arguments=(ctypes.c_void_p,)):
        prototype = ctypes.PYFUNCTYPE(ctypes.c_int64, *arguments)
        function = getattr(self.library, name)
        address = ctypes.cast(function, ctypes.c_void_p).value
        if self.flat:
            address += self.flat[0] - _base_of(address)
        return prototype(address)

    def request(self, query, exprs=(), flags=TRAVERSE_ONLY, **options):
        exprs = [expressions.parse(e, no_c_expressions) if isinstance(e, str)
                 else expressions.parse(hex(id(e[0])), no_c_expressions) for e in exprs]
        return requests.Request(query, flags=flags, thread=Thread(), exprs=exprs,
                                **options).encode(images=self.images)

    def ask(self, query, exprs=(), capacity=1 << 22, call=None, request=None, arena_size=0,
            cancel=0, **options):
        """The decoded reply; None without one, and then self.block tells. An expr is
        text, or a tuple with the object. `call(block_address)` may replace rme_run; a
        snapshot that it leaves is ended."""
        if request is None:
            request = self.request(query, exprs, **options)
        reply_at = 128 + len(request) + -len(request) % 4096
        memory = mmap.mmap(-1, reply_at + capacity)  # MAP_SHARED, as rme_start wants it
        export = ctypes.c_char.from_buffer(memory)
        address = ctypes.addressof(export)
        memory[:128] = requests.encode_block(
            request=address + 128, request_size=len(request), reply=address + reply_at,
            reply_capacity=capacity, cancel=cancel, arena_size=arena_size)
        memory[128:128 + len(request)] = request
        returned = (call or self.run)(address)
        self.stop(address)
        self.block = requests.decode_block(memory[:128])._asdict()
        self.block["returned"] = returned
        text = memory[reply_at:reply_at + self.block["reply_size"]]
        del export
        memory.close()
        if self.block["state"] != DONE:
            return None
        at = contract.REQUEST.offsets["query"]
        asked = int.from_bytes(request[at:at + 4], "little")
        return replies.check(json.loads(text.decode()), replies.question(asked))

    def memory(self, *objects, **options):
        """The reply about objects of this interpreter, by address."""
        return self.ask(MEMORY, [(o,) for o in objects], **options)


class Image:
    """A snapshot of this process that answers one question after the other."""

    ROOM, CAPACITY = 1 << 16, 1 << 22

    def __init__(self, helper, **block):
        self._helper = helper
        self._memory = mmap.mmap(-1, 128 + self.ROOM + self.CAPACITY)
        self._export = ctypes.c_char.from_buffer(self._memory)
        self._address = ctypes.addressof(self._export)
        self._block = block
        self._arguments = (ctypes.c_void_p, ctypes.c_uint64)
        self._started = False

    def ask(self, query, exprs=(), seconds=60, cancel=0, **options):
        """The decoded reply; None where the snapshot has ended."""
        request = self._helper.request(query, exprs, **options)
        at = self._address + 128
        if not self._started:
            self._memory[:128] = requests.encode_block(
                request=at, reply=at + self.ROOM, reply_capacity=self.CAPACITY, **self._block)
        self._memory[128:128 + len(request)] = request
        for name, value, size in (("request_size", len(request), 8), ("reply_size", 0, 8),
                                  ("cancel", cancel, 4)):
            offset = requests.BLOCK_OFFSETS[name]
            self._memory[offset:offset + size] = value.to_bytes(size, "little")
        if self._started:
            offset = requests.BLOCK_OFFSETS["state"]
            self._memory[offset:offset + 4] = requests.RUNNING.to_bytes(4, "little")
        name, self._started = "rme_wait" if self._started else "rme_start", True
        state = self._helper.entry(name, self._arguments)(self._address, seconds * 1000)
        if state != DONE:
            return None
        at = 128 + self.ROOM
        return json.loads(self._memory[at:at + self.block().reply_size].decode())

    def block(self):
        return requests.decode_block(self._memory[:128])

    def close(self):
        self._helper.stop(self._address)
        del self._export
        self._memory.close()


def _base_of(address):
    return next(start for start, end in images() if start <= address < end)


def _flat_copy(path):
    """(address, keeper): the library at a fresh place, put there as the plugin does it."""
    with open(path, "rb") as f:
        flat = elf.flatten(f.read())
    memory = mmap.mmap(-1, len(flat), prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    export = ctypes.c_char.from_buffer(memory)
    memory[:] = elf.relocate(flat, ctypes.addressof(export))
    return ctypes.addressof(export), (memory, export)


def from_environment(**options):
    return Helper(os.environ["RME_LIBRARY"], **options)
