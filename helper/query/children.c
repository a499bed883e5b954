#include "query/children.h"

enum {
	RECENT = 1 << 16,
	MAX_PASSES_WORK = 1 << 26, /* components, for the sizes of one reply */
	SMALL = 1 << 17            /* bytes: a walk of it is less than a pass over a large graph */
};

static void remark(void *arg)
{
	rme_heap_remark(arg);
}

bool rme_children_init(struct rme_children *c, struct rme_query_ctx *ctx)
{
	memset(c, 0, sizeof *c);
	c->ctx = ctx;
	c->recent = rme_arena_alloc(ctx->arena, RECENT * sizeof *c->recent);
	c->max_refs = rme_arena_left(ctx->arena) / 4 / sizeof *c->refs;
	c->refs = rme_arena_alloc(ctx->arena, c->max_refs * sizeof *c->refs);
	if (!c->refs || !c->recent ||
	    !rme_deep_init(&c->deep, &ctx->walk, ctx->arena, ctx->classes)) {
		rme_error_set(&ctx->error, RME_ERROR_OUT_OF_MEMORY,
		              "not enough address space to rank sizes");
		return false;
	}
	c->deep.remark = remark;
	c->deep.ctx = ctx;
	return true;
}

bool rme_children_total(struct rme_children *c, const rme_addr *roots, uint64_t n_roots, bool asked,
                        struct rme_size *ret)
{
	c->roots = roots;
	c->n_roots = n_roots;
	c->asked = asked;
	rme_heap_begin(c->ctx);
	rme_heap_reset_doubts(c->ctx);
	for (uint64_t i = 0; i < n_roots; i++)
		rme_heap_root(c->ctx, roots[i], asked);
	rme_deep_total(&c->deep, ret);
	c->total = *ret;
	c->deep.budget =
	    c->ctx->request->flags & RME_NO_PATIENCE ? 0 : 3 * ret->objects + RME_CHILDREN_BUDGET;
	/* From here on nothing is a root that was asked for. */
	rme_heap_begin(c->ctx);
	return rme_doubts_keep(c->ctx, &c->doubts);
}

void rme_children_end(struct rme_children *c)
{
	rme_doubts_put_back(c->ctx, &c->doubts);
}

struct rme_ranking *rme_children_ranking(struct rme_children *c)
{
	struct rme_ranking *r = c->ranking;

	if (r || c->too_many || c->ctx->error.kind)
		return r;
	if (c->total.objects > RME_RANKING_MOST) {
		c->too_many = c->ctx->over_budget = true;
		return NULL;
	}
	r = rme_arena_alloc(c->ctx->arena, sizeof *r);
	if (r && rme_ranking_init(r, c->ctx, c->roots, c->n_roots, c->asked)) {
		c->ranking = r;
		c->deep.budget = UINT64_MAX; /* from now on only small ones are walked */
	}
	return c->ranking;
}

static int collect_one(void *object, void *arg)
{
	struct rme_children *c = arg;

	if (object && c->n_refs == c->max_refs)
		c->ctx->n_no_room++;
	else if (object)
		c->refs[c->n_refs++] = (rme_addr)object;
	return 0;
}

static void collect_range(void *arg, rme_addr first, uint64_t count, uint64_t stride)
{
	for (uint64_t i = 0; i < count; i++)
		collect_one((void *)rme_ptr(first + i * stride), arg);
}

static bool among(const struct rme_children *c, uint64_t n, rme_addr object)
{
	for (uint64_t i = 0; i < n; i++)
		if (c->refs[i] == object)
			return true;
	return false;
}

