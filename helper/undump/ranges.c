#include "undump/ranges.h"

#include <stdlib.h>

#include "undump/fail.h"

void ud_ranges_add(struct ud_ranges *ranges, uint64_t start, uint64_t end)
{
	if (start >= end)
		return;
	if (ranges->count == ranges->capacity) {
		ranges->capacity = ranges->capacity ? ranges->capacity * 2 : 64;
		ranges->items =
		    ud_must(realloc(ranges->items, ranges->capacity * sizeof *ranges->items));
	}
	ranges->items[ranges->count++] = (struct rme_range){start, end};
}

static int by_start(const void *a, const void *b)
{
	const struct rme_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

void ud_ranges_merge(struct ud_ranges *ranges)
{
	size_t n = 0;

	if (!ranges->count)
		return;
	qsort(ranges->items, ranges->count, sizeof *ranges->items, by_start);
	for (size_t i = 1; i < ranges->count; i++) {
		struct rme_range *last = &ranges->items[n], next = ranges->items[i];

		if (next.start > last->end)
			ranges->items[++n] = next;
		else if (next.end > last->end)
			last->end = next.end;
	}
	ranges->count = n + 1;
}

void ud_ranges_subtract(const struct ud_ranges *a, const struct ud_ranges *b, struct ud_ranges *ret)
{
	size_t j = 0;

	for (size_t i = 0; i < a->count; i++) {
		uint64_t at = a->items[i].start, end = a->items[i].end;

		while (j < b->count && b->items[j].end <= at)
			j++;
		for (size_t k = j; k < b->count && b->items[k].start < end; k++) {
			ud_ranges_add(ret, at, b->items[k].start);
			if (b->items[k].end > at)
				at = b->items[k].end;
		}
		ud_ranges_add(ret, at, end);
	}
}

uint64_t ud_ranges_bytes(const struct ud_ranges *ranges)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < ranges->count; i++)
		sum += ranges->items[i].end - ranges->items[i].start;
	return sum;
}

void ud_ranges_free(struct ud_ranges *ranges)
{
	free(ranges->items);
	*ranges = (struct ud_ranges){0};
}
