#include "native/malloc_heap.h"

const struct rme_native_block *rme_malloc_find(const struct rme_malloc *m, rme_addr a)
{
	uint64_t low = 0, high = m->n_blocks;

	while (low < high) {
		uint64_t middle = (low + high) / 2;
		if (m->blocks[middle].at <= a)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return NULL;
	const struct rme_native_block *b = &m->blocks[low - 1];
	return a - b->at < rme_block_usable(b) ? b : NULL;
}
