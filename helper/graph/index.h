/* Dense numbers for addresses: the n-th lowest address of a visited set is number n.
 * A number is a sum plus the bits set below, so this takes a bit and half a bit per 16
 * bytes of heap and nothing per node. Knows no CPython. */
#ifndef RME_GRAPH_INDEX_H
#define RME_GRAPH_INDEX_H

#include "graph/csr.h"
#include "graph/visited.h"

struct rme_index {
	struct rme_arena *arena;
	const struct rme_visited *visited;
	struct rme_visited odd; /* those that are not multiples of 16 */
	uint64_t *present;      /* a bit per chunk that may hold a node */
	uint32_t **ranks;       /* by address >> RME_CHUNK_SHIFT: nodes before each word */
	uint32_t *numbers;      /* of the chunks that hold nodes, ascending */
	uint64_t n_chunks;
	uint32_t n; /* nodes */
};

/* While the set grows: rme_index_note for each of its addresses; then
 * rme_index_build, and the set stays as it is. False when the arena has no room;
 * build also when there are 2^32 - 2 nodes or more. */
bool rme_index_init(struct rme_index *x, const struct rme_visited *visited,
                    struct rme_arena *arena);
bool rme_index_build(struct rme_index *x);

static inline void rme_index_note(struct rme_index *x, rme_addr a)
{
	uint64_t chunk = a >> RME_CHUNK_SHIFT;

	x->present[chunk >> 6] |= 1ull << (chunk & 63);
	if (__builtin_expect(a & 8, 0))
		rme_visited_add(&x->odd, a);
}

static inline uint32_t rme_popcount(uint64_t x)
{
	/* The builtin would call a library where the CPU may lack the instruction. */
	x -= x >> 1 & 0x5555555555555555ull;
	x = (x & 0x3333333333333333ull) + (x >> 2 & 0x3333333333333333ull);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return (uint32_t)(x * 0x0101010101010101ull >> 56);
}

/* The number of an address, RME_NO_NODE when it is not in the set. */
static inline uint32_t rme_index_node(const struct rme_index *x, rme_addr a)
{
	uint64_t bit = a >> 4 & (RME_CHUNK_WORDS * 64 - 1), mask = 1ull << (bit & 63);

	if (__builtin_expect(a >> RME_ADDRESS_BITS || a & 7, 0))
		return RME_NO_NODE;
	const uint64_t *chunk = x->visited->directory[a >> RME_CHUNK_SHIFT];
	const uint32_t *ranks = x->ranks[a >> RME_CHUNK_SHIFT];
	if (__builtin_expect(!chunk || !ranks || !(chunk[bit >> 6] & mask), 0))
		return RME_NO_NODE;
	return ranks[bit >> 6] + rme_popcount(chunk[bit >> 6] & (mask - 1));
}

/* The address of a node. */
rme_addr rme_index_address(const struct rme_index *x, uint32_t node);

/* All nodes in ascending order: start with a zeroed iterator. */
struct rme_index_iter {
	uint64_t chunk; /* which of numbers; the word before `word` is in `bits` */
	uint64_t word;
	uint64_t bits;
};
bool rme_index_next(const struct rme_index *x, struct rme_index_iter *it, rme_addr *ret);

#endif
