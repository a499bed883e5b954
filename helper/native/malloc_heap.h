/* What is known of malloc's memory: its arenas, what they carve chunks from, and the blocks
 * there. malloc.h finds them. Knows no CPython and no query. */
#ifndef RME_NATIVE_MALLOC_HEAP_H
#define RME_NATIVE_MALLOC_HEAP_H

#include "native/block.h"
#include "native/mappings.h"
#include "runtime/arena.h"
#include "runtime/guard.h"

/* A piece of memory that an arena carves chunks from. */
struct rme_malloc_region {
	rme_addr from;       /* what malloc says of itself comes first */
	rme_addr start, end; /* of its chunks, the free one at the top included */
	uint64_t top;        /* the chunk at the top, 0: none, the region is full; of a mapping
	                        that is one block: RME_BLOCK_* */
	uint32_t arena;      /* its number; RME_NO_ARENA: a mapping that is one block */
};

enum { RME_NO_ARENA = UINT32_MAX };

struct rme_malloc_arena {
	rme_addr at;
	uint64_t system_bytes;           /* that it says that it took from the system */
	uint64_t walked_bytes;           /* of these: less where chunks are damaged */
	uint64_t n_used, used_bytes;     /* chunks, with their headers */
	uint64_t n_free, free_bytes;     /* in bins, and the top */
	uint64_t n_cached, cached_bytes; /* in threads' caches and fastbins: free as well */
	uint64_t top_bytes;              /* of the free ones: at the top, may be trimmed */
};

struct rme_malloc {
	const struct rme_mappings *mappings;
	struct rme_arena *arena;
	struct rme_guards *guards;
	uint32_t bins; /* offset of the bins in a malloc_state */
	struct rme_malloc_arena *arenas;
	uint32_t n_arenas; /* 0: glibc's malloc was not found */
	struct rme_malloc_region *regions;
	uint64_t n_regions;
	struct rme_native_block *blocks; /* ascending */
	uint64_t n_blocks;
	uint64_t n_mapped, mapped_bytes; /* blocks that are mappings, as they are found */
	int64_t n_mapped_expected;       /* and as malloc counts them; -1: not known */
	uint64_t n_damaged;              /* regions whose chunks do not lead to their end */
	rme_addr damaged;                /* where one of them stops */
	bool exhausted;                  /* no room for all blocks */
};

/* The block that holds the address; NULL: none. */
const struct rme_native_block *rme_malloc_find(const struct rme_malloc *m, rme_addr a);

#endif
