#include "graph/dominators.h"

enum { CHECK_EVERY = 1 << 16, AHEAD = 8 };

/* At work, all by number in the depth-first search: */
struct work {
	uint32_t *parent; /* in the search tree; later shortened by path compression */
	uint32_t *semi;   /* semidominator */
	uint32_t *label;  /* the number with the least semi on the compressed path. Of a
	                     number that was not worked on yet: the head of its bucket */
	uint32_t *idom;   /* of one that waits in a bucket: the next one there */
	uint32_t *node, *number;
	uint32_t n;
};

static void give_number(struct work *k, const struct rme_csr *g, uint32_t v, uint32_t parent)
{
	k->number[v] = k->n;
	k->node[k->n] = v;
	k->parent[k->n] = parent;
	k->idom[k->n] = g->first[v]; /* meanwhile: which edge comes next */
	k->n++;
}

/* Numbers what `start` reaches, in depth-first preorder. */
static bool search(struct work *k, const struct rme_csr *g, uint32_t start,
                   const volatile uint32_t *cancel)
{
	uint32_t *next = k->idom, top = k->n, at = k->n, check = k->n + CHECK_EVERY;

	give_number(k, g, start, 0);
	for (;;) {
		uint32_t edge = next[at], end = g->first[k->node[at] + 1], down = RME_NO_NODE;
		while (edge < end && down == RME_NO_NODE) {
			uint32_t v = g->to[edge++];
			if (edge + AHEAD < end)
				__builtin_prefetch(&k->number[g->to[edge + AHEAD]]);
			if (k->number[v] != RME_NO_NODE)
				continue;
			give_number(k, g, v, at);
			/* Leaves are done with their number. */
			if (g->first[v] != g->first[v + 1])
				down = k->n - 1;
		}
		next[at] = edge;
		if (down != RME_NO_NODE)
			at = down;
		else if (at == top)
			return true;
		else
			at = k->parent[at];
		if (k->n >= check) {
			check = k->n + CHECK_EVERY;
			if (cancel && *cancel)
				return false;
		}
	}
}

/* Of the arrays, what is beyond the numbers that were given is free. */
static bool find_entries(struct work *k, const struct rme_csr *g, struct rme_garbage *garbage,
                         struct rme_arena *arena, const volatile uint32_t *cancel)
{
	uint32_t m = g->n - k->n, *nodes = rme_arena_alloc(arena, m * sizeof *nodes), n = 0;
	struct rme_components c = {.g = g,
	                           .rank = k->number,
	                           .nodes = nodes,
	                           .base = k->n,
	                           .m = m,
	                           .room = {k->node + k->n, k->parent + k->n, k->idom + k->n}};

	for (uint32_t v = 0; nodes && v < g->n; v++)
		if (k->number[v] == RME_NO_NODE)
			nodes[n++] = v;
	return nodes && rme_components_entries(&c, garbage, cancel);
}

/* What the root does not reach is entered by the components that nothing enters. */
static bool search_rest(struct work *k, const struct rme_csr *g, struct rme_garbage *garbage,
                        struct rme_arena *arena, const volatile uint32_t *cancel)
{
	uint32_t *entries = k->node + g->n, n;

	if (k->n == g->n)
		return true;
	if (!garbage->entries && !find_entries(k, g, garbage, arena, cancel))
		return false;
	/* At the end, where numbers arrive last: one reaches no other. */
	n = garbage->n_entries;
	entries -= n;
	memmove(entries, garbage->entries, n * sizeof *entries);
	garbage->entries = NULL;
	for (uint32_t i = 0; i < n; i++)
		if (!search(k, g, entries[i], cancel))
			return false;
	return true;
}

/* The number with the least semidominator on the way from v up to, but without, the
 * root of its tree in the forest of the numbers above `done`. Makes that way short:
 * going up, each points down to where it was come from, so coming back needs no stack. */
