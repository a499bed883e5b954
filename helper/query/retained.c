/* py-retained: what would be freed if an object went; without EXPR, the objects, classes
 * and modules that retain most. */
#include "query/retained.h"
#include "cpython/str.h"
#include "query/chain.h"
#include "query/shortest.h"
#include "runtime/sys.h"

enum { MAX_LIMIT = 10000 };

/* One row of a listing: a number in the dominator tree, or an index of what is listed. */
struct row {
	uint32_t index;
	uint64_t bytes;
};

/* The instances of a type, and what they retain together. */
struct rme_class_row {
	rme_addr type;
	uint64_t n_instances, bytes, nodes;
	uint32_t depth; /* how many of them are on the way from the root */
	/* Of the garbage that is entered by `entry`: what was there before; whether all of it is.
	 */
	uint32_t entry;
	bool all;
	uint64_t bytes_before, nodes_before;
};

/* A module of sys.modules: itself and its namespace. */
struct module {
	uint32_t root; /* index of the named root */
	uint64_t bytes, nodes;
};

struct retained {
	struct rme_query_ctx *ctx;
	struct rme_heap_graph *g;
	struct rme_paths paths;
	uint64_t limit;
	struct row *best;
	uint64_t n_best;
	uint64_t *containers; /* a bit per node: modules and their namespaces */
	struct rme_class_row *classes;
	uint32_t n_classes;
	uint32_t *class_of; /* of a number; 0: of none */
	uint32_t entry;     /* the garbage at work is dominated by it; 0: none */
	struct module *modules;
	uint64_t n_modules;
};

static void *get(struct retained *r, uint64_t n)
{
	void *p = rme_arena_alloc(r->ctx->arena, n);

	if (!p)
		rme_error_set(&r->ctx->error, RME_ERROR_OUT_OF_MEMORY,
		              "not enough address space to rank what retains memory");
	return p;
}

/* Keeps the `limit` largest, the largest first. */
static void rank(struct retained *r, uint32_t index, uint64_t bytes)
{
	uint64_t i = r->n_best;

	if (i == r->limit) {
		if (bytes <= r->best[i - 1].bytes)
			return;
		i--;
	} else {
		r->n_best++;
	}
	for (; i && r->best[i - 1].bytes < bytes; i--)
		r->best[i] = r->best[i - 1];
	r->best[i] = (struct row){index, bytes};
}

static void report_retained(struct rme_query_ctx *ctx, uint64_t bytes, uint64_t nodes)
{
	rme_json_unsigned(&ctx->json, "retained", bytes);
	rme_json_unsigned(&ctx->json, "objects", nodes);
}

static bool is_container(const struct retained *r, uint32_t node)
{
	return node == r->g->root || r->containers[node >> 6] >> (node & 63) & 1;
}

static bool mark_containers(struct retained *r)
{
	struct rme_heap_graph *g = r->g;

	r->containers = get(r, (g->root / 64 + 1) * 8ull);
	for (uint64_t i = 0; r->containers && i < g->n_named; i++) {
		uint32_t node = rme_index_node(&g->index, g->whole.roots[i].object);
		if (g->whole.roots[i].kind == RME_ROOT_MODULE && node != RME_NO_NODE)
			r->containers[node >> 6] |= 1ull << (node & 63);
	}
	return r->containers;
}

static void report_path(struct retained *r, uint32_t node)
{
	uint32_t before = r->paths.before[node];
	const struct rme_root *root = rme_heap_graph_root(r->g, rme_chain_first(&r->paths, node));

	rme_chain_report(r->g, &r->paths, root, before, node);
}

/* The objects that nothing else dominates but modules: none lies within another. */
static void report_objects(struct retained *r, const char *key)
{
	struct rme_heap_graph *g = r->g;
	const struct rme_dominators *d = &g->dominators;
	struct rme_json *j = &r->ctx->json;

	r->n_best = 0;
	for (uint32_t w = 1; w < d->n; w++)
		if (is_container(r, d->node[d->idom[w]]) && !is_container(r, d->node[w]))
			rank(r, w, d->bytes[w]);
	rme_json_array(j, key);
	for (uint64_t i = 0; i < r->n_best; i++) {
		uint32_t w = r->best[i].index, node = d->node[w];
		rme_json_open(j, NULL);
		rme_report_identity(r->ctx, rme_heap_graph_address(g, node));
		report_retained(r->ctx, d->bytes[w], d->nodes[w]);
		report_path(r, node);
		rme_json_close(j);
	}
	rme_json_array_end(j);
}

