/* Deep sizes of many nodes, one after the other: what each reaches, itself included.
 * Knows no CPython.
 *
 * Nearly every instance leads to its class, and a class to much of the program, so
 * walking it anew for each of a million records would never end. What the deferred
 * nodes (classes, code) lead to is therefore found out once per set of them, and its
 * members kept: if the first part of a walk ended at the deferred nodes S, the size is that
 * of the first part plus that of S, less what the two have in common (small ints and
 * names are in nearly every class). The result is exact. */
#ifndef RME_GRAPH_DEEP_H
#define RME_GRAPH_DEEP_H

#include "graph/walk.h"

struct rme_size {
	uint64_t bytes, objects;
	uint64_t bytes_first; /* without deferred nodes and what only they lead to */
	uint64_t second;      /* the walk's second figure */
};

struct rme_deep_memo {
	uint64_t key; /* hash of the set; 0: free */
	uint64_t bytes, objects, second;
	rme_addr *members; /* sorted; `objects` of them */
};

/* A node of the first part that deferred nodes lead to as well. */
struct rme_deep_common {
	rme_addr node;
	uint64_t size, second;
};

struct rme_deep {
	struct rme_walk *walk;
	struct rme_visited behind; /* everything that deferred nodes lead to */
	struct rme_deep_memo *memo;
	uint64_t n_memo, max_memo; /* a power of two */
	bool with_deferred;        /* false: they do not count at all */
	/* Marks (rme_visited_mark) that a wipe took away are set again by this. */
	void (*remark)(void *ctx);
	void *ctx;
	struct rme_deep_common *common; /* of the walk at work */
	uint64_t n_common, max_common;
	uint64_t last_second; /* of the walk, at the last node */
	rme_addr *members;    /* room for what memos keep, and for the set at work */
	uint64_t n_members, max_members;
	uint64_t spent; /* nodes visited so far */
	uint64_t budget;
};

/* After a walk from all roots: that walk's counted callback must have been
 * rme_deep_collect for its second part, see rme_deep_total. */
bool rme_deep_init(struct rme_deep *d, struct rme_walk *walk, struct rme_arena *arena,
                   bool with_deferred);

/* Runs the walk to its end and learns what stands behind the deferred nodes. The
 * roots are in. */
void rme_deep_total(struct rme_deep *d, struct rme_size *ret);

/* The deep size of one node. False when the budget is spent: then *ret is not set. */
bool rme_deep_size(struct rme_deep *d, rme_addr node, struct rme_size *ret);

#endif
