/* What is known of single objects, without any walk: own size, how it was found, and the
 * references one by one. Any number of EXPRs; one that is damaged does not end the answer. */
#include "cpython/fast.h"
#include "query/query.h"

static int reference(void *object, void *arg)
{
	if (object)
		rme_json_address(arg, NULL, (uint64_t)object);
	return 0;
}

static void references(void *arg, rme_addr first, uint64_t count, uint64_t stride)
{
	for (uint64_t i = 0; first && i < count; i++)
		reference((void *)rme_ptr(first + i * stride), arg);
}

/* What a walk makes of the object, to see that its short way (fast.h) agrees. */
struct sum {
	uint64_t value;
};

static int add(void *object, void *arg)
{
	struct sum *sum = arg;

	sum->value += (uint64_t)object * 0x9e3779b97f4a7c15ull;
	return 0;
}

static void add_range(void *arg, rme_addr first, uint64_t count, uint64_t stride)
{
	for (uint64_t i = 0; first && i < count; i++)
		add((void *)rme_ptr(first + i * stride), arg);
}

static bool expand(struct rme_query_ctx *ctx, rme_addr object, struct rme_type *t, bool fast,
                   struct sum *sum, uint64_t *size)
{
	struct rme_sink sink = {add, add_range, sum};

	if (fast && !t->leaf)
		return rme_fast(&ctx->py, t, object, ctx->owned, &sink, size);
	*size = rme_size_of(&ctx->py, t, object);
	if (!fast)
		rme_refs_of(&ctx->py, t, object, ctx->owned, &sink);
	return true;
}

static bool fast_agrees(struct rme_query_ctx *ctx, rme_addr object, struct rme_type *t)
{
	struct sum fast = {0}, slow = {0};
	uint64_t fast_size, slow_size;

	if (!expand(ctx, object, t, true, &fast, &fast_size))
		return true;
	expand(ctx, object, t, false, &slow, &slow_size);
	return fast_size == slow_size && fast.value == slow.value;
}

static void inspect(struct rme_query_ctx *ctx, rme_addr object, struct rme_type *t)
{
	struct rme_sink sink = {reference, references, &ctx->json};
	uint64_t n_estimated = t->n_estimated, n_inferred = t->n_inferred;
	uint64_t own_size = rme_size_of(&ctx->py, t, object);

	rme_json_unsigned(&ctx->json, "own_size", own_size);
	if (ctx->allocated)
		rme_json_unsigned(&ctx->json, "own_allocated",
		                  rme_allocated_of(&ctx->py, t, object, own_size));
	rme_json_bool(&ctx->json, "estimated", t->n_estimated != n_estimated);
	rme_json_array(&ctx->json, "references");
	rme_refs_of(&ctx->py, t, object, ctx->owned, &sink);
	rme_json_array_end(&ctx->json);
	rme_json_bool(&ctx->json, "inferred", t->n_inferred != n_inferred);
	rme_json_bool(&ctx->json, "agrees", fast_agrees(ctx, object, t));
}

static void one_object(struct rme_query_ctx *ctx, const struct rme_expr *expr, rme_addr object)
{
	struct rme_guard guard;
	struct rme_type *volatile t = NULL;

	rme_json_open(&ctx->json, NULL);
	rme_json_text(&ctx->json, "expr", expr + 1, expr->text_size);
	rme_json_address(&ctx->json, "address", object);
	const volatile struct rme_json before = ctx->json;
	const volatile size_t size_before = ctx->out.size;
	if (RME_GUARD(ctx->guards, &guard)) {
		t = rme_type_get(&ctx->py, rme_type_of(&ctx->py, object));
		if (t)
			inspect(ctx, object, t);
		rme_guard_pop(ctx->guards, &guard);
	} else {
		/* Half an object is no answer. */
		ctx->out.size = size_before;
		ctx->json.need_comma = before.need_comma;
		if (t) {
			t->n_faults++;
			t->example = object;
		}
	}
	if (t)
		rme_report_type(ctx, "type", t->address);
	else
		rme_json_null(&ctx->json, "type");
	rme_json_close(&ctx->json);
}

void rme_query_inspect(struct rme_query_ctx *ctx)
{
	const struct rme_request *r = ctx->request;
	const char *at = (const char *)r + r->exprs.offset;

	rme_json_array(&ctx->json, "items");
	for (uint32_t i = 0; i < r->exprs.count && !ctx->out.overflow; i++) {
		const struct rme_expr *expr = (const void *)at;
		rme_addr object;
		if (rme_query_needs_frame(expr) && !rme_query_select(ctx))
			return;
		if (!rme_path_resolve(&ctx->py, ctx->frame.address ? &ctx->frame : NULL, expr,
		                      &object, &ctx->error))
			return;
		one_object(ctx, expr, object);
		at += expr->size;
	}
	rme_json_array_end(&ctx->json);
}
