/* The walk: every node reachable from the roots, each once, without recursion.
 * Knows no CPython: what a node weighs and where it leads is handed in.
 *
 * Nodes are taken from an explicit stack in small batches, each batch in three rounds,
 * so that a node's memory is on its way while the others are worked on: the first
 * asks for the heads of the nodes, the second (`prepare`) for what hangs on them, the
 * third expands them. Arrays of references stand on the stack as cursors, not as
 * their elements: the stack of a list of ten million stays three words deep.
 *
 * Two walks may work as a pair, each on a thread of its own: they share the visited set, and
 * the one that has nothing left to do is handed a part of what the other has not begun. */
#ifndef RME_GRAPH_WALK_H
#define RME_GRAPH_WALK_H

#include "graph/visited.h"
#include "runtime/guard.h"
#include "runtime/sink.h"

enum rme_node {
	RME_NODE_COUNTED,  /* *size was set and the references were handed to the sink */
	RME_NODE_DEFERRED, /* a class or code: to be asked again with `deferred` true */
	RME_NODE_OUTSIDE,  /* not part of the graph: a module, or not an object */
};

/* Expands one node. With `deferred` false it may answer RME_NODE_DEFERRED and do
 * nothing else: such nodes come last, so that one pass gives both figures. */
typedef enum rme_node (*rme_expand_fn)(void *ctx, rme_addr node, uint64_t cookie, bool deferred,
                                       const struct rme_sink *sink, uint64_t *size);

/* Called a round before expand, when the head of the node is in the cache: asks for the
 * memory that expand will need. Returns a cookie that expand is given, not 0. */
typedef uint64_t (*rme_prepare_fn)(void *ctx, rme_addr node);

/* Told of each node that was counted (may be NULL). */
typedef void (*rme_counted_fn)(void *ctx, rme_addr node, uint64_t size);

enum { RME_ROUND_GATHER, RME_ROUND_CURSOR, RME_ROUND_PREPARE, RME_ROUND_EXPAND };

#define RME_BATCH   32u
#define RME_HANDOFF 96u

enum { RME_PAIR_WORKING, RME_PAIR_HUNGRY, RME_PAIR_FED, RME_PAIR_GONE };

/* What one side of a pair is given by the other. */
struct rme_handoff {
	uint32_t state __attribute__((aligned(64))); /* of the side that is given to */
	uint32_t n;
	uint64_t words[RME_HANDOFF]; /* as they stood on the stack */
};

struct rme_walk {
	/* set by rme_walk_init */
	struct rme_visited visited;
	uint64_t *stack, *deferred; /* of the arena */
	uint64_t stack_size, deferred_size;
	struct rme_guards *guards;
	rme_expand_fn expand;
	rme_prepare_fn prepare;
	void (*rounds)(struct rme_walk *w, bool deferred); /* rme_walk_rounds */
	void *ctx;
	/* set by the caller, may be NULL */
	rme_counted_fn counted;
	void *counted_ctx;
	void (*faulted)(void *ctx, rme_addr node); /* expanding it faulted */
	const volatile uint32_t *cancel;           /* non-zero ends the walk */
	volatile uint64_t *progress;               /* objects, bytes */
	uint64_t pause_at; /* rme_walk_first returns at so many objects; 0: never */
	/* the result of a run */
	uint64_t n_objects, n_bytes;
	uint64_t n_objects_first, n_bytes_first; /* without deferred nodes */
	uint64_t n_second; /* a second figure of each node: expand may add to it */
	bool cancelled;
	bool exhausted; /* out of arena: the figures are too low */
	bool paused;    /* at pause_at, with work left */
	/* at work */
	struct rme_sink sink;
	uint64_t n_stack, n_deferred;
	uint64_t bottom; /* of the stack: what is below was handed to the other side */
	rme_addr batch[RME_BATCH];
	uint64_t cookies[RME_BATCH];
	uint32_t n_batch, at; /* the one that is worked on */
	uint8_t round;        /* RME_ROUND_*: where a fault came from */
	uint64_t next_check;
	/* of a pair, else NULL */
	struct rme_handoff *mine, *theirs;
	const struct rme_walk *partner; /* for the progress of both */
};

bool rme_walk_init(struct rme_walk *w, struct rme_arena *arena, struct rme_guards *guards,
                   rme_prepare_fn prepare, rme_expand_fn expand, void *ctx);

/* Makes `second` a partner of the walk, with stacks of its own from the arena: once. Where
 * the first has paused, rme_walk_pair_begin lets them share the visited set; both then call
 * rme_walk_pair_run, each on its own thread, and rme_walk_pair_end takes over what the
 * second found. */
bool rme_walk_pair_init(const struct rme_walk *first, struct rme_walk *second,
                        struct rme_arena *arena, struct rme_guards *guards, void *ctx);
void rme_walk_pair_begin(struct rme_walk *first, struct rme_walk *second);
void rme_walk_pair_run(struct rme_walk *w);
void rme_walk_pair_end(struct rme_walk *first, struct rme_walk *second);

/* Adds a root. */
void rme_walk_root(struct rme_walk *w, rme_addr node);

/* Walks from the roots added since the last clear, all but the deferred nodes, which
 * are left in w->deferred; adds to the counters. */
void rme_walk_first(struct rme_walk *w);

/* Then the deferred nodes and what only they lead to. */
void rme_walk_rest(struct rme_walk *w);

/* Forgets what was visited and counted. True when marks (rme_visited_mark) went with
 * it, and must be set again. */
bool rme_walk_clear(struct rme_walk *w);

/* The second and third round of a batch, to be inlined where `prepare` and `expand` are
 * known: calling them through a pointer takes a third of the walk's time. */
static inline __attribute__((always_inline)) void
rme_walk_take_in(struct rme_walk *w, rme_addr node, enum rme_node kind, uint64_t size)
{
	if (__builtin_expect(kind == RME_NODE_COUNTED, 1)) {
		w->n_objects++;
		w->n_bytes += size;
		if (__builtin_expect(w->counted != NULL, 0))
			w->counted(w->counted_ctx, node, size);
	} else if (kind == RME_NODE_DEFERRED) {
		if (w->n_deferred == w->deferred_size)
			w->exhausted = true;
		else
			w->deferred[w->n_deferred++] = node;
	}
}

/* From where the last fault left them. */
static inline __attribute__((always_inline)) void
rme_walk_rounds(struct rme_walk *w, bool deferred, rme_prepare_fn prepare, rme_expand_fn expand)
{
	uint32_t n = w->n_batch;

	if (w->round != RME_ROUND_EXPAND) {
		uint32_t i = w->round == RME_ROUND_PREPARE ? w->at : 0;
		RME_STORE(w->round, RME_ROUND_PREPARE);
		for (; i < n; i++) {
			RME_STORE(w->at, i);
			RME_STORE(w->cookies[i], prepare(w->ctx, w->batch[i]));
		}
		RME_STORE(w->at, 0);
		RME_STORE(w->round, RME_ROUND_EXPAND);
	}
	for (uint32_t i = w->at; i < n; i++) {
		uint64_t size = 0;
		RME_STORE(w->at, i);
		enum rme_node kind =
		    expand(w->ctx, w->batch[i], w->cookies[i], deferred, &w->sink, &size);
		rme_walk_take_in(w, w->batch[i], kind, size);
	}
	RME_STORE(w->n_batch, 0);
	RME_STORE(w->round, RME_ROUND_GATHER);
}

#endif
