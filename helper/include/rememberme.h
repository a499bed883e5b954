/* The one contract between the helper library and whoever loads it: the gdb
 * and lldb plugins (by injection), rememberme-undump, and the unit tests (by
 * ctypes).
 *
 * The library is freestanding: no libc, no undefined symbol, no writable global. A flat
 * copy of its PT_LOAD segments works at any page-aligned address, once the words that
 * RELATIVE names, the only relocation that it has, hold that address + addend.
 * Then nothing of it is written any more.
 *
 * An image is one frozen memory that answers questions: a snapshot of a process, or a child
 * of undump that holds the memory of a core. Life of a question, all memory owned by the caller:
 *
 *   1. The caller provides one readable and writable region that holds a
 *      struct rme_block, the request and room for the reply. For rme_start it
 *      must be a MAP_SHARED mapping, because a copy-on-write snapshot of the
 *      process writes the answer there.
 *   2. The caller fills the block (magic, abi, request, request_size, reply,
 *      reply_capacity; everything else zero) and calls one entry.
 *   3. When block->state is RME_DONE, reply holds reply_size bytes of UTF-8
 *      JSON without a terminating zero: an object, which on failure is
 *      {"error":{"kind":"…","message":"…"}}. A reply that does not fit becomes
 *      the error "reply-too-large".
 *   4. The image waits for the next question: the caller writes the request, request_size
 *      and cancel, and RME_RUNNING into state last of all. What was built for one question
 *      about the whole heap is there for the next.
 *
 * Units: all sizes are bytes. Addresses are those of the debuggee. Byte order
 * and alignment are the debuggee's own (little-endian x86-64 so far); every
 * structure below is free of implicit padding.
 */
#ifndef REMEMBERME_H
#define REMEMBERME_H

#include <stdint.h>

#define RME_EXPORT __attribute__((visibility("default")))

#define RME_MAGIC 0x4d454d52u /* "RMEM" */
#define RME_ABI   2u

enum rme_state {
	RME_IDLE = 0,    /* the snapshot is there and was asked nothing yet */
	RME_RUNNING = 1, /* the snapshot (or rme_run) is at work */
	RME_DONE = 2,    /* reply and reply_size are valid */
	RME_DIED = 3     /* the snapshot ended without a reply: see status */
};

/* The control block, shared between the debuggee, its snapshot and the
 * debugger. 128 bytes. */
struct rme_block {
	uint32_t magic;            /* RME_MAGIC */
	uint32_t abi;              /* RME_ABI */
	uint32_t state;            /* enum rme_state; a futex word */
	uint32_t cancel;           /* the caller sets 1: the walk ends within 2^16 objects
	                              with the error "cancelled" */
	int32_t pid;               /* of the snapshot, in the debuggee's pid namespace; 0: none */
	int32_t status;            /* RME_DIED: the wait status of the snapshot */
	uint64_t progress_objects; /* objects visited so far */
	uint64_t progress_bytes;   /* their sizes so far */
	uint64_t request;          /* address of a struct rme_request */
	uint64_t request_size;
	uint64_t reply; /* address of the reply buffer */
	uint64_t reply_capacity;
	uint64_t reply_size;
	uint64_t arena; /* the helper's own memory: set by rme_prepare */
	uint64_t arena_size;
	uint64_t request_capacity; /* what request_size may grow to */
	uint32_t lease_s;          /* a snapshot ends after so many seconds without a question;
	                              0: never */
	int32_t debugger;   /* its pid in the debuggee's namespace: a snapshot ends when it is
	                       gone; 0: not known */
	uint32_t object_ms; /* an object whose own code takes longer is left out; 0: never */
	uint32_t flags;     /* enum rme_block_flag */
	uint64_t reserved;
};

enum rme_block_flag {
	RME_NO_CODE = 1u << 0 /* the snapshot could not be confined: it reads by layouts */
};

