#include "graph/csr.h"

enum { BLOCK = 1 << 16, AHEAD = 16 };

bool rme_csr_count(const struct rme_csr *g, uint32_t from, uint32_t *count,
                   const volatile uint32_t *cancel)
{
	uint32_t n_edges = g->first[g->n];

	while (from < n_edges) {
		uint32_t end = n_edges - from < BLOCK ? n_edges : from + BLOCK;
		for (; from < end; from++)
			count[g->to[from]]++;
		if (cancel && *cancel)
			return false;
	}
	return true;
}

bool rme_csr_turn(const struct rme_csr *g, uint32_t *first, uint32_t *to, struct rme_csr *ret,
                  const volatile uint32_t *cancel)
{
	uint32_t *next = first + 1; /* where the next edge into a node goes */
	uint32_t sum = 0, n_edges = g->first[g->n];

	*ret = (struct rme_csr){g->n, first, to};
	first[0] = 0;
	for (uint32_t v = 0; v < g->n; v++) {
		uint32_t count = next[v];
		next[v] = sum;
		sum += count;
	}
	/* Afterwards next[v] is the end of row v, which is first[v + 1]. */
	for (uint32_t v = 0; v < g->n; v++) {
		for (uint32_t e = g->first[v]; e < g->first[v + 1]; e++) {
			if (e + AHEAD < n_edges)
				__builtin_prefetch(&next[g->to[e + AHEAD]], 1);
			to[next[g->to[e]]++] = v;
		}
		if (!(v % BLOCK) && cancel && *cancel)
			return false;
	}
	return true;
}
