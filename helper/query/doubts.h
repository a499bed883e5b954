/* What made a figure inexact is counted while it is taken. A question that walks the same
 * objects again for other figures keeps the counts of the walk that its caveats are
 * about, and puts them back. */
#ifndef RME_QUERY_DOUBTS_H
#define RME_QUERY_DOUBTS_H

#include "query/query.h"

struct rme_doubts_of_type {
	rme_addr type, example;
	uint64_t n_estimated, n_inferred, n_faults;
};

struct rme_kept_doubts {
	struct rme_doubts doubts;
	struct rme_doubts_of_type *types;
	uint64_t n, max;
};

/* False when the arena has no room. */
bool rme_doubts_keep(struct rme_query_ctx *ctx, struct rme_kept_doubts *ret);
void rme_doubts_put_back(struct rme_query_ctx *ctx, const struct rme_kept_doubts *kept);

#endif
