/* What a holder is a part of: the dict of a module, of an instance or of a class, the cell of
 * a function; or a root that has a name. */
#ifndef RME_QUERY_OWNER_H
#define RME_QUERY_OWNER_H

#include "query/heap_graph.h"

/* Neither: it is nobody's part, or that could not be found. */
struct rme_owner {
	const struct rme_root *root;
	uint32_t node; /* RME_NO_NODE: none */
};

/* The owners of `n` nodes, which ascend. One look at the whole graph, before the dominators;
 * false when the arena has no room. */
bool rme_owners_find(struct rme_heap_graph *g, const uint32_t *nodes, uint64_t n,
                     struct rme_owner *ret);

/* Appends "module app", "frame 0 (run at app.py:9) → users", "class app.User", "function
 * run.<locals>.inner", "app.User at 0x…"; false, and nothing, where there is no owner. */
bool rme_owner_append(struct rme_heap_graph *g, const struct rme_owner *owner,
                      struct rme_buffer *out);

#endif
