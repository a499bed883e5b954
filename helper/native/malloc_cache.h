/* Blocks that malloc keeps for a thread or in a fastbin: their chunks look like those in
 * use. Part of rme_malloc_init (malloc.h). */
#ifndef RME_NATIVE_MALLOC_CACHE_H
#define RME_NATIVE_MALLOC_CACHE_H

#include "native/malloc_heap.h"

/* Marks them among the blocks. Holds its own guards. */
void rme_malloc_find_cached(struct rme_malloc *m);

#endif
