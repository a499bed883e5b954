/* The visited set: one bit per 16 bytes of address space. Two objects never start
 * within 16 bytes of each other, since each takes at least that much. Two threads may
 * share one (`shared`). Knows no CPython. */
#ifndef RME_GRAPH_VISITED_H
#define RME_GRAPH_VISITED_H

#include "runtime/arena.h"
#include "runtime/memory.h"

#define RME_CHUNK_SHIFT 22 /* 4 MiB of addresses per bitmap: 32 KiB */
#define RME_CHUNK_WORDS (1ul << (RME_CHUNK_SHIFT - 4 - 6))
#define RME_LOG_MAX     (1ul << 16)

struct rme_visited {
	struct rme_arena *arena;
	uint64_t **directory; /* by address >> RME_CHUNK_SHIFT, sparse */
	uint64_t **chunks;    /* those that exist, to clear them */
	uint64_t n_chunks;
	uint64_t max_chunks;
	uint64_t n_log; /* bits set since the last clear; max_log: too many */
	rme_addr *log;  /* of the arena */
	uint64_t max_log;
	uint64_t *spare; /* a chunk that the other thread turned out to have made */
	bool shared;
	bool failed; /* the arena was exhausted: an address was taken as visited */
};

/* False when the arena has no room for the directory. */
bool rme_visited_init(struct rme_visited *v, struct rme_arena *arena);

/* Takes out what was added since the last clear, as cheaply as it came in. True when
 * that was so much that the marks are gone as well. */
bool rme_visited_clear(struct rme_visited *v);

/* A second view of a set, for another thread: with an arena, and so a list of chunks, of its
 * own. While both are used (from rme_visited_share on), neither keeps a log. False when the
 * arena has no room. */
bool rme_visited_view_init(struct rme_visited *second, struct rme_arena *arena);
void rme_visited_share(struct rme_visited *first, struct rme_visited *second);
/* Then the first has it alone again. */
void rme_visited_unshare(struct rme_visited *first, const struct rme_visited *second);

/* Adds an address that survives rme_visited_clear, unless that says otherwise. */
void rme_visited_mark(struct rme_visited *v, rme_addr a);

uint64_t *rme_visited_chunk(struct rme_visited *v, uint64_t index) __attribute__((cold));

static inline bool rme_visited_has(const struct rme_visited *v, rme_addr a)
{
	const uint64_t *chunk = v->directory[a >> RME_CHUNK_SHIFT];
	uint64_t bit = a >> 4 & (RME_CHUNK_WORDS * 64 - 1);

	return chunk && chunk[bit >> 6] >> (bit & 63) & 1;
}

/* True when the address was not in the set yet. It must be below 2^47. */
static inline bool rme_visited_add(struct rme_visited *v, rme_addr a)
{
	uint64_t *chunk = __atomic_load_n(&v->directory[a >> RME_CHUNK_SHIFT], __ATOMIC_ACQUIRE);
	uint64_t bit = a >> 4 & (RME_CHUNK_WORDS * 64 - 1), mask = 1ull << (bit & 63), *word;

	if (__builtin_expect(!chunk, 0)) {
		chunk = rme_visited_chunk(v, a >> RME_CHUNK_SHIFT);
		if (!chunk)
			return false;
	}
	word = &chunk[bit >> 6];
	if (__atomic_load_n(word, __ATOMIC_RELAXED) & mask)
		return false;
	if (v->shared)
		return !(__atomic_fetch_or(word, mask, __ATOMIC_RELAXED) & mask);
	*word |= mask;
	if (v->n_log < v->max_log)
		v->log[v->n_log++] = a;
	return true;
}

static inline void rme_visited_remove(struct rme_visited *v, rme_addr a)
{
	uint64_t *chunk = v->directory[a >> RME_CHUNK_SHIFT];
	uint64_t bit = a >> 4 & (RME_CHUNK_WORDS * 64 - 1);

	if (chunk)
		chunk[bit >> 6] &= ~(1ull << (bit & 63));
}

#endif