/* Gives each type a number, and each object that of its type. */
static bool find_classes(struct retained *r)
{
	const struct rme_dominators *d = &r->g->dominators;
	uint64_t max = r->g->n_types + 1;

	r->classes = get(r, max * sizeof *r->classes);
	if (!r->classes)
		return false;
	r->class_of = get(r, d->n * sizeof *r->class_of);
	if (!r->class_of)
		return false;
	r->n_classes = 1;
	for (uint32_t node = 0; node < r->g->root; node++) {
		struct rme_type *t = rme_heap_graph_type(r->g, node);
		if (!t || d->number[node] == RME_NO_NODE)
			continue;
		if (!t->tally) {
			if (r->n_classes == max)
				continue;
			r->classes[r->n_classes].type = t->address;
			t->tally = &r->classes[r->n_classes++];
		}
		struct rme_class_row *c = t->tally;
		c->n_instances++;
		r->class_of[d->number[node]] = (uint32_t)(c - r->classes);
		if (!(node & 0xffff) && r->ctx->block->cancel)
			return false;
	}
	return true;
}

static bool is_cyclic(const struct retained *r, uint32_t w)
{
	const struct rme_dominators *d = &r->g->dominators;
	uint32_t node = d->node[w];

	return w >= d->n_alive && r->g->garbage.within[node >> 6] >> (node & 63) & 1;
}

static void add_retained(struct rme_class_row *c, const struct rme_dominators *d, uint32_t w)
{
	c->bytes += d->bytes[w];
	c->nodes += d->nodes[w];
}

/* Objects of garbage that hold each other: each of them holds all of it, whichever of them
 * stands for them. */
static void enter_cyclic(struct retained *r, struct rme_class_row *c, uint32_t w)
{
	const struct rme_dominators *d = &r->g->dominators;

	if (c->entry != r->entry) {
		c->entry = r->entry;
		c->all = false;
		c->bytes_before = c->bytes;
		c->nodes_before = c->nodes;
	}
	if (c->all)
		return;
	if (is_cyclic(r, w)) {
		c->all = true;
		c->bytes = c->bytes_before;
		c->nodes = c->nodes_before;
		w = r->entry;
	}
	add_retained(c, d, w);
}

/* What an instance within another one of its class retains is in that one's already. */
static void enter(void *arg, uint32_t w)
{
	struct retained *r = arg;
	struct rme_class_row *c = &r->classes[r->class_of[w]];

	if (!r->entry && is_cyclic(r, w))
		r->entry = w;
	if (c->depth++)
		return;
	if (r->entry)
		enter_cyclic(r, c, w);
	else
		add_retained(c, &r->g->dominators, w);
}

static void leave(void *arg, uint32_t w)
{
	struct retained *r = arg;

	r->classes[r->class_of[w]].depth--;
	if (w == r->entry)
		r->entry = 0;
}

/* Such as holds what others made: of these, every program has many. */
static bool is_plain(const struct rme_type *t)
{
	return t && t->exact && t->kind != RME_KIND_OTHER && t->kind != RME_KIND_EXCEPTION &&
	       t->kind != RME_KIND_NDARRAY;
}

/* Of this image once, too. */
static bool sum_classes(struct retained *r)
{
	const struct rme_dominated_visitor visitor = {enter, leave, r};
	struct rme_heap_graph *g = r->g;
	uint32_t *cursor;

	if (!g->classes) {
		cursor = get(r, g->dominators.n * sizeof *cursor);
		if (!cursor || !find_classes(r) ||
		    !rme_dominated_each(&g->dominators, &g->tree, &visitor, cursor,
		                        &r->ctx->block->cancel))
			return false;
		rme_sys_forget(cursor, g->dominators.n * sizeof *cursor);
		rme_sys_forget(r->class_of, g->dominators.n * sizeof *r->class_of);
		g->classes = r->classes;
		g->n_classes = r->n_classes;
		rme_kept_raise(r->ctx, g);
	}
	r->classes = g->classes;
	r->n_classes = g->n_classes;
	return true;
}

/* `telling`: without those of the interpreter's own that are plain. */
static void report_classes(struct retained *r, const char *key, bool telling)
{
	struct rme_json *j = &r->ctx->json;

	if (!sum_classes(r))
		return;
	r->n_best = 0;
	for (uint32_t i = 1; i < r->n_classes; i++)
		if (!telling || !is_plain(rme_type_get(&r->ctx->py, r->classes[i].type)))
			rank(r, i, r->classes[i].bytes);
	rme_json_array(j, key);
	for (uint64_t i = 0; i < r->n_best; i++) {
		const struct rme_class_row *c = &r->classes[r->best[i].index];
		rme_json_open(j, NULL);
		rme_report_type(r->ctx, "type", c->type);
		rme_json_address(j, "address", c->type);
		rme_json_unsigned(j, "instances", c->n_instances);
		report_retained(r->ctx, c->bytes, c->nodes);
		rme_json_close(j);
	}
	rme_json_array_end(j);
}

/* Modules and namespaces are roots, so neither is dominated by anything; a namespace
 * that only its module holds is in that one's figure. */
static bool find_modules(struct retained *r)
{
	struct rme_heap_graph *g = r->g;
	const struct rme_dominators *d = &g->dominators;

	r->modules = get(r, (g->n_named + 1ull) * sizeof *r->modules);
	for (uint64_t i = 0; r->modules && i < g->n_named; i++) {
		const struct rme_root *root = &g->whole.roots[i];
		uint32_t node = rme_index_node(&g->index, root->object), w;
		if (root->kind != RME_ROOT_MODULE || node == RME_NO_NODE)
			continue;
		struct module *m = r->n_modules ? &r->modules[r->n_modules - 1] : NULL;
		if (!m || g->whole.roots[m->root].name != root->name) {
			m = &r->modules[r->n_modules++];
			m->root = (uint32_t)i;
		}
		w = d->number[node];
		m->bytes += d->bytes[w];
		m->nodes += d->nodes[w];
	}
	return r->modules;
}

