#include "query/children.h"

enum { RECENT = 1 << 16 };

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
		rme_error_set(&ctx->error, "out-of-memory", "not enough address space to rank sizes");
		return false;
	}
	c->deep.remark = remark;
	c->deep.ctx = ctx;
	return true;
}

void rme_children_total(struct rme_children *c, struct rme_size *ret)
{
	rme_deep_total(&c->deep, ret);
	c->deep.budget = 3 * ret->objects + RME_CHILDREN_BUDGET;
	/* From here on nothing is a root that was asked for. */
	rme_heap_begin(c->ctx);
}

static int collect_one(void *object, void *arg)
{
	struct rme_children *c = arg;

	if (object && c->n_refs < c->max_refs)
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
	if (!rme_deep_size(&c->deep, object, ret)) {
		c->over_budget = true;
		return false;
	}
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

void rme_children_joint(struct rme_children *c, struct rme_size *ret)
{
	rme_heap_begin(c->ctx);
	for (uint64_t i = 0; i < c->n_refs; i++)
		if (c->refs[i])
			rme_heap_root(c->ctx, c->refs[i], false);
	rme_heap_measure(c->ctx, ret);
	c->deep.spent += ret->objects;
}

uint64_t rme_children_largest(struct rme_children *c, struct rme_child *best, uint64_t max,
			      uint64_t *n_rest, struct rme_size *rest)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < c->n_refs; i++) {
		struct rme_child child = {c->refs[i], i, {0, 0, 0}};
		if (!rme_children_size(c, child.address, &child.size))
			break;
		n = rme_children_insert(best, n, max, &child);
	}
	*n_rest = c->n_refs - n;
	*rest = (struct rme_size){0, 0, 0};
	if (!*n_rest)
		return n;
	for (uint64_t i = 0; i < n; i++)
		c->refs[best[i].index] = 0;
	rme_children_joint(c, rest);
	return n;
}
