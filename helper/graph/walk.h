/* The walk: every node reachable from the roots, each once, without recursion.
 * Knows no CPython: what a node weighs and where it leads is handed in.
 *
 * Nodes are taken from an explicit stack in small batches, each batch in three rounds,
 * so that a node's memory is on its way while the others are worked on: the first
 * asks for the heads of the nodes, the second (`prepare`) for what hangs on them, the
 * third expands them. Arrays of references stand on the stack as cursors, not as
 * their elements: the stack of a list of ten million stays three words deep.
 *
 * Two walks may work as a pair, each on a thread of its own: each owns every other
 * chunk of the visited set and sends the other what it finds in the other's. */
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

#define RME_BATCH 32u
#define RME_RING  4096u /* power of two */

/* From one thread of a pair to the other. Each side's index on a line of its own. */
struct rme_ring {
	rme_addr slots[RME_RING];
	uint64_t n_sent __attribute__((aligned(64)));
	uint64_t n_received __attribute__((aligned(64)));
	bool idle __attribute__((aligned(64))); /* the receiver has nothing to do */
};

struct rme_walk {
	/* set by rme_walk_init */
	struct rme_visited visited;
	uint64_t *stack, *deferred; /* of the arena */
	uint64_t stack_size, deferred_size;
	struct rme_guards *guards;
	rme_expand_fn expand;
	rme_prepare_fn prepare;
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
	rme_addr batch[RME_BATCH];
	uint64_t cookies[RME_BATCH];
	uint32_t n_batch, at; /* the one that is worked on */
	uint8_t round;        /* RME_ROUND_*: where a fault came from */
	uint64_t next_check;
	/* of a pair, else NULL */
	struct rme_ring *inbox, *outbox;
	rme_addr *pending; /* received, not looked at yet */
	uint64_t n_pending, pending_size;
	const struct rme_walk *partner; /* for the progress of both */
	uint64_t side;                  /* 0 or 1: owns the chunks whose number has that parity */
};

bool rme_walk_init(struct rme_walk *w, struct rme_arena *arena, struct rme_guards *guards,
                   rme_prepare_fn prepare, rme_expand_fn expand, void *ctx);

/* Makes `second` the partner of a walk that paused: it shares the visited set and has
 * stacks of its own from the arena. Both then call rme_walk_pair_run, each on its own
 * thread, and rme_walk_pair_end takes over what the second found. */
bool rme_walk_pair_init(struct rme_walk *first, struct rme_walk *second, struct rme_arena *arena,
                        struct rme_guards *guards, void *ctx);
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

#endif
