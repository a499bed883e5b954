/* A block: memory that a program asked an allocator for. Knows no CPython and no query. */
#ifndef RME_NATIVE_BLOCK_H
#define RME_NATIVE_BLOCK_H

#include "runtime/memory.h"

struct rme_native_block {
	rme_addr at;   /* what the allocator returned */
	uint64_t size; /* of its chunk: a multiple of 16, with RME_BLOCK_* below */
};

enum {
	RME_BLOCK_CACHED = 1, /* free: in a thread's cache or a fastbin */
	RME_BLOCK_MAPPED = 2, /* a mapping of its own */
	RME_BLOCK_HEADED = 4, /* whose header is all before it: to 2.42 those of mappings */
	RME_BLOCK_SMALL = 8,  /* of CPython's allocator, which has no headers */
	RME_BLOCK_FLAGS = 15
};

/* Bytes of a chunk, its header included. */
static inline uint64_t rme_block_chunk(const struct rme_native_block *b)
{
	return b->size & ~(uint64_t)RME_BLOCK_FLAGS;
}

/* Bytes that the program may use of it: malloc_usable_size. */
static inline uint64_t rme_block_usable(const struct rme_native_block *b)
{
	if (b->size & RME_BLOCK_SMALL)
		return rme_block_chunk(b);
	return rme_block_chunk(b) - (b->size & RME_BLOCK_HEADED ? 16 : 8);
}

#endif
