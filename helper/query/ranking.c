#include "query/ranking.h"

#include "query/doubts.h"

enum { BATCH = 32 };

/* The second pass over the objects, in ascending order of address. */
struct build {
	struct rme_ranking *r;
	uint32_t n_edges, max_edges;
	rme_addr namespace; /* of the module at work, which alone may lead to it */
	struct rme_index_iter it;
	uint32_t node; /* the one at work */
	rme_addr batch[BATCH];
	uint64_t cookies[BATCH];
	uint32_t n_batch, at;
	bool preparing, full;
};

static bool out_of_memory(struct rme_query_ctx *ctx)
{
	if (!ctx->error.kind && !ctx->walk.cancelled && !ctx->block->cancel)
		rme_error_set(&ctx->error, RME_ERROR_OUT_OF_MEMORY,
		              "not enough address space to rank sizes");
	return false;
}

static inline bool has_bit(const uint64_t *bits, uint32_t v)
{
	return bits[v >> 6] >> (v & 63) & 1;
}

static void set_bit(uint64_t *bits, uint32_t v)
{
	if (v != RME_NO_NODE)
		bits[v >> 6] |= 1ull << (v & 63);
}

static void collect(void *arg, rme_addr object, uint64_t size)
{
	struct rme_ranking *r = arg;

	(void)size;
	rme_visited_add(&r->nodes, object);
	rme_index_note(&r->index, object);
}

static bool walk(struct rme_ranking *r, const rme_addr *roots, uint64_t n_roots, bool asked)
{
	struct rme_query_ctx *ctx = r->ctx;
	struct rme_walk *w = &ctx->walk;

	rme_heap_begin(ctx);
	rme_heap_reset_doubts(ctx);
	w->counted = collect;
	w->counted_ctx = r;
	for (uint64_t i = 0; i < n_roots; i++)
		rme_heap_root(ctx, roots[i], asked);
	rme_walk_first(w);
	if (ctx->classes)
		rme_walk_rest(w);
	w->counted = NULL;
	r->total = (struct rme_size){w->n_bytes, w->n_objects, w->n_bytes_first, w->n_second};
	return !w->cancelled && !r->nodes.failed && rme_index_build(&r->index);
}

static void add_edge(struct build *b, rme_addr object)
{
	struct rme_ranking *r = b->r;
	uint32_t node = rme_index_node(&r->index, object);

	if (node == RME_NO_NODE || (has_bit(r->closed, node) && object != b->namespace))
		return;
	if (b->n_edges == b->max_edges)
		b->full = true;
	else
		r->graph.to[b->n_edges++] = node;
}

static int on_reference(void *object, void *arg)
{
	if (object)
		add_edge(arg, (rme_addr)object);
	return 0;
}

static void on_range(void *arg, rme_addr first, uint64_t count, uint64_t stride)
{
	for (; count; count--, first += stride) {
		rme_addr object = rme_ptr(first);
		if (object)
			add_edge(arg, object);
	}
}

static void expand(struct build *b, rme_addr object, uint64_t cookie, const struct rme_sink *sink)
{
	struct rme_ranking *r = b->r;
	struct rme_query_ctx *ctx = r->ctx;
	const struct rme_type *t = (const struct rme_type *)cookie;

	b->namespace = 0;
	if (t && t->kind == RME_KIND_MODULE)
		b->namespace = rme_ptr(object + (uint64_t)ctx->py.layout->module_dict);
	if (t && (t->is_type || t->kind == RME_KIND_CODE))
		set_bit(r->classes, b->node);
	uint64_t second = ctx->walk.n_second;
	ctx->walk.expand(ctx, object, cookie, true, sink, &r->size[b->node]);
	if (r->second)
		r->second[b->node] = ctx->walk.n_second - second;
}

/* Fetches the next objects, so that their memory is there when they are worked on. */
static bool next_batch(struct build *b)
{
	struct rme_query_ctx *ctx = b->r->ctx;

	b->at = b->n_batch = 0;
	while (b->n_batch < BATCH && rme_index_next(&b->r->index, &b->it, &b->batch[b->n_batch])) {
		__builtin_prefetch((const void *)b->batch[b->n_batch]);
		b->cookies[b->n_batch++] = 0;
	}
	RME_STORE(b->preparing, true);
	for (uint32_t i = 0; i < b->n_batch; i++)
		b->cookies[i] = ctx->walk.prepare(ctx, b->batch[i]);
	RME_STORE(b->preparing, false);
	return b->n_batch;
}

static __attribute__((noinline)) void loop(struct build *b)
{
	const struct rme_sink sink = {on_reference, on_range, b};
	const volatile uint32_t *cancel = &b->r->ctx->block->cancel;

	while (!b->full && !*cancel) {
		if (b->at == b->n_batch && !next_batch(b))
			break;
		while (b->at < b->n_batch) {
			b->r->graph.first[b->node] = b->n_edges;
			expand(b, b->batch[b->at], b->cookies[b->at], &sink);
			RME_STORE(b->node, b->node + 1);
			RME_STORE(b->at, b->at + 1);
		}
	}
}

static bool work(struct build *b)
{
	struct rme_guard guard;

	if (!RME_GUARD(b->r->ctx->guards, &guard))
		return false;
	loop(b);
	rme_guard_pop(b->r->ctx->guards, &guard);
	return true;
}

