/* py-dominators: the dominator tree from the top, or from an object: what would go with
 * what. */
#include "cpython/holds.h"
#include "cpython/str.h"
#include "query/chain.h"

enum { MAX_DEPTH = 64, MAX_CHILDREN = 10000, NO_NUMBER = UINT32_MAX };

struct level {
	uint32_t number;
	uint32_t *best; /* its largest children */
	uint64_t n_best, next;
	uint64_t n_rest, rest;
};

struct drawing {
	struct rme_query_ctx *ctx;
	struct rme_heap_graph *g;
	struct level levels[MAX_DEPTH + 1];
	uint32_t depth, max_depth;
	uint64_t max_children;
};

static void rank_children(struct drawing *d, struct level *level)
{
	const uint64_t *bytes = d->g->dominators.bytes;
	const struct rme_csr *tree = &d->g->tree;

	level->n_best = level->next = level->rest = 0;
	for (uint32_t e = tree->first[level->number]; e < tree->first[level->number + 1]; e++) {
		uint32_t w = tree->to[e], last;
		uint64_t i = level->n_best;
		level->rest += bytes[w];
		if (i < d->max_children) {
			level->n_best++;
		} else {
			last = level->best[i - 1];
			if (bytes[w] <= bytes[last])
				continue;
			i--;
		}
		for (; i && bytes[level->best[i - 1]] < bytes[w]; i--)
			level->best[i] = level->best[i - 1];
		level->best[i] = w;
	}
	level->n_rest = rme_csr_degree(tree, level->number) - level->n_best;
	for (uint64_t i = 0; i < level->n_best; i++)
		level->rest -= bytes[level->best[i]];
}

/* How the object above holds it, if it does so directly; what a root is called. */
static void label(struct drawing *d, uint32_t above, uint32_t node)
{
	struct rme_query_ctx *ctx = d->ctx;
	char text[RME_CHAIN_TEXT];
	struct rme_buffer out = {text, sizeof text, 0, false};
	struct rme_guard guard;

	if (above == d->g->root) {
		const struct rme_root *root = rme_heap_graph_root(d->g, node);
		if (!root && !rme_heap_graph_held(d->g, node)) {
			rme_json_null(&ctx->json, "label"); /* held from several sides */
			return;
		}
		rme_heap_graph_root_append(d->g, root, node, &out);
		if (root && root->kind == RME_ROOT_LOCAL && RME_GUARD(ctx->guards, &guard)) {
			rme_buffer_text(&out, ": ");
			rme_str_append(&ctx->py, root->name, 200, &out);
			rme_guard_pop(ctx->guards, &guard);
		}
	} else {
		rme_hold_append(&ctx->py, rme_heap_graph_address(d->g, above),
		                rme_heap_graph_address(d->g, node), &out);
	}
	if (out.size)
		rme_json_text(&ctx->json, "label", text, out.size);
	else
		rme_json_null(&ctx->json, "label");
}

static void open_node(struct drawing *d, uint32_t above, uint32_t number)
{
	struct rme_json *j = &d->ctx->json;
	const struct rme_dominators *dom = &d->g->dominators;
	uint32_t node = dom->node[number];

	if (number) {
		if (above == NO_NUMBER)
			rme_json_null(j, "label");
		else
			label(d, dom->node[above], node);
		rme_report_identity(d->ctx, rme_heap_graph_address(d->g, node));
	} else {
		rme_json_null(j, "label");
		rme_json_null(j, "address");
		rme_json_string(j, "type", "heap");
		rme_json_unsigned(j, "own_size", 0);
	}
	rme_json_unsigned(j, "size", dom->bytes[number]);
	rme_json_unsigned(j, "objects", dom->nodes[number]);
	rme_json_array(j, "children");
}

static void close_node(struct drawing *d, uint64_t n_rest, uint64_t rest)
{
	struct rme_json *j = &d->ctx->json;

	rme_json_array_end(j);
	rme_json_open(j, "more");
	rme_json_unsigned(j, "children", n_rest);
	rme_json_unsigned(j, "size", rest);
	rme_json_close(j);
}

static void draw(struct drawing *d, uint32_t root)
{
	struct rme_json *j = &d->ctx->json;
	struct level *level = d->levels;

	level->number = root;
	rank_children(d, level);
	rme_json_open(j, "tree");
	open_node(d, NO_NUMBER, root);
	while (!d->ctx->out.overflow) {
		if (level->next < level->n_best) {
			uint32_t w = level->best[level->next++];
			rme_json_open(j, NULL);
			open_node(d, level->number, w);
			level++;
			level->number = w;
			if (level - d->levels < (int64_t)d->max_depth) {
				rank_children(d, level);
			} else {
				level->n_best = level->next = 0;
				level->n_rest = rme_csr_degree(&d->g->tree, w);
				level->rest =
				    level->n_rest
					? d->g->dominators.bytes[w] -
					      rme_heap_graph_size(d->g, d->g->dominators.node[w])
					: 0;
			}
			continue;
		}
		close_node(d, level->n_rest, level->rest);
		rme_json_close(j);
		if (level == d->levels)
			break;
		level--;
	}
}

static bool init(struct drawing *d)
{
	const struct rme_request *r = d->ctx->request;
	bool ok = true;

	d->max_depth = r->depth && r->depth < MAX_DEPTH ? r->depth : MAX_DEPTH;
	d->max_children = r->limit && r->limit < MAX_CHILDREN ? r->limit : MAX_CHILDREN;
	for (uint32_t i = 0; i <= d->max_depth && ok; i++) {
		d->levels[i].best =
		    rme_arena_alloc(d->ctx->arena, d->max_children * sizeof(uint32_t));
		ok = d->levels[i].best;
	}
	if (!ok)
		rme_error_set(&d->ctx->error, RME_ERROR_OUT_OF_MEMORY,
		              "not enough address space to draw the dominators");
	return ok;
}

void rme_query_dominators(struct rme_query_ctx *ctx)
{
	rme_addr objects[RME_MAX_FORCED];
	const struct rme_expr *exprs[RME_MAX_FORCED];
	struct drawing *d = rme_arena_alloc(ctx->arena, sizeof *d);
	uint32_t n = 0, number = 0;

	if (!d || (ctx->request->exprs.count && !rme_query_exprs(ctx, objects, exprs, &n)))
		return;
	if (n > 1) {
		rme_error_set(&ctx->error, RME_ERROR_USAGE, "py-dominators takes one EXPR or none");
		return;
	}
	d->ctx = ctx;
	d->g = rme_heap_graph_get(ctx);
	if (!d->g)
		return;
	uint32_t node = n ? rme_heap_graph_node(d->g, objects[0]) : d->g->root;
	if (node == RME_NO_NODE || !rme_heap_graph_dominators(d->g) || !init(d))
		return;
	number = d->g->dominators.number[node];
	draw(d, number);
	rme_json_unsigned(&ctx->json, "size", d->g->dominators.bytes[number]);
	rme_json_unsigned(&ctx->json, "objects", d->g->dominators.nodes[number]);
}
