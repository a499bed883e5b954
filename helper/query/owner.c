#include "query/owner.h"

#include "cpython/attribute.h"
#include "cpython/object.h"
#include "cpython/str.h"
#include "cpython/type_name.h"

enum { MAX_NAME = 200, MAX_CELLS = 1 << 16 };

struct search {
	struct rme_heap_graph *g;
	const uint32_t *nodes;
	uint64_t n;
	struct rme_owner *owners;
	uint64_t *wanted; /* a bit per node */
};

static bool is_wanted(const struct search *s, uint32_t node)
{
	return s->wanted[node >> 6] >> (node & 63) & 1;
}

/* The row of a node; NULL: it is none of those that are asked for. */
static struct rme_owner *owner_of(const struct search *s, uint32_t node)
{
	uint64_t low = 0, high = s->n;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		if (s->nodes[middle] == node)
			return &s->owners[middle];
		if (s->nodes[middle] < node)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static void found(struct search *s, uint32_t node, uint32_t owner)
{
	owner_of(s, node)->node = owner;
	s->wanted[node >> 6] &= ~(1ull << (node & 63));
}

/* There may be many holders, and there are many roots: each root is looked for once. */
static void find_roots(struct search *s)
{
	const struct rme_heap_graph *g = s->g;

	for (uint64_t i = 0; i < g->n_named; i++) {
		rme_addr object = g->whole.roots[i].object;
		uint32_t node = rme_index_node(&g->index, object);
		struct rme_owner *owner = node == RME_NO_NODE ? NULL : owner_of(s, node);
		if (owner && !owner->root && rme_heap_graph_address(g, node) == object)
			owner->root = &g->whole.roots[i];
	}
}

static void of_instance(struct search *s, uint32_t instance, uint32_t part)
{
	struct rme_heap_graph *g = s->g;
	struct rme_query_ctx *ctx = g->whole.ctx;
	struct rme_guard guard;
	volatile bool is = false;

	if (RME_GUARD(ctx->guards, &guard)) {
		is = rme_instance_dict(&ctx->py, rme_heap_graph_address(g, instance)) ==
		     rme_heap_graph_address(g, part);
		rme_guard_pop(ctx->guards, &guard);
	}
	if (is)
		found(s, part, instance);
}

static void of_function(struct search *s, uint32_t function)
{
	struct rme_heap_graph *g = s->g;
	struct rme_query_ctx *ctx = g->whole.ctx;
	const struct rme_python *py = &ctx->py;
	struct rme_guard guard;

	if (!RME_GUARD(ctx->guards, &guard))
		return;
	rme_addr closure =
	    rme_ptr(rme_heap_graph_address(g, function) + (uint64_t)py->layout->function_closure);
	uint64_t n = closure ? rme_sequence_length(py, closure) : 0;
	for (uint64_t i = 0; i < n && i < MAX_CELLS; i++) {
		rme_addr cell = rme_tuple_item(py, closure, i);
		uint32_t node = rme_index_node(&g->index, cell);
		if (node != RME_NO_NODE && is_wanted(s, node) &&
		    rme_heap_graph_address(g, node) == cell)
			found(s, node, function);
	}
	rme_guard_pop(ctx->guards, &guard);
}

static void look_through(struct search *s)
{
	const struct rme_heap_graph *g = s->g;
	const uint32_t *first = g->out.first, *to = g->out.to;
	const volatile uint32_t *cancel = g->whole.walk.cancel;

	for (uint32_t v = 0; v < g->root && !*cancel; v++) {
		for (uint32_t e = first[v]; e < first[v + 1]; e++)
			if (__builtin_expect(is_wanted(s, to[e]), 0))
				of_instance(s, v, to[e]);
		const struct rme_type *t = g->type[v] < g->n_types ? g->types[g->type[v]] : NULL;
		if (__builtin_expect(t && t->kind == RME_KIND_FUNCTION, 0))
			of_function(s, v);
	}
}

bool rme_owners_find(struct rme_heap_graph *g, const uint32_t *nodes, uint64_t n,
                     struct rme_owner *ret)
{
	struct search s = {g, nodes, n, ret, NULL};
	bool any = false;

	s.wanted = rme_arena_alloc(g->whole.ctx->arena, (g->out.n / 64 + 1ull) * sizeof *s.wanted);
	if (!s.wanted)
		return false;
	for (uint64_t i = 0; i < n; i++)
		ret[i] = (struct rme_owner){NULL, RME_NO_NODE};
	find_roots(&s);
	for (uint64_t i = 0; i < n; i++) {
		const struct rme_type *t = rme_heap_graph_type(g, nodes[i]);
		if (!ret[i].root && t && (t->kind == RME_KIND_DICT || t->kind == RME_KIND_CELL)) {
			s.wanted[nodes[i] >> 6] |= 1ull << (nodes[i] & 63);
			any = true;
		}
	}
	if (any)
		look_through(&s);
	return true;
}

static void append_name(struct rme_heap_graph *g, uint32_t node, struct rme_buffer *out)
{
	struct rme_python *py = &g->whole.ctx->py;
	rme_addr object = rme_heap_graph_address(g, node);
	const struct rme_type *t = rme_heap_graph_type(g, node);

	if (t && t->kind == RME_KIND_FUNCTION) {
		rme_buffer_text(out, "function ");
		rme_str_append(py, rme_ptr(object + (uint64_t)py->layout->function_qualname),
		               MAX_NAME, out);
	} else if (t && t->is_type) {
		rme_buffer_text(out, "class ");
		rme_type_name_append(py, object, out);
	} else {
		rme_type_name_append(py, rme_type_of(py, object), out);
		rme_buffer_text(out, " at ");
		rme_buffer_hex(out, object);
	}
}

bool rme_owner_append(struct rme_heap_graph *g, const struct rme_owner *owner,
                      struct rme_buffer *out)
{
	struct rme_query_ctx *ctx = g->whole.ctx;
	struct rme_guard guard;

	if (owner->root) {
		rme_root_append(&ctx->py, owner->root, out);
		if (owner->root->kind == RME_ROOT_LOCAL && owner->root->name &&
		    RME_GUARD(ctx->guards, &guard)) {
			rme_buffer_text(out, " → ");
			rme_str_append(&ctx->py, owner->root->name, MAX_NAME, out);
			rme_guard_pop(ctx->guards, &guard);
		}
	} else if (owner->node != RME_NO_NODE && RME_GUARD(ctx->guards, &guard)) {
		append_name(g, owner->node, out);
		rme_guard_pop(ctx->guards, &guard);
	}
	return out->size;
}
