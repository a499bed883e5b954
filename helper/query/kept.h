/* What an image keeps from one question to the next: the graph of the heap as it was built,
 * and what was computed on it. It lies at the bottom of the arena, and what a question takes
 * above it is gone when the question is answered. */
#ifndef RME_QUERY_KEPT_H
#define RME_QUERY_KEPT_H

#include "query/query.h"

struct rme_heap_graph; /* heap_graph.h */

struct rme_kept {
	size_t bottom; /* of the arena, where nothing is kept */
	size_t floor;  /* questions begin here */
	uint64_t made_of;
	struct rme_heap_graph *graph; /* NULL: none */
};

/* Forgets everything. Only between two questions. */
void rme_kept_drop(struct rme_kept *kept);

/* Forgets a graph that is none of the memory, images and threads of the request. */
void rme_kept_check(struct rme_kept *kept, const struct rme_request *request);

/* Keeps the graph as it is now, with all that the arena holds. */
void rme_kept_raise(struct rme_query_ctx *ctx, const struct rme_heap_graph *graph);

#endif
