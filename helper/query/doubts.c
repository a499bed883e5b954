#include "query/doubts.h"

enum { MAX_TYPES = 1 << 16 };

static void keep(void *arg, struct rme_type *t)
{
	struct rme_kept_doubts *kept = arg;

	if ((t->n_estimated | t->n_inferred | t->n_faults) && kept->n < kept->max)
		kept->types[kept->n++] = (struct rme_doubts_of_type){
		    t->address, t->example, t->n_estimated, t->n_inferred, t->n_faults};
}

bool rme_doubts_keep(struct rme_query_ctx *ctx, struct rme_kept_doubts *ret)
{
	*ret = (struct rme_kept_doubts){.doubts = ctx->doubts, .max = MAX_TYPES};
	ret->types = rme_arena_alloc(ctx->arena, MAX_TYPES * sizeof *ret->types);
	if (!ret->types)
		return false;
	rme_types_each(&ctx->py, keep, ret);
	return true;
}

void rme_doubts_put_back(struct rme_query_ctx *ctx, const struct rme_kept_doubts *kept)
{
	rme_heap_reset_doubts(ctx);
	ctx->doubts = kept->doubts;
	for (uint64_t i = 0; i < kept->n; i++) {
		const struct rme_doubts_of_type *of = &kept->types[i];
		struct rme_type *t = rme_type_get(&ctx->py, of->type);
		if (!t)
			continue;
		t->n_estimated = of->n_estimated;
		t->n_inferred = of->n_inferred;
		t->n_faults = of->n_faults;
		t->example = of->example;
	}
}
