/* The second and third round of a batch, to be inlined where `prepare` and `expand` are
 * known: calling them through a pointer takes a third of the walk's time. */
#ifndef RME_GRAPH_ROUNDS_H
#define RME_GRAPH_ROUNDS_H

#include "graph/walk.h"

static inline __attribute__((always_inline)) void
rme_walk_take_in(struct rme_walk *w, rme_addr node, enum rme_node kind, uint64_t size)
{
	if (__builtin_expect(kind == RME_NODE_COUNTED, 1)) {
		w->n_objects++;
		w->n_bytes += size;
		if (__builtin_expect(w->counted != NULL, 0))
			w->counted(w->counted_ctx, node, size);
	} else if (kind == RME_NODE_DEFERRED) {
		if (w->n_deferred == w->deferred_size)
			w->exhausted = true;
		else
			w->deferred[w->n_deferred++] = node;
	}
}

/* From where the last fault left them. */
static inline __attribute__((always_inline)) void
rme_walk_rounds(struct rme_walk *w, bool deferred, rme_prepare_fn prepare, rme_expand_fn expand)
{
	uint32_t n = w->n_batch;

	if (w->round != RME_ROUND_EXPAND) {
		uint32_t i = w->round == RME_ROUND_PREPARE ? w->at : 0;
		RME_STORE(w->round, RME_ROUND_PREPARE);
		for (; i < n; i++) {
			RME_STORE(w->at, i);
			RME_STORE(w->cookies[i], prepare(w->ctx, w->batch[i]));
		}
		RME_STORE(w->at, 0);
		RME_STORE(w->round, RME_ROUND_EXPAND);
	}
	for (uint32_t i = w->at; i < n; i++) {
		uint64_t size = 0;
		RME_STORE(w->at, i);
		enum rme_node kind =
		    expand(w->ctx, w->batch[i], w->cookies[i], deferred, &w->sink, &size);
		rme_walk_take_in(w, w->batch[i], kind, size);
	}
	RME_STORE(w->n_batch, 0);
	RME_STORE(w->round, RME_ROUND_GATHER);
}

#endif
