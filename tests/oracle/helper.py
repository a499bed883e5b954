"""The helper library called in this very interpreter, through ctypes: for the unit
tests. Runs on Python 3.8 and later.

PyDLL, not CDLL: the GIL stays held, so that nothing moves during the walk.
"""

import ctypes
import json
import mmap
import os
import struct

MAGIC, ABI = 0x4D454D52, 1
MEMORY, TOP, TREE, FRAMES, NAMES = 1, 2, 3, 4, 5
TRAVERSE_ONLY, NO_CLASSES, ALL_THREADS, CHECK_CODE, LAYOUTS_ONLY = 1, 2, 4, 8, 16
STEP_NAME, STEP_MODULE, STEP_ADDRESS, STEP_ATTRIBUTE = 1, 2, 3, 4
STEP_KEY_STR, STEP_KEY_INT, STEP_KEY_BYTES, STEP_KEY_NONE = 5, 6, 7, 8
IDLE, RUNNING, DONE, DIED = 0, 1, 2, 3

BLOCK = struct.Struct("<IIIIiiQQQQQQQQQ32x")
BLOCK_FIELDS = ("magic", "abi", "state", "cancel", "pid", "status", "progress_objects",
                "progress_bytes", "request", "request_size", "reply", "reply_capacity",
                "reply_size", "arena", "arena_size")
assert BLOCK.size == 128


def images():
    """[(base, end)] of the loaded ELF files, from /proc/self/maps."""
    spans = {}
    with open("/proc/self/maps") as maps:
        for line in maps:
            fields = line.split(None, 5)
            if len(fields) == 6 and fields[5].startswith("/"):
                start, end = (int(x, 16) for x in fields[0].split("-"))
                span = spans.setdefault(fields[5].strip(), [start, end, int(fields[2], 16)])
                span[1] = end
    return [(start, end) for start, end, offset in spans.values()
            if offset == 0 and ctypes.string_at(start, 4) == b"\x7fELF"]


def pad(data):
    return data + bytes(-len(data) % 8)


def expr(*steps, text="expr"):
    """One struct rme_expr. A step is (kind, payload); an int payload is packed."""
    body = b""
    for kind, payload in steps:
        if isinstance(payload, int):
            payload = struct.pack("<Q", payload & (1 << 64) - 1)
        elif isinstance(payload, str):
            payload = payload.encode()
        body += struct.pack("<II", kind, len(payload)) + pad(payload)
    text = text.encode()
    head = pad(text)
    return struct.pack("<IIII", 16 + len(head) + len(body), len(steps), len(text), 0) + head + body


class Helper:
    def __init__(self, path):
        self.library = ctypes.PyDLL(path)
        for name in ("rme_run", "rme_prepare", "rme_answer"):
            function = getattr(self.library, name)
            function.restype = ctypes.c_int64
            function.argtypes = [ctypes.c_void_p]
        for name in ("rme_start", "rme_wait"):
            function = getattr(self.library, name)
            function.restype = ctypes.c_int64
            function.argtypes = [ctypes.c_void_p, ctypes.c_uint64]
        self.library.rme_stop.restype = ctypes.c_int64
        self.library.rme_stop.argtypes = [ctypes.c_void_p]
        self.images = images()

    def request(self, query, exprs=(), flags=0, limit=0, depth=0, frame=-1, eval_depth=0,
                thread_pointer=0, runtime=0, abi=ABI, code=(), threads=(), missing=()):
        head = struct.Struct("<IIIIIiIIQQQ10I")
        tables, body, offset = [], b"", head.size
        for rows, layout in ((self.images, "<QQ"), (code, "<QQ"), (threads, "<QQQ"), (exprs, None),
                             (missing, "<QQ")):
            data = b"".join(rows) if layout is None else b"".join(
                struct.pack(layout, *row) for row in rows)
            tables += [offset + len(body), len(rows)]
            body += data
        return head.pack(abi, query, flags, limit, depth, frame, eval_depth, 0, _lwp(),
                         thread_pointer, runtime, *tables) + body

    def ask(self, query, exprs=(), capacity=1 << 22, run=None, block_fields=None, **options):
        """The decoded reply. `run(block_address, view)` may replace rme_run."""
        request = self.request(query, exprs, **options)
        reply_at = 128 + len(request) + -len(request) % 4096
        memory = mmap.mmap(-1, reply_at + capacity)  # shared and anonymous
        try:
            address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
            fields = dict.fromkeys(BLOCK_FIELDS, 0)
            fields.update(magic=MAGIC, abi=ABI, request=address + 128, request_size=len(request),
                          reply=address + reply_at, reply_capacity=capacity)
            fields.update(block_fields or {})
            memory[:128] = BLOCK.pack(*(fields[name] for name in BLOCK_FIELDS))
            memory[128:128 + len(request)] = request
            returned = (run or self._run)(address, memory)
            self.block = dict(zip(BLOCK_FIELDS, BLOCK.unpack(memory[:128])))
            self.block["returned"] = returned
            if self.block["state"] != DONE:
                return None
            text = memory[reply_at:reply_at + self.block["reply_size"]]
            self.text = bytes(text)
            return json.loads(self.text.decode())
        finally:
            try:
                memory.close()
            except BufferError:  # from_buffer's export ends with the garbage
                pass

    def _run(self, address, _):
        return self.library.rme_run(address)

    def memory(self, *objects, **options):
        """The reply about objects of this interpreter, by address."""
        options.setdefault("flags", TRAVERSE_ONLY)
        return self.ask(MEMORY, [expr((STEP_ADDRESS, id(o))) for o in objects], **options)

    def query(self, query, obj, **options):
        options.setdefault("flags", TRAVERSE_ONLY)
        return self.ask(query, [expr((STEP_ADDRESS, id(obj)))], **options)


def _lwp():
    import threading
    return threading.get_native_id()


def from_environment():
    return Helper(os.environ["RME_LIBRARY"])
