/* One question: from the request to the reply. Each kind of question is a file of its
 * own beside this one; heap.c joins what cpython/ knows to what graph/ does. */
#ifndef RME_QUERY_QUERY_H
#define RME_QUERY_QUERY_H

#include "cpython/allocated.h"
#include "cpython/frame.h"
#include "cpython/path.h"
#include "cpython/refs.h"
#include "cpython/size.h"
#include "cpython/type_name.h"
#include "graph/deep.h"
#include "reply/json.h"

enum { RME_MAX_FORCED = 256 };

/* What mmap.mmap objects among the counted ones map, by files and by none: in no size. */
struct rme_mapped {
	uint64_t n_files, file_bytes;
	uint64_t n_anonymous, anonymous_bytes;
	rme_addr file, anonymous; /* an object of each kind */
};

/* Why the blocks of native memory are not all there. */
struct rme_native_doubts {
	uint64_t n_damaged; /* chunks and pools that do not lead to what is behind them */
	rme_addr damaged;
	uint64_t n_bytes_lost; /* that arenas say to have, and no chunk was found in */
	uint64_t n_mapped_lost;
	bool no_arenas; /* CPython's own blocks are not known */
	bool exhausted;
};

/* What made a figure inexact, and what is told beside it, counted while it is taken. */
struct rme_doubts {
	uint64_t n_corrupt;               /* references to what is no object */
	rme_addr corrupt, corrupt_holder; /* one, and the object that has it; 0: not known */
	uint64_t n_freed;                 /* references to objects without references */
	rme_addr freed, freed_holder;
	struct rme_mapped mapped;
	struct rme_native_doubts native;
};

struct rme_whole;  /* whole.h */
struct rme_second; /* pair.c */
struct rme_kept;   /* kept.h */

struct rme_query_ctx {
	struct rme_block *block;
	const struct rme_request *request;
	struct rme_arena *arena;
	struct rme_guards *guards;
	struct rme_kept *kept; /* of the image */
	struct rme_python py;
	struct rme_buffer out;
	struct rme_json json;
	struct rme_error error; /* if it has a kind, the query failed */
	struct rme_walk walk;
	struct rme_doubts doubts;
	bool owned;     /* references owned, not traverse */
	bool classes;   /* classes on */
	bool allocated; /* RME_ALLOCATED: the walk's second figure is what the allocator gave */
	rme_addr *namespaces; /* dicts of the modules: never entered */
	uint64_t n_namespaces;
	rme_addr forced[RME_MAX_FORCED]; /* roots that are entered whatever they are */
	uint32_t n_forced;
	bool threads;          /* a second thread may help: this process is ours */
	uint32_t lists;        /* enum rme_lists: whether the collector's are complete */
	bool over_budget;      /* some sizes were not taken one by one */
	bool cut;              /* a tree was too large to be drawn as deep as it was asked for */
	uint64_t n_no_room;    /* what a list of this helper had no room for */
	uint64_t n_unmeasured; /* frames without a size of their own */
	struct rme_python_thread thread; /* the selected one, if tstate */
	struct rme_frame frame;          /* the selected one, if address */
	struct rme_whole *whole;         /* while the whole heap is walked */
	struct rme_second *second;       /* the second thread's view, once it was wanted */
};

/* pair.c: goes on with a walk that paused, on two threads, to the deferred nodes. */
void rme_heap_pair(struct rme_query_ctx *ctx);

/* One per enum rme_query. Each sets ctx->error or writes members of the reply. */
void rme_query_memory(struct rme_query_ctx *ctx);
void rme_query_top(struct rme_query_ctx *ctx);
void rme_query_tree(struct rme_query_ctx *ctx);
void rme_query_frames(struct rme_query_ctx *ctx);
void rme_query_names(struct rme_query_ctx *ctx);
void rme_query_types(struct rme_query_ctx *ctx);
void rme_query_retained(struct rme_query_ctx *ctx);
void rme_query_dominators(struct rme_query_ctx *ctx);
void rme_query_why(struct rme_query_ctx *ctx);
void rme_query_referrers(struct rme_query_ctx *ctx);
void rme_query_summary(struct rme_query_ctx *ctx);
void rme_query_native(struct rme_query_ctx *ctx);
void rme_query_inspect(struct rme_query_ctx *ctx);

/* heap.c */

/* Makes ready to walk; false with ctx->error set. */
bool rme_heap_init(struct rme_query_ctx *ctx);

