#include "query/shortest.h"

enum { CHECK_EVERY = 1 << 16 };

static bool out_of_memory(struct rme_heap_graph *g)
{
	rme_error_set(&g->whole.ctx->error, RME_ERROR_OUT_OF_MEMORY,
	              "not enough address space for the paths");
	return false;
}

static uint64_t *bits(const struct rme_heap_graph *g)
{
	return rme_arena_alloc(g->whole.ctx->arena, (g->out.n / 64 + 1ull) * sizeof(uint64_t));
}

static inline bool has(const uint64_t *set, uint32_t node)
{
	return set[node >> 6] >> (node & 63) & 1;
}

static inline void add(uint64_t *set, uint32_t node)
{
	set[node >> 6] |= 1ull << (node & 63);
}

static void note_reached(const struct rme_heap_graph *g, const struct rme_paths *paths,
                         uint64_t *set)
{
	for (uint32_t v = 0; v < g->out.n; v++)
		set[v >> 6] |= (uint64_t)(paths->before[v] != RME_NO_NODE) << (v & 63);
}

bool rme_shortest_find(struct rme_heap_graph *g)
{
	struct rme_paths paths;

	if (g->before)
		return true;
	g->named = bits(g);
	g->alive = bits(g);
	if (!g->named || !g->alive)
		return out_of_memory(g);
	if (!rme_heap_graph_paths(g, NULL, 0, &paths))
		return false;
	note_reached(g, &paths, g->named);
	if (!rme_heap_graph_paths_rest(g, &paths))
		return false;
	note_reached(g, &paths, g->alive);
	if (!rme_heap_graph_paths_garbage(g, &paths, NULL, 0))
		return false;
	g->before = paths.before;
	rme_kept_raise(g->whole.ctx, g);
	return true;
}

void rme_shortest_paths(const struct rme_heap_graph *g, struct rme_paths *ret)
{
	*ret = (struct rme_paths){&g->out, g->root, g->before, g->spare};
}

bool rme_shortest_through(const struct rme_heap_graph *g, uint32_t node, uint32_t through)
{
	for (; node != g->root; node = g->before[node])
		if (node == through)
			return true;
	return false;
}

/* A search for what is lost. `below`: nodes whose path leads through one of those that go;
 * `saved`: of these, what another path leads to. */
struct loss {
	struct rme_heap_graph *g;
	uint64_t *gone, *below, *saved;
	uint32_t *stack;
	uint32_t n_stack;
	uint64_t bytes, n_objects, n_below; /* objects: without what is damaged */
	const volatile uint32_t *cancel;
};

static bool cancelled(const struct loss *l, uint64_t n)
{
	return !(n % CHECK_EVERY) && *l->cancel;
}

/* Down the tree of paths. */
static bool find_below(struct loss *l, uint32_t from)
{
	const struct rme_csr *out = &l->g->out;
	const uint32_t *before = l->g->before;

	l->stack[l->n_stack++] = from;
	while (l->n_stack) {
		uint32_t v = l->stack[--l->n_stack];
		uint64_t size = rme_heap_graph_size(l->g, v);
		l->bytes += size;
		l->n_objects += size != 0;
		if (cancelled(l, ++l->n_below))
			return false;
		for (uint32_t e = out->first[v]; e < out->first[v + 1]; e++) {
			uint32_t w = out->to[e];
			if (before[w] != v || has(l->below, w))
				continue;
			add(l->below, w);
			l->stack[l->n_stack++] = w;
		}
	}
	return true;
}

static void save(struct loss *l, uint32_t node)
{
	if (!has(l->below, node) || has(l->saved, node) || has(l->gone, node))
		return;
	add(l->saved, node);
	uint64_t size = rme_heap_graph_size(l->g, node);
	l->bytes -= size;
	l->n_objects -= size != 0;
	l->stack[l->n_stack++] = node;
}

/* What an edge from elsewhere leads to is not lost, nor what that leads to. */
static bool save_others(struct loss *l)
{
	const struct rme_csr *out = &l->g->out;
	uint64_t n = 0;

	for (uint32_t v = 0; v <= l->g->root; v++) {
		if (cancelled(l, v))
			return false;
		if (has(l->below, v))
			continue;
		for (uint32_t e = out->first[v]; e < out->first[v + 1]; e++)
			save(l, out->to[e]);
	}
	while (l->n_stack) {
		uint32_t v = l->stack[--l->n_stack];
		if (cancelled(l, ++n))
			return false;
		for (uint32_t e = out->first[v]; e < out->first[v + 1]; e++)
			save(l, out->to[e]);
	}
	return true;
}

/* What is garbage without a node of garbage is another garbage: with other paths. */
static bool search(struct rme_heap_graph *g, const uint32_t *nodes, uint32_t n, uint64_t *bytes,
                   uint64_t *n_objects)
{
	struct rme_paths paths;

	if (!rme_heap_graph_paths(g, nodes, n, &paths) || !rme_heap_graph_paths_rest(g, &paths) ||
	    !rme_heap_graph_paths_garbage(g, &paths, nodes, n))
		return false;
	for (uint32_t i = 0; i < n; i++)
		paths.before[nodes[i]] = nodes[i];
	*bytes = *n_objects = 0;
	for (uint32_t v = 0; v < g->root; v++) {
		if (paths.before[v] != v && paths.before[v] != RME_NO_NODE)
			continue;
		uint64_t size = rme_heap_graph_size(g, v);
		*bytes += size;
		*n_objects += size != 0;
	}
	return true;
}

bool rme_shortest_lost(struct rme_heap_graph *g, const uint32_t *nodes, uint32_t n, uint64_t *bytes,
                       uint64_t *n_objects)
{
	struct loss l = {.g = g, .stack = g->spare, .cancel = g->whole.walk.cancel};

	if (!rme_shortest_find(g))
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (!rme_shortest_alive(g, nodes[i]))
			return search(g, nodes, n, bytes, n_objects);
	l.gone = bits(g);
	l.below = bits(g);
	l.saved = bits(g);
	if (!l.gone || !l.below || !l.saved)
		return out_of_memory(g);
	for (uint32_t i = 0; i < n; i++)
		add(l.gone, nodes[i]);
	for (uint32_t i = 0; i < n; i++) {
		if (has(l.below, nodes[i]))
			continue; /* named twice, or below another */
		add(l.below, nodes[i]);
		if (!find_below(&l, nodes[i]))
			return false;
	}
	if ((n > 1 || l.n_below > 1) && !save_others(&l))
		return false;
	*bytes = l.bytes;
	*n_objects = l.n_objects;
	return true;
}
