"""The question as the helper reads it: struct rme_request and struct rme_block of
rememberme.h. Knows nothing of debuggers."""

import struct

from . import expr as _expr

MAGIC = 0x4d454d52
ABI = 1

RUNNING, DONE, DIED, OFFERED, WANTED = 1, 2, 3, 4, 5  # enum rme_state; 0 is idle

MEMORY, TOP, TREE, FRAMES, NAMES = 1, 2, 3, 4, 5  # enum rme_query
TYPES, RETAINED, DOMINATORS, WHY, REFERRERS, SUMMARY = 16, 17, 18, 19, 20, 21
WHOLE_HEAP = (TYPES, RETAINED, DOMINATORS, WHY, REFERRERS, SUMMARY)
GRAPH = (RETAINED, DOMINATORS, WHY, REFERRERS, SUMMARY)

TRAVERSE_ONLY, NO_CLASSES, ALL_THREADS, ALLOCATED = 1, 2, 4, 1 << 6  # enum rme_flag

SORT_COUNT, BY_MODULE, BY_LENGTH = 1, 2, 4  # enum rme_option

SELECTED_FRAME = -1  # Request.frame: the one that eval_depth names

_BLOCK = struct.Struct("<IIIIii9Q2QIiQ")
_REQUEST = struct.Struct("<5IiII4Q12I")

BLOCK_SIZE = _BLOCK.size
CANCEL_OFFSET = 12  # of block.cancel
STATE_OFFSET, STATE = 8, struct.Struct("<IIiiQQ")  # state, cancel, pid, status, progress
PIECES_OFFSET, PIECES = 96, struct.Struct("<QQ")  # pieces, n_pieces
ANSWER_OFFSET = 112  # of block.answer
ANSWER_DONE, ANSWER_NO, ANSWER_WAIT = 1, 2, 3  # enum rme_block_answer
KEPT = struct.Struct("<IIQ")  # struct rme_kept: magic, size, total


class Request(object):
    """One question. The tables that only the way in can know (images; for a core
    also code, missing) are given to encode()."""

    def __init__(self, query, flags=0, limit=0, depth=0, frame=SELECTED_FRAME, eval_depth=0,
                 thread=None, threads=(), exprs=(), options=0, keep_from=0, kept=b""):
        self.query = query
        self.flags = flags
        self.limit = limit
        self.depth = depth
        self.frame = frame
        self.eval_depth = eval_depth
        self.thread = thread  # adapter.Thread or None
        self.threads = threads
        self.exprs = exprs
        self.options = options
        # Of a graph that is kept: kept.py
        self.keep_from = keep_from
        self.kept = kept

    def encode(self, images=(), runtime=0):
        """The bytes of struct rme_request with its tables. `images` are pairs
        (base, end)."""
        tables = []
        body = b""

        def add(count, content):
            nonlocal body
            offset = _REQUEST.size + len(body) if count else 0
            tables.extend((offset, count))
            body += content

        add(len(images), b"".join(struct.pack("<QQ", *image) for image in images))
        add(0, b"")  # code
        add(len(self.threads), b"".join(
            struct.pack("<QQQ", *thread) for thread in self.threads))
        add(len(self.exprs), b"".join(_expr.encode(expr) for expr in self.exprs))
        add(0, b"")  # missing
        add(len(self.kept), self.kept)
        return _REQUEST.pack(
            ABI, self.query, self.flags, self.limit, self.depth, self.frame, self.eval_depth,
            self.options,
            self.thread.lwp if self.thread else 0,
            self.thread.thread_pointer if self.thread else 0,
            runtime, self.keep_from, *tables) + body


def encode_block(request, request_size, reply, reply_capacity):
    """A fresh struct rme_block; `request` and `reply` are addresses."""
    return _BLOCK.pack(MAGIC, ABI, 0, 0, 0, 0, 0, 0, request, request_size, reply,
                       reply_capacity, 0, 0, 0, 0, 0, 0, 0, 0)


def decode_reply_size(block):
    """reply_size of the bytes of a struct rme_block."""
    return _BLOCK.unpack(block)[12]
