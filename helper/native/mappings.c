#include "native/mappings.h"

const struct rme_vma *rme_mappings_find(const struct rme_mappings *m, rme_addr a)
{
	uint64_t low = 0, high = m->n;

	while (low < high) {
		uint64_t middle = (low + high) / 2;
		if (m->items[middle].end <= a)
			low = middle + 1;
		else
			high = middle;
	}
	return low < m->n && m->items[low].start <= a ? &m->items[low] : NULL;
}

bool rme_mappings_hold(const struct rme_mappings *m, rme_addr a, uint64_t n)
{
	const struct rme_vma *mapping = rme_mappings_find(m, a);

	return mapping && rme_mapping_is_data(mapping) && n <= mapping->end - a;
}
