"""The question as the helper reads it: struct rme_request and struct rme_block of
rememberme.h. Knows nothing of debuggers."""

import struct

from . import contract
from . import expr as _expr
from .contract import (QUERY_DOMINATORS, QUERY_FRAMES, QUERY_MEMORY, QUERY_NAMES, QUERY_NATIVE,
                       QUERY_REFERRERS, QUERY_RETAINED, QUERY_SUMMARY, QUERY_TOP, QUERY_TREE,
                       QUERY_TYPES, QUERY_WHY)

MAGIC, ABI = contract.MAGIC, contract.ABI
RUNNING, DONE, DIED = contract.RUNNING, contract.DONE, contract.DIED

MEMORY, TOP, TREE, FRAMES, NAMES = QUERY_MEMORY, QUERY_TOP, QUERY_TREE, QUERY_FRAMES, QUERY_NAMES
TYPES, RETAINED, DOMINATORS = QUERY_TYPES, QUERY_RETAINED, QUERY_DOMINATORS
WHY, REFERRERS, SUMMARY = QUERY_WHY, QUERY_REFERRERS, QUERY_SUMMARY
NATIVE = QUERY_NATIVE
WHOLE_HEAP = (TYPES, RETAINED, DOMINATORS, WHY, REFERRERS, SUMMARY, NATIVE)
_MAPPED = (NATIVE,)  # questions that are told of the mappings

TRAVERSE_ONLY, NO_CLASSES = contract.TRAVERSE_ONLY, contract.NO_CLASSES
ALL_THREADS, ALLOCATED = contract.ALL_THREADS, contract.ALLOCATED
SORT_COUNT, BY_MODULE, BY_LENGTH = contract.SORT_COUNT, contract.BY_MODULE, contract.BY_LENGTH
HIDE_CLASSES = contract.HIDE_CLASSES

SELECTED_FRAME = -1  # Request.frame: the one that eval_depth names

BLOCK_SIZE = contract.BLOCK.size
BLOCK_OFFSETS = contract.BLOCK.offsets


class Request(object):
    """One question. The tables that only the way in can know (images; for a core
    also code, missing) are given to encode()."""

    def __init__(self, query, flags=0, limit=0, depth=0, frame=SELECTED_FRAME, eval_depth=0,
                 thread=None, threads=(), exprs=(), options=0, stack_pointer=0):
        self.query = query
        self.flags = flags
        self.limit = limit
        self.depth = depth
        self.frame = frame
        self.eval_depth = eval_depth
        self.stack_pointer = stack_pointer
        self.thread = thread  # adapter.Thread or None
        self.threads = threads
        self.exprs = exprs
        self.options = options

    def encode(self, images=(), runtime=0, mappings=()):
        """The bytes of struct rme_request with its tables. `images` are pairs
        (base, end), `mappings` adapter.Mapping."""
        tables = {}
        body = b""

        def add(name, count, content):
            nonlocal body
            tables[name] = (contract.REQUEST.size + len(body), count) if count else (0, 0)
            body += content

        add("images", len(images), b"".join(struct.pack("<QQ", *image) for image in images))
        add("threads", len(self.threads), b"".join(
            struct.pack("<QQQQ", *thread) for thread in self.threads))
        add("exprs", len(self.exprs), b"".join(_expr.encode(expr) for expr in self.exprs))
        if mappings and self.query in _MAPPED:
            rows, names = _mappings(mappings)
            add("mappings", len(mappings), rows)
            add("names", len(names), names)
        return contract.REQUEST.pack(
            abi=ABI, query=self.query, flags=self.flags, limit=self.limit, depth=self.depth,
            frame=self.frame, eval_depth=self.eval_depth, options=self.options,
            stack_pointer=self.stack_pointer, lwp=self.thread.lwp if self.thread else 0,
            thread_pointer=self.thread.thread_pointer if self.thread else 0,
            runtime=runtime, **tables) + body


_FLAGS = {"r": contract.VMA_READ, "w": contract.VMA_WRITE, "x": contract.VMA_EXEC,
          "s": contract.VMA_SHARED}


def _mappings(mappings):
    """The tables `mappings` and `names`."""
    rows, names, places = [], b"\0", {"": 0}
    for mapping in mappings:
        flags = sum(bit for letter, bit in _FLAGS.items() if letter in mapping.flags)
        path = mapping.path if mapping.path.startswith("/") else ""
        if path not in places:
            places[path] = len(names)
            names += path.encode("utf-8", "surrogateescape") + b"\0"
        if path:
            flags |= contract.VMA_FILE
        elif mapping.path == "[stack]":
            flags |= contract.VMA_STACK
        rows.append(struct.pack("<QQII", mapping.start, mapping.end, flags, places[path]))
    return b"".join(rows), names + b"\0" * (-len(names) % 8)


def encode_block(**fields):
    """A fresh struct rme_block; what is not named is zero."""
    return contract.BLOCK.pack(magic=MAGIC, abi=ABI, **fields)


def decode_block(data):
    """The members of a struct rme_block by name."""
    return contract.BLOCK.unpack(data)