enum rme_query {
	RME_QUERY_MEMORY = 1,  /* py-memory */
	RME_QUERY_TOP = 2,     /* py-top */
	RME_QUERY_TREE = 3,    /* py-mem-print */
	RME_QUERY_FRAMES = 4,  /* py-frames */
	RME_QUERY_NAMES = 5,   /* names visible in the frame, for completion */
	RME_QUERY_INSPECT = 6, /* single objects, without a walk */
	/* about the whole heap */
	RME_QUERY_TYPES = 16,      /* py-types */
	RME_QUERY_RETAINED = 17,   /* py-retained */
	RME_QUERY_DOMINATORS = 18, /* py-dominators */
	RME_QUERY_WHY = 19,        /* py-why */
	RME_QUERY_REFERRERS = 20,  /* py-referrers */
	RME_QUERY_SUMMARY = 21,    /* py-summary */
	/* about native memory */
	RME_QUERY_NATIVE = 24 /* py-native */
};

enum rme_flag {
	RME_TRAVERSE_ONLY = 1u << 0, /* references: traverse, not owned */
	RME_NO_CLASSES = 1u << 1,    /* classes off: do not enter types and code */
	RME_ALL_THREADS = 1u << 2,
	RME_CHECK_CODE = 1u << 3,   /* call tp_traverse only inside the ranges of
	                               `code` (undump); elsewhere use the layouts */
	RME_LAYOUTS_ONLY = 1u << 4, /* never call code of the debuggee (tests) */
	RME_NO_PATIENCE = 1u << 5,  /* rank by the graph, not by walks (tests) */
	RME_ALLOCATED = 1u << 6     /* also what the allocator gave: "allocated" */
};

/* What some questions are told besides, in rme_request.options. */
enum rme_option {
	RME_SORT_COUNT = 1u << 0,  /* TYPES: by number of objects, not by size */
	RME_BY_MODULE = 1u << 1,   /* TYPES: a row per module, with its types */
	RME_BY_LENGTH = 1u << 2,   /* TYPES: with the lengths of strings and containers */
	RME_HIDE_CLASSES = 1u << 3 /* TREE: classes are no nodes below the root */
};

/* A table inside the request: `count` elements at `offset` bytes from the start
 * of the request, 8-byte aligned. */
struct rme_table {
	uint32_t offset;
	uint32_t count;
};

struct rme_request {
	uint32_t abi;              /* RME_ABI */
	uint32_t query;            /* enum rme_query */
	uint32_t flags;            /* enum rme_flag */
	uint32_t limit;            /* rows, or children of a node; 0: no limit */
	uint32_t depth;            /* levels of a tree; 0: no limit */
	int32_t frame;             /* number of a Python frame, innermost 0; -1: the one that
	                              eval_depth names */
	uint32_t eval_depth;       /* how many C frames of _PyEval_EvalFrameDefault are
	                              further in than the selected C frame: the Python
	                              frame of the selected C frame is the innermost one
	                              that this activation of the eval loop runs */
	uint32_t options;          /* enum rme_option */
	uint64_t lwp;              /* of the selected thread, in the debugger's view */
	uint64_t thread_pointer;   /* of the selected thread (fs base); 0: the helper
	                              runs on that thread and asks the CPU */
	uint64_t runtime;          /* address of _PyRuntime; 0: look it up in images */
	uint64_t stack_pointer;    /* of the selected C frame: since 3.12 it tells by itself which
	                              activation that is in; 0: eval_depth alone tells */
	struct rme_table images;   /* struct rme_image: loaded ELF images */
	struct rme_table code;     /* struct rme_range: executable text that may run */
	struct rme_table threads;  /* struct rme_thread: the debugger's threads */
	struct rme_table exprs;    /* struct rme_expr, one after another */
	struct rme_table missing;  /* struct rme_range: memory that a core lacks */
	struct rme_table mappings; /* struct rme_vma, ascending: of questions about native memory */
	struct rme_table names;    /* bytes: their paths */
};

struct rme_image {
	uint64_t base; /* where the ELF header is mapped */
	uint64_t end;  /* end of the last mapping of that file */
};

struct rme_range {
	uint64_t start;
	uint64_t end; /* exclusive */
};

struct rme_thread {
	uint64_t number; /* as the debugger numbers it */
	uint64_t lwp;
	uint64_t thread_pointer; /* 0: not known */
	uint64_t stack_pointer;  /* 0: not known */
};

