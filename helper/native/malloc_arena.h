/* Where malloc's arenas are, and which memory they carve chunks from: the parts of
 * rme_malloc_init (malloc.h) that read arenas and heaps. */
#ifndef RME_NATIVE_MALLOC_ARENA_H
#define RME_NATIVE_MALLOC_ARENA_H

#include "native/malloc_heap.h"

enum {
	RME_MALLOC_HEADER = 16, /* of a chunk: the size of the one before, its own */
	RME_MALLOC_LEAST = 32,  /* bytes of a chunk; a fence post has 16 */
	RME_MALLOC_PREV_INUSE = 1,
	RME_MALLOC_IS_MAPPED = 2
};

/* Bytes of the chunk, its flags taken off. */
static inline uint64_t rme_malloc_chunk_size(rme_addr chunk)
{
	return rme_u64(chunk + 8) & ~7ull;
}

/* Do chunks stand one behind another from `at` on, up to `end` or far enough not to be taken
 * for such by accident? May fault: hold a guard. */
bool rme_malloc_is_run(rme_addr at, rme_addr end);

/* Finds the main arena, and the ring of arenas that it begins. False: there is none. May
 * fault: hold a guard. */
bool rme_malloc_find_arenas(struct rme_malloc *m);

/* Adds the regions of all arenas, in no order. May fault: hold a guard. */
void rme_malloc_find_regions(struct rme_malloc *m);

/* Adds a region that is one block of its own for each mapping that malloc made for one.
 * Holds its own guards. */
void rme_malloc_find_mapped(struct rme_malloc *m, const struct rme_range *taken, uint64_t n_taken);

#endif
