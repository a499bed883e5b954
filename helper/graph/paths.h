/* Shortest paths from one root to every node, breadth first. The root's edges may be
 * followed in several goes: what an earlier one reached keeps its path, so that paths
 * from telling roots come before shorter ones from others. Knows no CPython. */
#ifndef RME_GRAPH_PATHS_H
#define RME_GRAPH_PATHS_H

#include "graph/components.h"

struct rme_paths {
	const struct rme_csr *out;
	uint32_t root;
	uint32_t *before; /* of a node: the one before it on its path; RME_NO_NODE: none */
	uint32_t *queue;
};

/* `before` and `queue` have a word per node. No path leads through a node whose `before`
 * the caller then sets, say to itself, or ends there. */
void rme_paths_init(struct rme_paths *p, const struct rme_csr *out, uint32_t root, uint32_t *before,
                    uint32_t *queue);

/* Follows the root's edges from number `first` up to, not including, `end`. */
bool rme_paths_follow(struct rme_paths *p, uint32_t first, uint32_t end,
                      const volatile uint32_t *cancel);

/* What the avoided nodes lead to and no path does gets its `before` set to itself, so that
 * garbage can be told from it. The avoided ones stay so, but their `before` is the root now. */
bool rme_paths_lost(struct rme_paths *p, const uint32_t *avoided, uint64_t n,
                    const volatile uint32_t *cancel);

/* Then what has no `before` is garbage that the avoided nodes do not lead to: gives it paths, from
 * its entries on, and what it leads to. Whatever else was lost has no `before` then.
 * False also when the arena has no room. */
bool rme_paths_garbage(struct rme_paths *p, struct rme_garbage *garbage, struct rme_arena *arena,
                       const volatile uint32_t *cancel);

#endif
