/* py-referrers: the direct holders of an object, each with the name of the place where
 * it holds it. */
#include "cpython/holds.h"
#include "cpython/str.h"
#include "query/owner.h"

enum { MAX_LABEL = 4096 };

struct referrers {
	struct rme_query_ctx *ctx;
	struct rme_heap_graph *g;
	uint32_t target; /* RME_NO_NODE: what is asked for is no object, and nothing leads to it */
	rme_addr object;
	uint64_t limit, n; /* items, n of them so far */
};

static bool begin_item(struct referrers *r)
{
	bool shown = !r->limit || r->n < r->limit;

	r->n++;
	if (shown)
		rme_json_open(&r->ctx->json, NULL);
	return shown;
}

static void report_label(struct referrers *r, const struct rme_buffer *label)
{
	if (label->size)
		rme_json_text(&r->ctx->json, "label", label->data, label->size);
	else
		rme_json_null(&r->ctx->json, "label");
}

static void report_root(struct referrers *r, const struct rme_root *root)
{
	struct rme_json *j = &r->ctx->json;
	char text[MAX_LABEL];
	struct rme_buffer out = {text, sizeof text, 0, false};
	struct rme_guard guard;
	uint32_t held = root ? 0 : rme_heap_graph_held(r->g, r->target);

	if (!begin_item(r))
		return;
	rme_heap_graph_root_append(r->g, root, r->target, &out);
	rme_json_text(j, "root", text, out.size);
	out.size = 0;
	if (root && root->name && RME_GUARD(r->ctx->guards, &guard)) {
		rme_str_append(&r->ctx->py, root->name, 200, &out);
		rme_guard_pop(r->ctx->guards, &guard);
	}
	report_label(r, &out);
	rme_json_null(j, "address");
	rme_json_unsigned(j, "references", root ? 1 : held);
	rme_json_close(j);
}

static void report_holder(struct referrers *r, uint32_t node, uint64_t n,
                          const struct rme_owner *owner)
{
	rme_addr holder = rme_heap_graph_address(r->g, node);
	char text[MAX_LABEL];
	struct rme_buffer out = {text, sizeof text, 0, false};

	if (!begin_item(r))
		return;
	rme_hold_append(&r->ctx->py, holder, r->object, &out);
	report_label(r, &out);
	rme_report_identity(r->ctx, holder);
	out.size = 0;
	if (rme_owner_append(r->g, owner, &out))
		rme_json_text(&r->ctx->json, "of", out.data, out.size);
	else
		rme_json_null(&r->ctx->json, "of");
	rme_json_unsigned(&r->ctx->json, "references", n);
	rme_json_close(&r->ctx->json);
}

static void out_of_memory(struct referrers *r)
{
	rme_error_set(&r->ctx->error, RME_ERROR_OUT_OF_MEMORY,
	              "not enough address space to list the holders");
}

/* The objects that have a reference to what is no node: all are asked. */
struct seek {
	rme_addr wanted;
	uint32_t node, *ret;
	uint64_t n, max;
};

static int on_reference(void *object, void *arg)
{
	struct seek *s = arg;

	if ((rme_addr)object == s->wanted && s->n < s->max)
		s->ret[s->n++] = s->node;
	return 0;
}

static void on_range(void *arg, rme_addr first, uint64_t count, uint64_t stride)
{
	for (; first && count; count--, first += stride)
		on_reference((void *)rme_ptr(first), arg);
}

static uint64_t seek_holders(struct referrers *r, uint32_t *ret, uint64_t max)
{
	struct rme_python *py = &r->ctx->py;
	struct seek s = {r->object, 0, ret, 0, max};
	const struct rme_sink sink = {on_reference, on_range, &s};
	struct rme_guard guard;

	for (volatile uint32_t v = 0; v < r->g->root && !r->ctx->block->cancel; v = v + 1) {
		struct rme_type *t = rme_heap_graph_type(r->g, v);
		s.node = v;
		if (!t || t->leaf || !RME_GUARD(r->ctx->guards, &guard))
			continue;
		rme_holds(py, t, rme_heap_graph_address(r->g, v), &sink);
		rme_guard_pop(r->ctx->guards, &guard);
	}
	return s.n;
}

