/* Shortest paths from one root to every node, breadth first. The root's edges may be
 * followed in several goes: what an earlier one reached keeps its path, so that paths
 * from telling roots come before shorter ones from others. Knows no CPython. */
#ifndef RME_GRAPH_PATHS_H
#define RME_GRAPH_PATHS_H

#include "graph/csr.h"

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

#endif
