/* Lists of address ranges: union and difference. */
#ifndef UD_RANGES_H
#define UD_RANGES_H

#include <stddef.h>

#include "rememberme.h"

struct ud_ranges {
	struct rme_range *items;
	size_t count;
	size_t capacity;
};

/* An empty range is not added. */
void ud_ranges_add(struct ud_ranges *ranges, uint64_t start, uint64_t end);

/* Sorts them and joins those that touch or overlap. */
void ud_ranges_merge(struct ud_ranges *ranges);

/* Adds what `a` has and `b` lacks to *ret; both are merged. */
void ud_ranges_subtract(const struct ud_ranges *a, const struct ud_ranges *b,
                        struct ud_ranges *ret);

uint64_t ud_ranges_bytes(const struct ud_ranges *ranges);
void ud_ranges_free(struct ud_ranges *ranges);

#endif
