/* py-why: the shortest paths from roots to an object, no two through the same last
 * holder. */
#include "query/chain.h"
#include "query/shortest.h"
#include "runtime/sort.h"

enum { MAX_HOLDERS = 1 << 22, DEFAULT_PATHS = 3 };

/* The last holder on a path. */
struct holder {
	uint32_t node;               /* the root of all: the object is a root itself */
	const struct rme_root *root; /* which one then; NULL: one without a name */
	bool named;                  /* the path begins at a root that has a name */
	uint64_t length;
};

struct why {
	struct rme_heap_graph *g;
	struct rme_paths paths;
	uint32_t target;
	uint32_t *nodes; /* the objects that lead to it, ascending */
	uint64_t n_nodes;
	struct holder *holders;
	uint64_t n;
};

static int by_length(const void *x, const void *y)
{
	const struct holder *a = x, *b = y;

	if (a->named != b->named)
		return a->named ? -1 : 1;
	if (a->length != b->length)
		return a->length < b->length ? -1 : 1;
	return a->node < b->node ? -1 : a->node > b->node;
}

static void add(struct why *w, uint32_t node, const struct rme_root *root, bool named)
{
	if (w->n < MAX_HOLDERS)
		w->holders[w->n++] =
		    (struct holder){node, root, named, rme_chain_length(&w->paths, node)};
}

/* The objects that lead to the target and that a path leads to by now, each once. Those
 * that were found before stand in ascending order, too. */
static void add_holders(struct why *w, bool named)
{
	uint64_t n_before = w->n, known = 0;
	uint32_t last = RME_NO_NODE;

	for (uint64_t i = 0; i < w->n_nodes; i++) {
		uint32_t v = w->nodes[i];
		if (v == last || v == w->target || w->paths.before[v] == RME_NO_NODE)
			continue;
		last = v;
		while (known < n_before && w->holders[known].node < v)
			known++;
		if (known == n_before || w->holders[known].node != v)
			add(w, v, NULL, named);
	}
}

/* The target itself is a root. */
static void add_roots(struct why *w)
{
	struct rme_heap_graph *g = w->g;
	rme_addr object = rme_heap_graph_address(g, w->target);
	bool any = false;

	for (uint64_t i = 0; i < g->n_named; i++)
		if (g->whole.roots[i].object == object) {
			add(w, g->root, &g->whole.roots[i], true);
			any = true;
		}
	if (rme_heap_graph_held(g, w->target) ||
	    (!any && (!w->n || rme_is_immortal(&g->whole.ctx->py, object))))
		add(w, g->root, NULL, false);
}

static void report(struct why *w)
{
	struct rme_query_ctx *ctx = w->g->whole.ctx;
	struct rme_json *j = &ctx->json;
	uint64_t limit = ctx->request->limit ? ctx->request->limit : DEFAULT_PATHS;

	rme_sort(w->holders, w->n, sizeof *w->holders, by_length);
	rme_json_array(j, "paths");
	for (uint64_t i = 0; i < w->n && i < limit; i++) {
		const struct holder *h = &w->holders[i];
		const struct rme_root *root = h->root;
		if (h->node != w->g->root)
			root = rme_heap_graph_root(w->g, rme_chain_first(&w->paths, h->node));
		rme_json_open(j, NULL);
		rme_chain_report(w->g, &w->paths, root, h->node, w->target);
		rme_json_close(j);
	}
	rme_json_array_end(j);
	rme_json_open(j, "more");
	rme_json_unsigned(j, "paths", w->n > limit ? w->n - limit : 0);
	rme_json_close(j);
}

/* The holders to which the image's own paths lead. False: a search is needed, for one of these
 * leads through the target, or there is only garbage. */
static bool add_known_holders(struct why *w)
{
	for (uint64_t i = 0; i < w->n_nodes; i++) {
		uint32_t v = w->nodes[i];
		if (v == w->target || (i && v == w->nodes[i - 1]) || !rme_shortest_alive(w->g, v))
			continue;
		if (rme_shortest_through(w->g, v, w->target))
			return false;
		add(w, v, NULL, rme_shortest_named(w->g, v));
	}
	return w->n || !w->n_nodes;
}

/* Past the target. */
static bool search(struct why *w)
{
	if (!rme_heap_graph_paths(w->g, &w->target, 1, &w->paths))
		return false;
	add_holders(w, true);
	if (!rme_heap_graph_paths_rest(w->g, &w->paths))
		return false;
	add_holders(w, false);
	if (!w->n && w->n_nodes) {
		if (!rme_heap_graph_paths_garbage(w->g, &w->paths, &w->target, 1))
			return false;
		add_holders(w, false);
	}
	return true;
}

static bool find(struct why *w)
{
	struct rme_heap_graph *g = w->g;

	if (!rme_shortest_find(g))
		return false;
	w->holders = rme_arena_alloc(g->whole.ctx->arena, MAX_HOLDERS * sizeof *w->holders);
	w->nodes = rme_arena_alloc(g->whole.ctx->arena, MAX_HOLDERS * sizeof *w->nodes);
	if (!w->holders || !w->nodes) {
		rme_error_set(&g->whole.ctx->error, RME_ERROR_OUT_OF_MEMORY,
		              "not enough address space for the paths");
		return false;
	}
	w->n_nodes = rme_heap_graph_holders(g, w->target, w->nodes, MAX_HOLDERS);
	rme_shortest_paths(g, &w->paths);
	if (!add_known_holders(w)) {
		w->n = 0;
		if (!search(w))
			return false;
	}
	add_roots(w);
	return true;
}

void rme_query_why(struct rme_query_ctx *ctx)
{
	rme_addr roots[RME_MAX_FORCED];
	const struct rme_expr *exprs[RME_MAX_FORCED];
	struct why w = {0};
	uint32_t n;

	if (!rme_query_exprs(ctx, roots, exprs, &n))
		return;
	if (n != 1) {
		rme_error_set(&ctx->error, RME_ERROR_USAGE, "py-why takes one EXPR");
		return;
	}
	w.g = rme_heap_graph_get(ctx);
	if (!w.g)
		return;
	w.target = rme_heap_graph_node(w.g, roots[0]);
	if (w.target == RME_NO_NODE || !find(&w))
		return;
	rme_json_text(&ctx->json, "expr", exprs[0] + 1, exprs[0]->text_size);
	rme_report_identity(ctx, roots[0]);
	report(&w);
}