static uint32_t evaluate(struct work *k, uint32_t v, uint32_t done)
{
	uint32_t below, at, up, best;

	if (v <= done)
		return v;
	if (k->parent[v] <= done)
		return k->label[v];
	for (below = v, at = k->parent[v]; (up = k->parent[at]) > done;) {
		k->parent[at] = below;
		below = at;
		at = up;
	}
	best = k->label[at];
	for (at = below;; at = below) {
		below = k->parent[at];
		if (k->semi[best] < k->semi[k->label[at]])
			k->label[at] = best;
		else
			best = k->label[at];
		k->parent[at] = up;
		if (at == v)
			return best;
	}
}

static void work_on(struct work *k, const struct rme_csr *in, uint32_t w)
{
	uint32_t v = k->node[w], semi = k->parent[w], next;

	/* Those whose semidominator is w: what is above w is linked by now. */
	for (uint32_t waiting = k->label[w]; waiting; waiting = next) {
		uint32_t u = evaluate(k, waiting, w);
		next = k->idom[waiting];
		k->idom[waiting] = k->semi[u] < k->semi[waiting] ? u : w;
	}
	for (uint32_t e = in->first[v]; e < in->first[v + 1]; e++) {
		uint32_t u = k->number[in->to[e]];
		if (u == RME_NO_NODE || u == k->parent[w])
			continue;
		/* A number that is not worked on yet is its own semidominator. */
		u = u <= w ? u : k->semi[evaluate(k, u, w)];
		if (u < semi)
			semi = u;
	}
	k->semi[w] = semi;
	k->label[w] = w;
	if (semi == k->parent[w]) {
		k->idom[w] = semi;
	} else {
		k->idom[w] = k->label[semi];
		k->label[semi] = w;
	}
}

bool rme_dominators_init(struct rme_dominators *d, const struct rme_csr *out,
                         const struct rme_csr *in, uint32_t root, struct rme_garbage *garbage,
                         const struct rme_dominators_memory *memory,
                         const volatile uint32_t *cancel)
{
	struct work k = {.number = memory->spare};
	size_t size = (size_t)out->n * sizeof(uint32_t);

	k.node = rme_arena_alloc(memory->arena, size);
	k.parent = rme_arena_alloc(memory->arena, size);
	k.idom = rme_arena_alloc(memory->arena, size);
	if (!k.node || !k.parent || !k.idom)
		return false;
	memset(k.number, 0xff, size);
	if (!search(&k, out, root, cancel))
		return false;
	uint32_t n_alive = k.n;
	if (garbage && !search_rest(&k, out, garbage, memory->arena, cancel))
		return false;
	k.semi = memory->scratch;
	k.label = memory->scratch + out->n;
	memset(k.label, 0, size);
	for (uint32_t w = k.n - 1; w; w--) {
		if (w > AHEAD)
			__builtin_prefetch(&in->first[k.node[w - AHEAD]]);
		work_on(&k, in, w);
		if (!(w % CHECK_EVERY) && cancel && *cancel)
			return false;
	}
	for (uint32_t v = k.label[0], next; v; v = next) {
		next = k.idom[v];
		uint32_t u = evaluate(&k, v, 0);
		k.idom[v] = k.semi[u] < k.semi[v] ? u : 0;
	}
	for (uint32_t w = 1; w < k.n; w++)
		if (k.idom[w] != k.semi[w])
			k.idom[w] = k.idom[k.idom[w]];
	k.idom[0] = 0;
	*d = (struct rme_dominators){
	    .n = k.n,
	    .n_alive = n_alive,
	    .number = k.number,
	    .node = k.node,
	    .idom = k.idom,
	    .bytes = (uint64_t *)memory->scratch,
	    .nodes = k.parent,
	};
	return true;
}

bool rme_dominators_retain(struct rme_dominators *d, rme_node_size_fn size, void *arg,
                           const volatile uint32_t *cancel)
{
	for (uint32_t w = 0; w < d->n; w++) {
		d->bytes[w] = size(arg, d->node[w]);
		d->nodes[w] = d->bytes[w] != 0;
	}
	for (uint32_t w = d->n - 1; w; w--) {
		d->bytes[d->idom[w]] += d->bytes[w];
		d->nodes[d->idom[w]] += d->nodes[w];
		if (!(w % CHECK_EVERY) && cancel && *cancel)
			return false;
	}
	return true;
}
