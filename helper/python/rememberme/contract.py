"""The contract in numbers, structures and words: rememberme.h and contract.def,
by helper/contract/generate.py (./dev contract)."""

from .structure import Structure

MAGIC = 0x4d454d52
ABI = 2

# enum rme_state
IDLE = 0
RUNNING = 1
DONE = 2
DIED = 3

# enum rme_block_flag
NO_CODE = 1

# enum rme_query
QUERY_MEMORY = 1
QUERY_TOP = 2
QUERY_TREE = 3
QUERY_FRAMES = 4
QUERY_NAMES = 5
QUERY_INSPECT = 6
QUERY_TYPES = 16
QUERY_RETAINED = 17
QUERY_DOMINATORS = 18
QUERY_WHY = 19
QUERY_REFERRERS = 20
QUERY_SUMMARY = 21
QUERY_NATIVE = 24

# enum rme_flag
TRAVERSE_ONLY = 1
NO_CLASSES = 2
ALL_THREADS = 4
CHECK_CODE = 8
LAYOUTS_ONLY = 16
NO_PATIENCE = 32
ALLOCATED = 64

# enum rme_option
SORT_COUNT = 1
BY_MODULE = 2
BY_LENGTH = 4
HIDE_CLASSES = 8

# enum rme_vma_flag
VMA_READ = 1
VMA_WRITE = 2
VMA_EXEC = 4
VMA_SHARED = 8
VMA_FILE = 16
VMA_STACK = 32

# enum rme_step_kind
STEP_NAME = 1
STEP_MODULE = 2
STEP_ADDRESS = 3
STEP_ATTRIBUTE = 4
STEP_KEY_STR = 5
STEP_KEY_INT = 6
STEP_KEY_BYTES = 7
STEP_KEY_NONE = 8

BLOCK = Structure("block", (
    ("magic", "I"),
    ("abi", "I"),
    ("state", "I"),
    ("cancel", "I"),
    ("pid", "i"),
    ("status", "i"),
    ("progress_objects", "Q"),
    ("progress_bytes", "Q"),
    ("request", "Q"),
    ("request_size", "Q"),
    ("reply", "Q"),
    ("reply_capacity", "Q"),
    ("reply_size", "Q"),
    ("arena", "Q"),
    ("arena_size", "Q"),
    ("request_capacity", "Q"),
    ("lease_s", "I"),
    ("debugger", "i"),
    ("object_ms", "I"),
    ("flags", "I"),
    ("reserved", "Q"),
))

TABLE = Structure("table", (
    ("offset", "I"),
    ("count", "I"),
))

REQUEST = Structure("request", (
    ("abi", "I"),
    ("query", "I"),
    ("flags", "I"),
    ("limit", "I"),
    ("depth", "I"),
    ("frame", "i"),
    ("eval_depth", "I"),
    ("options", "I"),
    ("lwp", "Q"),
    ("thread_pointer", "Q"),
    ("runtime", "Q"),
    ("stack_pointer", "Q"),
    ("images", "II"),
    ("code", "II"),
    ("threads", "II"),
    ("exprs", "II"),
    ("missing", "II"),
    ("mappings", "II"),
    ("names", "II"),
))

IMAGE = Structure("image", (
    ("base", "Q"),
    ("end", "Q"),
))

RANGE = Structure("range", (
    ("start", "Q"),
    ("end", "Q"),
))

THREAD = Structure("thread", (
    ("number", "Q"),
    ("lwp", "Q"),
    ("thread_pointer", "Q"),
    ("stack_pointer", "Q"),
))

VMA = Structure("vma", (
    ("start", "Q"),
    ("end", "Q"),
    ("flags", "I"),
    ("name", "I"),
))

EXPR = Structure("expr", (
    ("size", "I"),
    ("n_steps", "I"),
    ("text_size", "I"),
    ("reserved", "I"),
))

STEP = Structure("step", (
    ("kind", "I"),
    ("size", "I"),
))

ERROR_KINDS = (
    "not-python",
    "unsupported-python",
    "not-initialized",
    "finalized",
    "layout-mismatch",
    "no-python-thread",
    "no-python-frame",
    "no-such-frame",
    "no-such-name",
    "no-such-module",
    "no-such-attribute",
    "no-such-key",
    "not-subscriptable",
    "no-object",
    "too-large",
    "reply-too-large",
    "out-of-memory",
    "bad-request",
    "cancelled",
    "usage",
    "bad-library",
    "compressed-core",
    "damaged-core",
    "unsupported-core",
    "not-a-core",
    "no-such-file",
    "no-such-thread",
    "no-process",
    "memory-limit",
    "time-limit",
    "died",
    "system",
    "bad-expression",
    "bad-reply",
    "call-failed",
    "process-ended",
    "internal",
    "no-core-path",
    "no-libc",
    "no-library",
    "no-mappings",
    "no-memory",
    "no-snapshot",
    "no-symbols",
    "no-target",
    "no-room",
    "no-thread",
    "no-thread-pointer",
    "not-local",
    "frozen",
    "running",
    "unsafe",
    "seccomp",
    "too-deep",
    "unreadable",
    "unsupported-gdb",
)

CAVEAT_KINDS = (
    "fault",
    "slow",
    "system-call",
    "estimated-size",
    "inferred-references",
    "corrupt-reference",
    "freed-object",
    "file-backed",
    "anonymous-mapping",
    "allocator",
    "not-all-ranked",
    "unmeasured-frames",
    "collecting",
    "broken-list",
    "no-room",
    "cut-tree",
    "out-of-memory",
    "damaged-heap",
    "malloc-bytes",
    "malloc-mappings",
    "no-arenas",
    "missing-binary",
    "wrong-binary",
    "hands-off",
    "unverifiable-binary",
    "not-executable",
    "no-file-list",
    "truncated-core",
    "unreadable",
    "not-confined",
)
