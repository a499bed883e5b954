/* All blocks of a process in one table, and who reaches them: words that look like pointers
 * into a block are taken for such (conservative). Knows no CPython and no query: whose a
 * piece of memory is, is handed in as a number. */
#ifndef RME_NATIVE_BLOCKS_H
#define RME_NATIVE_BLOCKS_H

#include "native/block.h"
#include "runtime/arena.h"
#include "runtime/guard.h"

/* Whose a block is. */
enum {
	RME_OWNER_NONE = 0,            /* nothing that was scanned points into it */
	RME_OWNER_INTERIOR = 1,        /* only blocks and stacks do, and not to its start: what was
	                                  there before may have left such words */
	RME_OWNER_FIRST = 2,           /* the first number that may be handed in */
	RME_OWNER_OBJECT = UINT32_MAX, /* it holds an object, whose own size it is in */
	RME_OWNER_COVERED = 1u << 31   /* with the owner's number: in the size of an object */
};

/* Blocks that stand close together, and the first of them on each page. */
struct rme_block_span {
	rme_addr start, end;
	uint64_t first;  /* its first block */
	uint32_t *pages; /* from there, numbers of blocks: one that begins on the page or before */
};

/* What an object's size has in it of the blocks that it leads to. */
struct rme_covered {
	uint64_t bytes;
	bool known; /* there are references to objects in them, or none: they lead to no block */
};

struct rme_blocks {
	struct rme_native_block *items; /* ascending */
	uint64_t n;
	uint32_t *owner; /* of each */
	uint8_t *pointed_into;
	struct rme_guards *guards;
	struct rme_block_span *spans;
	uint64_t n_spans;
	/* of a scan */
	uint32_t *queue; /* blocks that were reached and are not scanned yet */
	uint64_t n_queue;
	uint32_t owner_now;
	struct rme_covered covered; /* of the object that is scanned, what is left */
	rme_addr at, end;
	bool stale;
	const volatile uint32_t *cancel;
};

/* Merges two ascending tables; those that are cached for a thread are left out. False: the
 * arena has no room. */
bool rme_blocks_init(struct rme_blocks *b, const struct rme_native_block *x, uint64_t n_x,
                     const struct rme_native_block *y, uint64_t n_y, struct rme_arena *arena,
                     struct rme_guards *guards);

/* The number of the block that holds the address, or b->n. */
uint64_t rme_blocks_find(const struct rme_blocks *b, rme_addr a);

/* The block holds an object: it belongs to nobody else. */
void rme_blocks_mark_object(struct rme_blocks *b, rme_addr object);

/* The blocks that the words from `start` to `end` point into, and those that these lead to by
 * words that point to their start, become `owner`'s, where they are nobody's yet. With
 * `stale` the words may be what is left of something else: then only the starts of blocks
 * count. Holds its own guards: pages that fault are left out. */
void rme_blocks_scan(struct rme_blocks *b, rme_addr start, rme_addr end, uint32_t owner,
                     struct rme_covered covered, bool stale);

/* After all scans: what was only pointed into becomes RME_OWNER_INTERIOR's, with all that it
 * leads to. */
void rme_blocks_finish(struct rme_blocks *b);

#endif
