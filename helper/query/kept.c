#include "query/heap_graph.h"

static uint64_t mix(uint64_t hash, const void *data, size_t n)
{
	for (size_t i = 0; i < n; i++)
		hash = (hash ^ ((const uint8_t *)data)[i]) * 0x100000001b3ull; /* FNV-1a */
	return hash;
}

static uint64_t mix_table(uint64_t hash, const struct rme_request *r, struct rme_table table,
                          size_t element)
{
	hash = mix(hash, &table.count, sizeof table.count);
	return mix(hash, (const char *)r + table.offset, table.count * element);
}

/* What a graph depends on besides the memory. */
static uint64_t made_of(const struct rme_request *r)
{
	uint32_t flags = r->flags & (RME_CHECK_CODE | RME_LAYOUTS_ONLY);
	uint64_t hash = mix(0xcbf29ce484222325ull, &flags, sizeof flags);

	hash = mix(hash, &r->runtime, sizeof r->runtime);
	hash = mix_table(hash, r, r->images, sizeof(struct rme_image));
	hash = mix_table(hash, r, r->code, sizeof(struct rme_range));
	hash = mix_table(hash, r, r->threads, sizeof(struct rme_thread));
	return mix_table(hash, r, r->missing, sizeof(struct rme_range));
}

void rme_kept_drop(struct rme_kept *kept)
{
	kept->floor = kept->bottom;
	kept->graph = NULL;
}

void rme_kept_check(struct rme_kept *kept, const struct rme_request *request)
{
	switch (request->query) {
	case RME_QUERY_RETAINED:
	case RME_QUERY_DOMINATORS:
	case RME_QUERY_WHY:
	case RME_QUERY_REFERRERS:
	case RME_QUERY_SUMMARY:
		if (kept->graph && kept->made_of != made_of(request))
			rme_kept_drop(kept);
	}
}

void rme_kept_raise(struct rme_query_ctx *ctx, const struct rme_heap_graph *graph)
{
	struct rme_kept *kept = ctx->kept;

	if (!kept->graph)
		kept->graph = rme_arena_alloc(ctx->arena, sizeof *graph);
	if (!kept->graph)
		return;
	*kept->graph = *graph;
	kept->made_of = made_of(ctx->request);
	kept->floor = ctx->arena->used;
}