/* A mapping of the debuggee's memory. */
struct rme_vma {
	uint64_t start;
	uint64_t end;   /* exclusive */
	uint32_t flags; /* enum rme_vma_flag */
	uint32_t name;  /* where its path begins in the bytes of `names`, which a zero ends; the
	                   first of them is that of no name */
};

enum rme_vma_flag {
	RME_VMA_READ = 1u << 0,
	RME_VMA_WRITE = 1u << 1,
	RME_VMA_EXEC = 1u << 2,
	RME_VMA_SHARED = 1u << 3,
	RME_VMA_FILE = 1u << 4, /* of a file, however private */
	RME_VMA_STACK = 1u << 5 /* the main thread's stack */
};

/* One EXPR: this header, `text_size` bytes of what the user typed, padded to 8,
 * then n_steps steps. `size` is that of the whole record, a multiple of 8. */
struct rme_expr {
	uint32_t size;
	uint32_t n_steps;
	uint32_t text_size;
	uint32_t reserved;
};

enum rme_step_kind {
	RME_STEP_NAME = 1,      /* UTF-8: a local, free, global or builtin name */
	RME_STEP_MODULE = 2,    /* UTF-8: a key of sys.modules */
	RME_STEP_ADDRESS = 3,   /* uint64_t: a PyObject * */
	RME_STEP_ATTRIBUTE = 4, /* UTF-8: .name */
	RME_STEP_KEY_STR = 5,   /* UTF-8: ["key"] */
	RME_STEP_KEY_INT = 6,   /* int64_t: [17], [-1], [True] */
	RME_STEP_KEY_BYTES = 7, /* bytes: [b"key"] */
	RME_STEP_KEY_NONE = 8   /* nothing: [None] */
};

/* Header of a step; `size` bytes of payload follow, padded to 8. */
struct rme_step {
	uint32_t kind;
	uint32_t size;
};

/* Live: makes a snapshot of the process that answers the request and those to come, waits
 * up to wait_ms milliseconds for the answer, and returns block->state, or a negative
 * errno when no snapshot could be made. When it returns RME_DIED the snapshot is
 * reaped already. Changes nothing in the calling process but the block and the reply. */
RME_EXPORT int64_t rme_start(struct rme_block *block, uint64_t wait_ms);

/* Live: makes a snapshot that is no child of the process and needs nothing of it any more: all that
 * was mapped there may be unmapped. Only that page of the block is read. The snapshot maps
 * a block of its own at the same address, in memory that only it has, and room for requests and
 * replies as request_capacity and reply_capacity say; it is ready when state is RME_IDLE and
 * request is set. Returns its pid in the process's namespace, or a negative errno: -ECHILD
 * where the process would have to reap it (it is the init of its namespace or a subreaper). */
RME_EXPORT int64_t rme_snapshot(struct rme_block *block);

/* Live: waits up to wait_ms more; returns block->state, reaps as rme_start. */
RME_EXPORT int64_t rme_wait(struct rme_block *block, uint64_t wait_ms);

/* Live: ends the snapshot, if there is one, and reaps it. Returns 0. */
RME_EXPORT int64_t rme_stop(struct rme_block *block);

/* Reserves all the memory that an answer may need and installs the fault guard
 * in this process. Returns 0 or a negative errno. */
RME_EXPORT int64_t rme_prepare(struct rme_block *block);

/* Answers in this process, after rme_prepare, as often as the caller likes. Makes no system call
 * but rt_sigreturn, and madvise to give back memory. Returns RME_DONE. */
RME_EXPORT int64_t rme_answer(struct rme_block *block);

/* rme_prepare, rme_answer, and everything put back: for tests by ctypes. */
RME_EXPORT int64_t rme_run(struct rme_block *block);

/* What a reply holds, and the kinds of errors and caveats: helper/contract/contract.def,
 * REPLIES.md. The numbers and structures above are read by helper/contract/generate.py
 * (./dev contract), which writes them for Python: keep to one member in a line. */

#endif
