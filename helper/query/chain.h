/* A chain of holders as a programmer reads it: `module app.cache`, then CACHE, then
 * ["users"], then [17]. */
#ifndef RME_QUERY_CHAIN_H
#define RME_QUERY_CHAIN_H

#include "query/heap_graph.h"

enum { RME_CHAIN_STEPS = 64, RME_CHAIN_TEXT = 4096 };

/* Writes the path to `node`, whose holder is `before` (the root of all: none), the rest
 * of it as `paths` says: members "root":TEXT, "steps":[{"label":TEXT|null,"address",
 * "type"}…], "expr":TEXT|null, and "elided":N where the middle of a long one is left
 * out. `root` is the named root that it begins at, or NULL. An instance's or a module's
 * dict is no step of its own. */
void rme_chain_report(struct rme_heap_graph *g, const struct rme_paths *paths,
                      const struct rme_root *root, uint32_t before, uint32_t node);

/* The number of steps of the path to a node; the root of all itself: 0. */
uint64_t rme_chain_length(const struct rme_paths *paths, uint32_t node);

/* The first node of the path to a node. */
uint32_t rme_chain_first(const struct rme_paths *paths, uint32_t node);

#endif