static bool add_edges(struct rme_ranking *r)
{
	struct rme_query_ctx *ctx = r->ctx;
	struct build b = {.r = r};
	struct rme_kept_doubts doubts;
	uint64_t room = rme_arena_left(ctx->arena) / 4 / sizeof *r->graph.to;

	b.max_edges = room < RME_NO_NODE ? (uint32_t)room : RME_NO_NODE - 1;
	r->graph.to = rme_arena_alloc(ctx->arena, b.max_edges * sizeof *r->graph.to);
	if (!r->graph.to || !rme_doubts_keep(ctx, &doubts))
		return false;
	while (!work(&b)) {
		if (b.preparing) { /* expand will fault as well */
			b.preparing = false;
			continue;
		}
		/* One that faults has no references. */
		b.n_edges = r->graph.first[b.node++];
		b.at++;
	}
	r->graph.first[r->graph.n] = b.n_edges;
	rme_doubts_put_back(ctx, &doubts);
	return !b.full && !ctx->block->cancel;
}

/* A module, a namespace, or (with classes off) a class counts only because it was asked
 * for: nothing else leads to it. */
static void close_roots(struct rme_ranking *r, const rme_addr *roots, uint64_t n_roots)
{
	struct rme_query_ctx *ctx = r->ctx;
	struct rme_python *py = &ctx->py;

	for (uint64_t i = 0; i < n_roots; i++) {
		if (rme_heap_inside(ctx, roots[i]))
			continue;
		set_bit(r->closed, rme_ranking_node(r, roots[i]));
		struct rme_type *t = rme_type_get(py, rme_type_of(py, roots[i]));
		if (t && t->kind == RME_KIND_MODULE)
			set_bit(r->closed,
			        rme_ranking_node(
				    r, rme_ptr(roots[i] + (uint64_t)py->layout->module_dict)));
	}
}

bool rme_ranking_init(struct rme_ranking *r, struct rme_query_ctx *ctx, const rme_addr *roots,
                      uint64_t n_roots, bool asked)
{
	struct rme_arena *arena = ctx->arena;

	memset(r, 0, sizeof *r);
	r->ctx = ctx;
	if (!rme_visited_init(&r->nodes, arena) || !rme_index_init(&r->index, &r->nodes, arena) ||
	    !walk(r, roots, n_roots, asked))
		return out_of_memory(ctx);
	size_t n = r->graph.n = r->index.n;
	r->graph.first = rme_arena_alloc(arena, (n + 1) * sizeof *r->graph.first);
	r->size = rme_arena_alloc(arena, n * sizeof *r->size);
	r->second = ctx->allocated ? rme_arena_alloc(arena, n * sizeof *r->second) : NULL;
	r->classes = rme_arena_alloc(arena, (n / 64 + 1) * sizeof *r->classes);
	r->closed = rme_arena_alloc(arena, (n / 64 + 1) * sizeof *r->closed);
	r->scratch = rme_arena_alloc(arena, 3 * (n + 1) * sizeof *r->scratch);
	if (!r->graph.first || !r->size || (ctx->allocated && !r->second) || !r->classes ||
	    !r->closed || !r->scratch)
		return out_of_memory(ctx);
	if (asked)
		close_roots(r, roots, n_roots);
	if (!add_edges(r) || !rme_reach_init(&r->reach, &r->graph, r->size, r->second, NULL,
	                                     r->scratch, arena, &ctx->block->cancel))
		return out_of_memory(ctx);
	rme_heap_begin(ctx);
	return true;
}

bool rme_ranking_without_classes(struct rme_ranking *r)
{
	struct rme_query_ctx *ctx = r->ctx;

	return r->without.component ||
	       rme_reach_init(&r->without, &r->graph, r->size, NULL, r->classes, r->scratch,
	                      ctx->arena, &ctx->block->cancel) ||
	       out_of_memory(ctx);
}

bool rme_ranking_sizes(struct rme_ranking *r, const uint32_t *nodes, uint64_t n,
                       struct rme_size *ret)
{
	struct rme_query_ctx *ctx = r->ctx;
	struct rme_reached *sizes = rme_arena_alloc(ctx->arena, 2 * n * sizeof *sizes);

	if (!sizes || !rme_ranking_without_classes(r) ||
	    !rme_reach_nodes(&r->reach, nodes, n, sizes) ||
	    !rme_reach_nodes(&r->without, nodes, n, sizes + n))
		return out_of_memory(ctx);
	for (uint64_t i = 0; i < n; i++)
		ret[i] = (struct rme_size){sizes[i].bytes, sizes[i].objects, sizes[n + i].bytes,
		                           sizes[i].second};
	return true;
}

bool rme_ranking_rank(struct rme_ranking *r)
{
	if (!r->ranked && !rme_rank_init(&r->rank, &r->reach, r->scratch, r->ctx->arena))
		return out_of_memory(r->ctx);
	r->ranked = true;
	return true;
}

bool rme_ranking_largest(struct rme_ranking *r, const uint32_t *nodes, uint64_t n, uint32_t most,
                         struct rme_ranked *ret, uint32_t *n_ret)
{
	if (!rme_ranking_rank(r))
		return false;
	if (!rme_rank_largest(&r->rank, nodes, n, most, ret, n_ret))
		return out_of_memory(r->ctx);
	r->ctx->over_budget |= r->rank.uncertain;
	return true;
}
