/* The native memory of a process beside its objects: the blocks of malloc and of CPython's
 * small ones that hold no object, and who reaches them. */
#ifndef RME_QUERY_NATIVE_MAP_H
#define RME_QUERY_NATIVE_MAP_H

#include "native/blocks.h"
#include "native/malloc.h"
#include "native/pools.h"
#include "query/whole.h"

enum rme_native_owner_kind {
	RME_NATIVE_NOBODY,
	RME_NATIVE_INTERIOR, /* blocks and stacks, but not by its start */
	RME_NATIVE_TYPE,     /* instances of a Python type, `type` */
	RME_NATIVE_LIBRARY,  /* the writable data of a file, `name` */
	RME_NATIVE_THREAD,   /* the stack of a thread, `number` */
	RME_NATIVE_MEMORY    /* other memory that is not known to be of an allocator */
};

struct rme_native_owner {
	uint8_t kind; /* enum rme_native_owner_kind */
	struct rme_type *type;
	const char *name;
	uint64_t number;
	uint64_t n_blocks, bytes; /* usable; not what is in an object's size */
	rme_addr example;         /* the largest of them */
	uint64_t largest;
};

struct rme_native_map {
	struct rme_query_ctx *ctx;
	struct rme_whole whole;
	struct rme_index index;
	struct rme_mappings mappings;
	struct rme_range *arenas; /* of CPython's allocator, ascending */
	uint64_t n_arenas;
	bool has_malloc;
	struct rme_malloc malloc;
	struct rme_pools pools;
	struct rme_blocks blocks;
	struct rme_native_owner *owners; /* by number; 0 is nobody */
	uint32_t n_owners, max_owners;
	uint32_t n_types; /* the first of them after nobody: types by their number */
	uint64_t n_object_blocks, object_bytes; /* that hold an object, or are in one's size */
};

/* Walks the heap, finds all blocks, and whose they are. False with ctx->error. */
bool rme_native_map_init(struct rme_native_map *m, struct rme_query_ctx *ctx);

/* The type of the object that a block looks like, though nothing reaches it; NULL: of none. */
struct rme_type *rme_native_map_object(struct rme_native_map *m,
                                       const struct rme_native_block *block);

#endif
