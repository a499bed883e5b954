/* A graph of the heap that lasts longer than its question (struct rme_kept): given away when
 * it is built, taken back by a later question about the same memory. */
#ifndef RME_QUERY_KEPT_H
#define RME_QUERY_KEPT_H

#include "query/heap_graph.h"

/* Makes the graph of what the caller kept, with the doubts and tallies of the walk that
 * built it. False: build it. */
bool rme_kept_take(struct rme_heap_graph *g, struct rme_query_ctx *ctx);

/* Offers the graph, as it was built, to the caller, if that wants it. */
void rme_kept_offer(const struct rme_heap_graph *g);

#endif
