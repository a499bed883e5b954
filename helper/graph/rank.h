/* The largest nodes of a graph by what each reaches, exactly, without measuring every
 * node. Knows no CPython.
 *
 * 1. Cycles are condensed (reach.h): what is left has no cycle.
 * 2. Dominators of what is left, seen from a root above all sources. A component
 *    reaches what it dominates, which is a sum over a tree, and what its exits reach:
 *    the targets of edges that leave what it dominates. In a graph without cycles the two
 *    do not overlap. So its size is a known part plus that of a set of exits, and
 *    components with the same exits (a million records of one class with one
 *    configuration) share the unknown part. Trees and lists have no exits at all.
 * 3. Bounds: the exits reach together at least what the largest one does and at most
 *    the sum. For the exits that most depend on (classes, a shared configuration), the
 *    landmarks, it is found out what they reach, so that sums count nothing twice that is
 *    behind them: this makes most sets exact. A component whose exits are too many (heavy
 *    sharing) is bounded by its edges and by its height instead.
 * 4. The sets and components whose bounds leave open whether they belong to the largest
 *    are measured, 256 in a pass, the most promising first; then all bounds are worked
 *    out anew, until nothing is open.
 *
 * Where that takes too long, the ranking says that it may be wrong. */
#ifndef RME_GRAPH_RANK_H
#define RME_GRAPH_RANK_H

#include "graph/reach.h"

enum { RME_RANK_MOST = 10000, RME_LANDMARKS = 64 };

/* A set of exits, as a slice of a pool. */
struct rme_exits {
	uint32_t first, n;
	uint32_t n_landmarks;  /* of its members, the first ones */
	uint32_t round;        /* its bounds were worked out last, in that round */
	uint32_t chosen;       /* to be measured, in that round */
	uint64_t lower, upper; /* of what they reach together */
};

struct rme_rank {
	struct rme_reach *reach;
	/* by component */
	uint64_t *own;           /* what it dominates, itself included */
	uint32_t *exits;         /* number of its set; RME_NO_NODE: too many */
	uint64_t *lower, *upper; /* of what it reaches */
	uint32_t *chosen;        /* to be measured by itself, in that round */
	uint32_t *users;         /* components that have it among their exits */
	uint64_t *below;         /* by height: what all lower components weigh */
	uint32_t *height;
	struct rme_exits *sets;
	uint32_t n_sets, max_sets;
	uint32_t *slots; /* of a hash table: number of a set + 1 */
	uint32_t n_slots;
	uint32_t *pool;
	uint32_t n_pool, max_pool;
	uint32_t landmarks[RME_LANDMARKS];
	uint64_t *heap; /* of RME_RANK_MOST */
	uint32_t round, n_passes;
	bool uncertain; /* it took too many passes */
};

/* `scratch` as for rme_reach_init; it is needed until this returns. */
bool rme_rank_init(struct rme_rank *r, struct rme_reach *reach, uint32_t *scratch,
                   struct rme_arena *arena);

struct rme_ranked {
	uint64_t index; /* in `nodes` */
	uint64_t bytes;
};

/* The `most` (at most RME_RANK_MOST) largest of n nodes into ret, largest first, equal
 * ones in their order; *n_ret how many that are. A node that was left out of the graph is no
 * candidate. False when cancelled. */
bool rme_rank_largest(struct rme_rank *r, const uint32_t *nodes, uint64_t n, uint32_t most,
                      struct rme_ranked *ret, uint32_t *n_ret);

#endif
