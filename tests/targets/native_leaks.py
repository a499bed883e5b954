"""A program whose native memory is known: blocks that are forgotten and blocks that somebody
holds, each kind of a size of its own, and objects whose references were forgotten."""

import ctypes
import threading
import zlib

import stage

FORGOTTEN, FORGOTTEN_SIZE = 20000, 1000
KEPT, KEPT_SIZE = 3000, 1208       # by a table in a block, which a Python object points to
THREADS, STAYING, FREED, STAYING_SIZE = 4, 200, 10000, 3000
OBJECTS = 5000                     # bytes objects that nothing refers to
TEXT = b"a forgotten record"

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
Py_IncRef = ctypes.pythonapi.Py_IncRef
Py_IncRef.argtypes = [ctypes.py_object]


def scrub(depth=50):
    """Words of what was done before must not stand on the stack any more."""
    return scrub(depth - 1) if depth else bytearray(4096).count(0)


def forget():
    for _ in range(FORGOTTEN):
        ctypes.memmove(libc.malloc(FORGOTTEN_SIZE), TEXT + b"\0", len(TEXT) + 1)


def keep():
    table = (ctypes.c_void_p * KEPT)()
    for i in range(KEPT):
        table[i] = libc.malloc(KEPT_SIZE)
        ctypes.memset(table[i], 0, KEPT_SIZE)
    return table


def fragment(ready, done):
    blocks = [libc.malloc(STAYING_SIZE) for _ in range(STAYING + FREED)]
    step = len(blocks) // STAYING
    for i, block in enumerate(blocks):
        ctypes.memset(block, 0, STAYING_SIZE)
    for i, block in enumerate(blocks):
        if i % step or i // step >= STAYING:
            libc.free(block)
    del blocks, block
    scrub()
    ready.wait()
    done.wait()


def leak_objects():
    for i in range(OBJECTS):
        Py_IncRef(b"%0287d" % i)


forget()
table = keep()
leak_objects()
compressors = [zlib.compressobj(9) for _ in range(20)]
ready, done = threading.Barrier(THREADS + 1), threading.Event()
threads = [threading.Thread(target=fragment, args=(ready, done), daemon=True) for _ in range(THREADS)]
for thread in threads:
    thread.start()
ready.wait()
scrub()
stage.wait(forgotten=[FORGOTTEN, FORGOTTEN_SIZE], kept=[KEPT, KEPT_SIZE],
           staying=[THREADS * STAYING, STAYING_SIZE], freed=THREADS * FREED * STAYING_SIZE,
           objects=OBJECTS, text=TEXT.decode(), compressors=len(compressors))
