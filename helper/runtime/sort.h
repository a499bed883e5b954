/* Sorting in place, without recursion. Nothing Python-specific here. */
#ifndef RME_RUNTIME_SORT_H
#define RME_RUNTIME_SORT_H

#include <stddef.h>

/* As qsort of the C library, n log n always; elements of at most 256 bytes. */
void rme_sort(void *base, size_t n, size_t size, int (*compare)(const void *, const void *));

#endif
