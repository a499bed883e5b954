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

bool rme_paths_follow(struct rme_paths *p, uint32_t first, uint32_t end,
                      const volatile uint32_t *cancel)
{
	const struct rme_csr *g = p->out;
	uint32_t head = 0, tail = 0;

	for (uint32_t e = first; e < end; e++)
		tail = reach(p, g->to[g->first[p->root] + e], p->root, tail);
	for (; head < tail; head++) {
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
