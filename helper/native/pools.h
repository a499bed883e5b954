/* The blocks in use of CPython's allocator for small blocks (Objects/obmalloc.c, struct
 * pool_header: the same from 3.8 to 3.15). Knows no object and no query. */
#ifndef RME_NATIVE_POOLS_H
#define RME_NATIVE_POOLS_H

#include "native/block.h"
#include "native/mappings.h"
#include "rememberme.h"
#include "runtime/arena.h"
#include "runtime/guard.h"

struct rme_pools {
	const struct rme_range *arenas; /* up to where each has been used; ascending */
	uint64_t n_arenas;
	uint64_t pool_size;          /* bytes: 4096 up to 3.9, then 16384 */
	uint64_t n_pools, n_damaged; /* whose free blocks and counts do not fit */
};

/* Finds the arenas, at most `max`, where nothing tells where they are (up to 3.11): by the
 * static pointer to their list, in the mapping of `data` or beside it. They are of 64
 * pools of pool_size bytes. Returns how many, in no order. Holds its own guard. */
uint64_t rme_pools_find_arenas(const struct rme_mappings *mappings, rme_addr data,
                               uint64_t pool_size, struct rme_guards *guards, struct rme_range *ret,
                               uint64_t max);

/* Calls fn for each block in use, in ascending order. Holds its own guards; a pool that
 * faults or is damaged is left out and counted. `scratch` are RME_POOL_SCRATCH bytes. */
enum { RME_POOL_SCRATCH = 256 };
typedef void (*rme_pool_fn)(void *arg, rme_addr at, uint64_t size);
void rme_pools_each(struct rme_pools *p, struct rme_guards *guards, uint8_t *scratch,
                    rme_pool_fn fn, void *arg);

#endif