/* Marks the namespaces again, after rme_walk_clear lost the marks. */
void rme_heap_remark(struct rme_query_ctx *ctx);

/* Forgets the roots and what was visited. Doubts are kept. */
void rme_heap_begin(struct rme_query_ctx *ctx);

/* Adds a root. `asked`: the user named it, so it is entered even if it is a module,
 * a namespace or a class. */
void rme_heap_root(struct rme_query_ctx *ctx, rme_addr object, bool asked);

/* Adds the locals of a frame as roots. */
void rme_heap_root_frame(struct rme_query_ctx *ctx, const struct rme_frame *frame);

/* Sizes everything that the roots reach, shared objects once. A large graph is walked
 * by two threads where that is allowed. */
void rme_heap_measure(struct rme_query_ctx *ctx, struct rme_size *ret);

/* Is the node part of the graph when it is met (no module, no namespace, an object)? */
bool rme_heap_inside(struct rme_query_ctx *ctx, rme_addr object);

/* Is it an object, with references to it? Notes a doubt if not. *t is its type where the
 * caller knows it, else NULL. */
static inline bool rme_heap_sound(struct rme_query_ctx *ctx, rme_addr object, struct rme_type **t)
{
	/* Far above any count of references, far below any address: a freed block begins
	 * with a pointer to the next one (Objects/obmalloc.c). */
	enum { REFCOUNT_MAX_BITS = 40 };

	if (__builtin_expect(!*t, 0))
		*t = rme_type_get(&ctx->py, rme_type_of(&ctx->py, object));
	if (__builtin_expect(!*t, 0)) {
		ctx->doubts.n_corrupt++;
		ctx->doubts.corrupt = object;
		return false;
	}
	int64_t refcount = (int64_t)rme_refcount(&ctx->py, object);
	if (__builtin_expect(refcount <= 0 || refcount >> REFCOUNT_MAX_BITS, 0)) {
		/* Without references, and not given back: the module keeps it for the next one
		 * and shows it (module_traverse, Modules/_asynciomodule.c, from 3.12 on). */
		if (refcount ||
		    !rme_type_is_named(&ctx->py, (*t)->address, "_asyncio.FutureIter") ||
		    !rme_is_kept_block(&ctx->py, object - (*t)->presize)) {
			ctx->doubts.n_freed++;
			ctx->doubts.freed = object;
		}
		return false;
	}
	return true;
}

/* Notes what an object of RME_KIND_MMAP maps. May fault: hold a guard. */
void rme_heap_mapping(struct rme_query_ctx *ctx, rme_addr object);

/* Every later doubt counts from zero: called before the walk that the caveats are about. */
void rme_heap_reset_doubts(struct rme_query_ctx *ctx);

/* report.c: parts of replies that several queries share */

/* The name of a type. */
void rme_report_type(struct rme_query_ctx *ctx, const char *key, rme_addr type);
/* "address", "type", "own_size" */
void rme_report_identity(struct rme_query_ctx *ctx, rme_addr object);
/* These, "size", "objects", "size_without_classes" */
void rme_report_object(struct rme_query_ctx *ctx, rme_addr object, const struct rme_size *size);
/* "size" and, where it was asked for, "allocated" */
void rme_report_bytes(struct rme_query_ctx *ctx, const struct rme_size *size);
/* These, "objects", "size_without_classes" */
void rme_report_size(struct rme_query_ctx *ctx, const struct rme_size *size);
/* "mapped": what was noted since `before` */
void rme_report_mapped(struct rme_query_ctx *ctx, const struct rme_mapped *before);
/* "thread", "frame", "function", "file", "line" */
void rme_report_frame(struct rme_query_ctx *ctx, const struct rme_python_thread *thread,
                      const struct rme_frame *frame);
/* "references", "classes", "caveats": the end of every reply */
void rme_report_caveats(struct rme_query_ctx *ctx);

/* The selected thread and frame, when the request needs them; false with the error. */
bool rme_query_select(struct rme_query_ctx *ctx);

/* Does the EXPR begin with a name, which only a frame can tell? */
bool rme_query_needs_frame(const struct rme_expr *expr);

/* The exprs of the request, resolved into ctx->forced; `n` of them are there. False
 * with the error. Selects a frame only where an EXPR needs one. */
bool rme_query_exprs(struct rme_query_ctx *ctx, rme_addr *ret, const struct rme_expr **exprs,
                     uint32_t *n);

#endif
