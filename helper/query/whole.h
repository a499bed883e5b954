/* The whole heap: every object that the interpreters, their threads and modules reach,
 * and what the collector's lists have besides. py-types counts it, and the graph is
 * built from it. */
#ifndef RME_QUERY_WHOLE_H
#define RME_QUERY_WHOLE_H

#include "cpython/roots.h"
#include "graph/index.h"
#include "query/query.h"

struct rme_whole {
	struct rme_query_ctx *ctx; /* whose `whole` this is */
	struct rme_walk walk;
	struct rme_index *index; /* NULL: not wanted */
	struct rme_root *roots;  /* those that have names, the static types last */
	uint64_t n_roots, max_roots;
	struct rme_root *words; /* those of kind RME_ROOT_STACK, which may be none */
	uint64_t n_words;
	rme_addr interned; /* the dict of interned strings, or 0. Its references do not
	                      count, but for those to immortal strings */
	/* Told of each object; or NULL. */
	void (*counted)(void *arg, struct rme_type *t, rme_addr object, uint64_t size);
	void *arg;
	bool again; /* a second pass over the objects: nothing is tallied */
};

/* Makes ready, and finds the named roots; false with ctx->error. `index` (or NULL) is
 * initialised, and may be built after the walk. */
bool rme_whole_init(struct rme_whole *w, struct rme_query_ctx *ctx, struct rme_index *index);

/* Another question goes on with what the walk has left. */
void rme_whole_resume(struct rme_whole *w, struct rme_query_ctx *ctx);

/* Walks from the roots and from the collector's lists. Sizes and numbers are in w->walk
 * and, by type, in struct rme_type. False with ctx->error. */
bool rme_whole_walk(struct rme_whole *w);

#endif