static void report_holders(struct referrers *r)
{
	struct rme_arena *arena = r->ctx->arena;
	uint64_t most = r->g->out.first[r->g->root], n_holders = 0, n = 0;
	uint32_t *nodes = rme_arena_alloc(arena, (most + 1) * sizeof *nodes);

	if (nodes)
		n = r->target == RME_NO_NODE ? seek_holders(r, nodes, most)
		                             : rme_heap_graph_holders(r->g, r->target, nodes, most);
	uint64_t *counts = rme_arena_alloc(arena, (n + 1) * sizeof *counts);

	if (!nodes || !counts) {
		out_of_memory(r);
		return;
	}
	/* The references of one holder stand side by side. */
	for (uint64_t i = 0; i < n; i++) {
		if (!i || nodes[i] != nodes[n_holders - 1])
			nodes[n_holders++] = nodes[i];
		counts[n_holders - 1]++;
	}
	uint64_t n_shown = r->limit && r->limit < n_holders ? r->limit : n_holders;
	struct rme_owner *owners = rme_arena_alloc(arena, (n_shown + 1) * sizeof *owners);
	if (!owners || !rme_owners_find(r->g, nodes, n_shown, owners)) {
		out_of_memory(r);
		return;
	}
	for (uint64_t i = 0; i < n_shown; i++)
		report_holder(r, nodes[i], counts[i], &owners[i]);
	r->n += n_holders - n_shown;
}

static void report(struct referrers *r)
{
	struct rme_heap_graph *g = r->g;

	for (uint64_t i = 0; i < g->n_named; i++)
		if (g->whole.roots[i].object == r->object)
			report_root(r, &g->whole.roots[i]);
	report_holders(r);
	if (r->target == RME_NO_NODE)
		return;
	if (rme_heap_graph_held(g, r->target) || (!r->n && rme_is_immortal(&r->ctx->py, r->object)))
		report_root(r, NULL);
}

static bool is_one_address(struct rme_query_ctx *ctx, const struct rme_expr **expr, rme_addr *ret)
{
	const struct rme_request *r = ctx->request;

	*expr = (const void *)((const char *)r + r->exprs.offset);
	return r->exprs.count == 1 && rme_path_is_address(*expr, ret);
}

void rme_query_referrers(struct rme_query_ctx *ctx)
{
	rme_addr objects[RME_MAX_FORCED];
	const struct rme_expr *exprs[RME_MAX_FORCED];
	struct referrers r = {.ctx = ctx, .limit = ctx->request->limit};
	struct rme_json *j = &ctx->json;
	uint32_t n;

	/* Of an address it may be asked who has it, whatever is there. */
	bool is_address = is_one_address(ctx, exprs, objects);
	if (is_address)
		n = 1;
	else if (!rme_query_exprs(ctx, objects, exprs, &n))
		return;
	if (n != 1) {
		rme_error_set(&ctx->error, RME_ERROR_USAGE, "py-referrers takes one EXPR");
		return;
	}
	r.object = objects[0];
	r.g = rme_heap_graph_get(ctx);
	if (!r.g)
		return;
	r.target = rme_index_node(&r.g->index, r.object);
	if (is_address &&
	    (r.target == RME_NO_NODE || rme_heap_graph_address(r.g, r.target) != r.object))
		r.target = RME_NO_NODE;
	else if (rme_heap_graph_node(r.g, r.object) == RME_NO_NODE)
		return;
	rme_json_text(j, "expr", exprs[0] + 1, exprs[0]->text_size);
	rme_report_identity(ctx, r.object);
	rme_json_array(j, "items");
	report(&r);
	rme_json_array_end(j);
	rme_json_open(j, "more");
	rme_json_unsigned(j, "items", r.limit && r.n > r.limit ? r.n - r.limit : 0);
	rme_json_close(j);
}