void rme_children_collect(struct rme_children *c, rme_addr object)
{
	struct rme_query_ctx *ctx = c->ctx;
	struct rme_sink sink = {collect_one, collect_range, c};
	struct rme_guard guard;
	volatile bool once = false;
	uint64_t kept = 0;

	c->n_refs = 0;
	if (RME_GUARD(ctx->guards, &guard)) {
		struct rme_type *t = rme_type_get(&ctx->py, rme_type_of(&ctx->py, object));
		if (t)
			rme_refs_of(&ctx->py, t, object, ctx->owned, &sink);
		/* Its tp_traverse visits the same code or name two times. */
		once = t && t->kind == RME_KIND_GENERATOR;
		rme_guard_pop(ctx->guards, &guard);
	}
	for (uint64_t i = 0; i < c->n_refs; i++)
		if (rme_heap_inside(ctx, c->refs[i]) && !(once && among(c, kept, c->refs[i])))
			c->refs[kept++] = c->refs[i];
	c->n_refs = kept;
}

bool rme_children_size(struct rme_children *c, rme_addr object, struct rme_size *ret)
{
	struct rme_child *recent = &c->recent[object / 16 % RECENT];

	if (recent->address == object) {
		*ret = recent->size;
		return true;
	}
	if (!rme_deep_size(&c->deep, object, ret))
		return false;
	*recent = (struct rme_child){object, 0, *ret};
	return true;
}

uint64_t rme_children_insert(struct rme_child *best, uint64_t n, uint64_t max,
                             const struct rme_child *child)
{
	uint64_t i = n < max ? n : max;

	if (!max || (n == max && child->size.bytes <= best[max - 1].size.bytes))
		return n;
	if (i == max)
		i--;
	for (; i > 0 && best[i - 1].size.bytes < child->size.bytes; i--)
		best[i] = best[i - 1];
	best[i] = *child;
	return n < max ? n + 1 : n;
}

bool rme_children_enough(const struct rme_children *c)
{
	return c->spent > MAX_PASSES_WORK;
}

static void joint_by_pass(struct rme_children *c, struct rme_size *ret)
{
	struct rme_ranking *r = c->ranking;
	struct rme_reach *both[] = {&r->reach, &r->without};
	struct rme_reached sums[2] = {{0}, {0}};

	if (!rme_ranking_without_classes(r))
		return;
	for (int k = 0; k < 2; k++) {
		for (uint64_t i = 0; i < c->n_refs; i++) {
			uint32_t node = c->refs[i] ? rme_ranking_node(r, c->refs[i]) : RME_NO_NODE;
			if (node != RME_NO_NODE && both[k]->component[node] != RME_NO_NODE)
				rme_reach_start(both[k], 0, both[k]->component[node]);
		}
		c->spent += both[k]->high;
		rme_reach_pass(both[k], 1, &sums[k]);
	}
	*ret = (struct rme_size){sums[0].bytes, sums[0].objects, sums[1].bytes, sums[0].second};
}

void rme_children_joint(struct rme_children *c, rme_addr parent, const struct rme_size *whole,
                        struct rme_size *ret)
{
	struct rme_ranking *r = c->ranking;
	uint32_t node = r && parent ? rme_ranking_node(r, parent) : RME_NO_NODE;

	*ret = (struct rme_size){0};
	if (node != RME_NO_NODE && rme_ranking_alone(r, node)) {
		/* No cycle leads back: they reach all that the parent does but itself. */
		bool is_class = r->classes[node >> 6] >> (node & 63) & 1;
		*ret = (struct rme_size){whole->bytes - r->size[node], whole->objects - 1,
		                         whole->bytes_first - (is_class ? 0 : r->size[node]),
		                         whole->second - (r->second ? r->second[node] : 0)};
	} else if (r && whole->bytes > SMALL) {
		joint_by_pass(c, ret);
	} else {
		rme_heap_begin(c->ctx);
		for (uint64_t i = 0; i < c->n_refs; i++)
			if (c->refs[i])
				rme_heap_root(c->ctx, c->refs[i], false);
		rme_heap_measure(c->ctx, ret);
		c->deep.spent += ret->objects;
	}
}

