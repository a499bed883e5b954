#include "graph/paths.h"

enum { CHECK_EVERY = 1 << 16, AHEAD = 8 };

void rme_paths_init(struct rme_paths *p, const struct rme_csr *out, uint32_t root, uint32_t *before,
                    uint32_t *queue)
{
	*p = (struct rme_paths){out, root, before, queue};
	memset(before, 0xff, (size_t)out->n * sizeof *before);
	before[root] = root;
}

static inline uint32_t reach(struct rme_paths *p, uint32_t v, uint32_t from, uint32_t tail)
{
	if (p->before[v] == RME_NO_NODE) {
		p->before[v] = from;
		p->queue[tail++] = v;
	}
	return tail;
}

/* From the `tail` nodes in the queue on. */
static bool spread(struct rme_paths *p, uint32_t tail, const volatile uint32_t *cancel)
{
	const struct rme_csr *g = p->out;

	for (uint32_t head = 0; head < tail; head++) {
		uint32_t v = p->queue[head];
		if (head + AHEAD < tail)
			__builtin_prefetch(&g->first[p->queue[head + AHEAD]]);
		for (uint32_t e = g->first[v]; e < g->first[v + 1]; e++)
			tail = reach(p, g->to[e], v, tail);
		if (!(head % CHECK_EVERY) && cancel && *cancel)
			return false;
	}
	return true;
}

bool rme_paths_follow(struct rme_paths *p, uint32_t first, uint32_t end,
                      const volatile uint32_t *cancel)
{
	const struct rme_csr *g = p->out;
	uint32_t tail = 0;

	for (uint32_t e = first; e < end; e++)
		tail = reach(p, g->to[g->first[p->root] + e], p->root, tail);
	return spread(p, tail, cancel);
}

static bool is_lost(const struct rme_paths *p, uint32_t v)
{
	return p->before[v] == v && v != p->root;
}

bool rme_paths_lost(struct rme_paths *p, const uint32_t *avoided, uint64_t n,
                    const volatile uint32_t *cancel)
{
	const struct rme_csr *g = p->out;
	uint32_t tail = 0;

	for (uint64_t i = 0; i < n; i++)
		if (is_lost(p, avoided[i]))
			p->queue[tail++] = avoided[i];
	for (uint32_t head = 0; head < tail; head++) {
		uint32_t v = p->queue[head];
		for (uint32_t e = g->first[v]; e < g->first[v + 1]; e++) {
			uint32_t w = g->to[e];
			if (p->before[w] == RME_NO_NODE) {
				p->before[w] = w;
				p->queue[tail++] = w;
			}
		}
		if (!(head % CHECK_EVERY) && cancel && *cancel)
			return false;
	}
	for (uint64_t i = 0; i < n; i++)
		p->before[avoided[i]] = p->root;
	return true;
}

/* Of the nodes without a path, m of them. */
static bool find_entries(const struct rme_paths *p, uint32_t m, struct rme_garbage *garbage,
                         struct rme_arena *arena, const volatile uint32_t *cancel)
{
	uint32_t *nodes = rme_arena_alloc(arena, m * sizeof *nodes);
	struct rme_components c = {.g = p->out, .nodes = nodes, .base = 1};

	c.rank = rme_arena_alloc(arena, p->out->n * sizeof *c.rank);
	for (uint32_t i = 0; i < 3; i++)
		c.room[i] = rme_arena_alloc(arena, m * sizeof *c.room[i]);
	if (!nodes || !c.rank || !c.room[0] || !c.room[1] || !c.room[2])
		return false;
	for (uint32_t v = 0; v < p->out->n; v++)
		if (p->before[v] == RME_NO_NODE) {
			nodes[c.m++] = v;
			c.rank[v] = RME_NO_NODE;
		}
	return rme_components_entries(&c, garbage, cancel);
}

bool rme_paths_garbage(struct rme_paths *p, struct rme_garbage *garbage, struct rme_arena *arena,
                       const volatile uint32_t *cancel)
{
	uint32_t m = 0, tail = 0;

	for (uint32_t v = 0; v < p->out->n; v++)
		m += p->before[v] == RME_NO_NODE;
	if (!m)
		return true;
	if (!find_entries(p, m, garbage, arena, cancel))
		return false;
	/* Not lost after all is what this leads to. */
	for (uint32_t v = 0; v < p->out->n; v++)
		if (is_lost(p, v))
			p->before[v] = RME_NO_NODE;
	for (uint32_t i = 0; i < garbage->n_entries; i++)
		tail = reach(p, garbage->entries[i], p->root, tail);
	return spread(p, tail, cancel);
}