static void report_modules(struct retained *r)
{
	struct rme_json *j = &r->ctx->json;
	char text[512];
	struct rme_guard guard;

	if (!find_modules(r))
		return;
	r->n_best = 0;
	for (uint64_t i = 0; i < r->n_modules; i++)
		rank(r, (uint32_t)i, r->modules[i].bytes);
	rme_json_array(j, "modules");
	for (uint64_t i = 0; i < r->n_best; i++) {
		const struct module *m = &r->modules[r->best[i].index];
		const struct rme_root *root = &r->g->whole.roots[m->root];
		struct rme_buffer name = {text, sizeof text, 0, false};
		if (RME_GUARD(r->ctx->guards, &guard)) {
			rme_str_append(&r->ctx->py, root->name, 200, &name);
			rme_guard_pop(r->ctx->guards, &guard);
		}
		rme_json_open(j, NULL);
		rme_json_text(j, "module", text, name.size);
		rme_json_address(j, "address", root->object);
		report_retained(r->ctx, m->bytes, m->nodes);
		rme_json_close(j);
	}
	rme_json_array_end(j);
}

static bool begin_list(struct retained *r)
{
	r->best = get(r, r->limit * sizeof *r->best);
	if (!r->best || !rme_shortest_find(r->g) || !rme_heap_graph_dominators(r->g) ||
	    !mark_containers(r))
		return false;
	rme_shortest_paths(r->g, &r->paths);
	return true;
}

static void list(struct retained *r)
{
	struct rme_query_ctx *ctx = r->ctx;

	r->limit = ctx->request->limit && ctx->request->limit < MAX_LIMIT ? ctx->request->limit
	                                                                  : MAX_LIMIT;
	if (!begin_list(r))
		return;
	report_objects(r, "items");
	report_classes(r, "types", false);
	report_modules(r);
	rme_json_unsigned(&ctx->json, "size", r->g->dominators.bytes[0]);
	rme_json_unsigned(&ctx->json, "objects", r->g->dominators.nodes[0]);
}

void rme_retained_objects(struct rme_heap_graph *g, uint64_t limit, const char *key)
{
	struct retained r = {.ctx = g->whole.ctx, .g = g, .limit = limit};

	if (!begin_list(&r))
		return;
	report_objects(&r, key);
	report_classes(&r, "by_class", true);
}

/* The number whose figures are those of the node. */
static uint32_t holder_number(const struct retained *r, uint32_t node)
{
	const struct rme_dominators *d = &r->g->dominators;
	uint32_t w = d->number[node];

	/* What dominates one of a component of garbage is in the component as well. */
	while (is_cyclic(r, w) && d->idom[w])
		w = d->idom[w];
	return w;
}

static void of_exprs(struct retained *r, const rme_addr *objects, const struct rme_expr **exprs,
                     uint32_t n)
{
	struct rme_query_ctx *ctx = r->ctx;
	struct rme_json *j = &ctx->json;
	const struct rme_dominators *d = &r->g->dominators;
	uint32_t nodes[RME_MAX_FORCED];
	uint64_t bytes, n_objects;

	for (uint32_t i = 0; i < n; i++) {
		nodes[i] = rme_heap_graph_node(r->g, objects[i]);
		if (nodes[i] == RME_NO_NODE)
			return;
	}
	if (!rme_shortest_lost(r->g, nodes, n, &bytes, &n_objects) ||
	    (n > 1 && !rme_heap_graph_dominators(r->g)))
		return;
	rme_json_array(j, "items");
	for (uint32_t i = 0; i < n; i++) {
		uint32_t w = n > 1 ? holder_number(r, nodes[i]) : 0;
		rme_json_open(j, NULL);
		rme_json_text(j, "expr", exprs[i] + 1, exprs[i]->text_size);
		rme_report_identity(ctx, objects[i]);
		report_retained(ctx, n > 1 ? d->bytes[w] : bytes, n > 1 ? d->nodes[w] : n_objects);
		rme_json_close(j);
	}
	rme_json_array_end(j);
	report_retained(ctx, bytes, n_objects);
}

void rme_query_retained(struct rme_query_ctx *ctx)
{
	rme_addr objects[RME_MAX_FORCED];
	const struct rme_expr *exprs[RME_MAX_FORCED];
	struct retained r = {.ctx = ctx};
	uint32_t n = 0;

	if (ctx->request->exprs.count && !rme_query_exprs(ctx, objects, exprs, &n))
		return;
	r.g = rme_heap_graph_get(ctx);
	if (!r.g)
		return;
	if (n)
		of_exprs(&r, objects, exprs, n);
	else
		list(&r);
}
