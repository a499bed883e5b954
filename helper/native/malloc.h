/* The blocks of glibc's malloc (2.17 to 2.43), found without symbols: a main arena is the
 * place in writable data whose empty bins point to themselves and whose `next` closes a
 * ring of arenas. Everything is checked against itself: sizes, rings, tops, what the arena
 * says that it took from the system. Facts are from malloc/malloc.c and malloc/arena.c.
 * Knows no CPython and no query. */
#ifndef RME_NATIVE_MALLOC_H
#define RME_NATIVE_MALLOC_H

#include "native/malloc_heap.h"

/* Finds the arenas and their blocks. `taken` are `n_taken` ranges of memory, ascending, that
 * malloc has nothing in (the arenas of another allocator). Holds its own guards. False where
 * there is no malloc of glibc's, or its arenas are not sound. */
bool rme_malloc_init(struct rme_malloc *m, const struct rme_mappings *mappings,
                     const struct rme_range *taken, uint64_t n_taken, struct rme_arena *arena,
                     struct rme_guards *guards);

#endif