/* The sizes of those that were chosen: small ones by a walk, the others by a pass. */
static bool measure(struct rme_children *c, struct rme_child *best, uint32_t n)
{
	struct rme_ranking *r = c->ranking;
	uint32_t *nodes = rme_arena_alloc(c->ctx->arena, 2 * n * sizeof *nodes), n_large = 0;
	struct rme_size *sizes = rme_arena_alloc(c->ctx->arena, n * sizeof *sizes);

	if (!nodes || !sizes)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		const struct rme_child *recent = &c->recent[best[i].address / 16 % RECENT];
		uint32_t node = rme_ranking_node(r, best[i].address);
		if (recent->address == best[i].address || rme_ranking_most(r, node) <= SMALL) {
			if (!rme_children_size(c, best[i].address, &best[i].size))
				return false;
			continue;
		}
		nodes[n_large] = node;
		nodes[n + n_large++] = i;
	}
	if (!n_large)
		return true;
	c->spent += r->reach.n + r->without.n;
	if (!rme_ranking_sizes(r, nodes, n_large, sizes))
		return false;
	for (uint32_t i = 0; i < n_large; i++) {
		struct rme_child *child = &best[nodes[n + i]];
		child->size = sizes[i];
		c->recent[child->address / 16 % RECENT] = *child;
	}
	return true;
}

/* All of them, sorted. */
static uint64_t all_of_graph(struct rme_children *c, struct rme_child *best)
{
	struct rme_child *all = rme_arena_alloc(c->ctx->arena, c->n_refs * sizeof *all);
	uint64_t n = 0;

	if (!all)
		return 0;
	for (uint64_t i = 0; i < c->n_refs; i++)
		all[i] = (struct rme_child){c->refs[i], i, {0}};
	if (!measure(c, all, (uint32_t)c->n_refs))
		return 0;
	for (uint64_t i = 0; i < c->n_refs; i++)
		n = rme_children_insert(best, n, c->n_refs, &all[i]);
	return n;
}

/* From the graph. */
static uint64_t largest_of_graph(struct rme_children *c, struct rme_child *best, uint64_t max)
{
	struct rme_query_ctx *ctx = c->ctx;
	struct rme_ranking *r = c->ranking;
	uint32_t *nodes, n = 0, n_passes = r->rank.n_passes;
	struct rme_ranked *ranked;

	if (!rme_ranking_rank(r))
		return 0;
	if (c->n_refs <= max)
		return all_of_graph(c, best);
	nodes = rme_arena_alloc(ctx->arena, c->n_refs * sizeof *nodes);
	ranked = rme_arena_alloc(ctx->arena, max * sizeof *ranked);
	if (!nodes || !ranked)
		return 0;
	for (uint64_t i = 0; i < c->n_refs; i++)
		nodes[i] = rme_ranking_node(r, c->refs[i]);
	if (!rme_ranking_largest(r, nodes, c->n_refs, (uint32_t)max, ranked, &n))
		return 0;
	c->spent += 2ull * (r->rank.n_passes - n_passes) * r->reach.n;
	for (uint32_t i = 0; i < n; i++)
		best[i] = (struct rme_child){c->refs[ranked[i].index], ranked[i].index, {0}};
	return measure(c, best, n) ? n : 0;
}

static uint64_t largest_by_walks(struct rme_children *c, struct rme_child *best, uint64_t max)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < c->n_refs; i++) {
		struct rme_child child = {c->refs[i], i, {0}};
		if (!rme_children_size(c, child.address, &child.size)) {
			if (c->ctx->walk.cancelled)
				return 0;
			return rme_children_ranking(c) ? largest_of_graph(c, best, max) : n;
		}
		n = rme_children_insert(best, n, max, &child);
	}
	return n;
}

uint64_t rme_children_largest(struct rme_children *c, const struct rme_size *whole,
                              struct rme_child *best, uint64_t max, uint64_t *n_rest,
                              struct rme_size *rest)
{
	uint64_t n = c->ranking ? largest_of_graph(c, best, max) : largest_by_walks(c, best, max);

	*n_rest = c->n_refs - n;
	*rest = (struct rme_size){0};
	if (!*n_rest)
		return n;
	for (uint64_t i = 0; i < n; i++)
		c->refs[best[i].index] = 0;
	rme_children_joint(c, 0, whole, rest);
	return n;
}
