#include "graph/dominated.h"

enum { CHECK_EVERY = 1 << 16 };

void rme_dominated_init(const struct rme_dominators *d, uint32_t *first, uint32_t *to,
                        struct rme_csr *ret)
{
	uint32_t *next = first + 1, sum = 0;

	memset(first, 0, (d->n + 1ull) * sizeof *first);
	for (uint32_t w = 1; w < d->n; w++)
		next[d->idom[w]]++;
	for (uint32_t w = 0; w < d->n; w++) {
		uint32_t count = next[w];
		next[w] = sum;
		sum += count;
	}
	for (uint32_t w = 1; w < d->n; w++)
		to[next[d->idom[w]]++] = w;
	*ret = (struct rme_csr){d->n, first, to};
}

bool rme_dominated_each(const struct rme_dominators *d, const struct rme_csr *tree,
                        const struct rme_dominated_visitor *visitor, uint32_t *cursor,
                        const volatile uint32_t *cancel)
{
	uint32_t at = 0, n = 0;

	cursor[0] = tree->first[0];
	visitor->enter(visitor->arg, 0);
	for (;;) {
		if (cursor[at] < tree->first[at + 1]) {
			at = tree->to[cursor[at]++];
			cursor[at] = tree->first[at];
			visitor->enter(visitor->arg, at);
			if (!(++n % CHECK_EVERY) && cancel && *cancel)
				return false;
		} else {
			visitor->leave(visitor->arg, at);
			if (!at)
				return true;
			at = d->idom[at];
		}
	}
}
