/* Strongly connected components of a part of a graph, iterative, one look at each edge, and where
 * garbage is entered. Knows no CPython. */
#ifndef RME_GRAPH_COMPONENTS_H
#define RME_GRAPH_COMPONENTS_H

#include "graph/csr.h"

/* The part is what has rank RME_NO_NODE, m nodes: `nodes`, ascending, or with NULL they are
 * looked for. Ranks of others are below `base`, and base + m is at most 2^32 - 1. Afterwards the
 * ranks of the part are its components, `n` of them, numbered downwards from base + m - 1: edges
 * lead from lower to higher numbers. `room` are three arrays of m words. */
struct rme_components {
	const struct rme_csr *g;
	uint32_t *rank;
	const uint32_t *nodes;
	uint32_t base, m;
	uint32_t *room[3];
	uint32_t n;
};

/* False when cancelled. */
bool rme_components_find(struct rme_components *c, const volatile uint32_t *cancel);

/* Garbage is a part that no edge leads into from outside. It is entered by one node of each
 * component that no edge enters: of its nodes the one for which `prefer` gives most, of equal
 * ones the lowest. */
typedef uint32_t (*rme_prefer_fn)(void *arg, uint32_t node);
struct rme_garbage {
	rme_prefer_fn prefer; /* or NULL */
	void *arg;
	uint64_t
	    *within; /* gets a bit for each node of such a component that has several; or NULL */
	uint32_t *entries; /* ascending; NULL: not looked for yet */
	uint32_t n_entries;
};

/* Finds the components, and the entries, in room[0]. `nodes` must be given; their ranks are
 * RME_NO_NODE again. False when cancelled. */
bool rme_components_entries(struct rme_components *c, struct rme_garbage *garbage,
                            const volatile uint32_t *cancel);

#endif
