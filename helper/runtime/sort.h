/* Sorting in place, without recursion. Nothing Python-specific here. */
#ifndef RME_RUNTIME_SORT_H
#define RME_RUNTIME_SORT_H

#include "runtime/memory.h"

/* As qsort of the C library, n log n always; elements of at most 256 bytes. */
void rme_sort(void *base, size_t n, size_t size, int (*compare)(const void *, const void *));

/* A set of addresses as an array in ascending order. */
void rme_addresses_sort(rme_addr *a, size_t n);
bool rme_addresses_have(const rme_addr *a, size_t n, rme_addr wanted);

#endif
