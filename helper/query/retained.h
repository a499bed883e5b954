/* Rankings that py-retained and py-summary share. */
#ifndef RME_QUERY_RETAINED_H
#define RME_QUERY_RETAINED_H

#include "query/heap_graph.h"

/* Finds paths and dominators, and writes the array `key` of the `limit` objects that retain
 * most. None lies within another: only modules dominate them. Then "by_class" of as many whose
 * instances retain most together, without those that are the interpreter's own. */
void rme_retained_objects(struct rme_heap_graph *g, uint64_t limit, const char *key);

/* types.c: writes the array `key` of the `limit` types whose tally is largest. Before
 * rme_retained_objects, whose tallies are others. */
void rme_types_largest(struct rme_query_ctx *ctx, uint64_t limit, const char *key);

#endif
