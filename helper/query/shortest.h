/* Shortest paths from the roots to every node of the heap, found once per image: what
 * py-why, py-retained EXPR and the paths of listings read from them. */
#ifndef RME_QUERY_SHORTEST_H
#define RME_QUERY_SHORTEST_H

#include "query/heap_graph.h"

/* Makes g->before, the paths with nothing avoided, those to garbage included; g->named, a bit per
 * node whose path begins at a named root; and g->alive, one for each that is no garbage. False
 * with ctx->error. */
bool rme_shortest_find(struct rme_heap_graph *g);

/* These paths, found before. */
void rme_shortest_paths(const struct rme_heap_graph *g, struct rme_paths *ret);

static inline bool rme_shortest_named(const struct rme_heap_graph *g, uint32_t node)
{
	return g->named[node >> 6] >> (node & 63) & 1;
}

static inline bool rme_shortest_alive(const struct rme_heap_graph *g, uint32_t node)
{
	return g->alive[node >> 6] >> (node & 63) & 1;
}

/* Does the path to `node` lead through `through`? */
bool rme_shortest_through(const struct rme_heap_graph *g, uint32_t node, uint32_t through);

/* What would be freed if all of the nodes went: what they lead to and no path leads to without
 * them. False when cancelled, or with ctx->error. */
bool rme_shortest_lost(struct rme_heap_graph *g, const uint32_t *nodes, uint32_t n, uint64_t *bytes,
                       uint64_t *n_objects);

#endif
