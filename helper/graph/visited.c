#include "graph/visited.h"

#include "runtime/sys.h"

bool rme_visited_init(struct rme_visited *v, struct rme_arena *arena)
{
	uint64_t n_slots = 1ull << (RME_ADDRESS_BITS - RME_CHUNK_SHIFT);

	v->arena = arena;
	v->n_chunks = v->n_log = 0;
	v->spare = NULL;
	v->failed = v->shared = false;
	v->directory = rme_arena_alloc(arena, n_slots * sizeof *v->directory);
	v->max_log = RME_LOG_MAX;
	v->log = rme_arena_alloc(arena, v->max_log * sizeof *v->log);
	/* Address space for as many chunks as the arena could ever hold. */
	v->max_chunks = rme_arena_left(arena) / (RME_CHUNK_WORDS * 8);
	v->chunks = rme_arena_alloc(arena, v->max_chunks * sizeof *v->chunks);
	return v->directory && v->chunks && v->log;
}

uint64_t *rme_visited_chunk(struct rme_visited *v, uint64_t index)
{
	uint64_t *chunk = v->spare, *theirs = NULL;

	v->spare = NULL;
	if (!chunk && v->n_chunks < v->max_chunks)
		chunk = rme_arena_alloc(v->arena, RME_CHUNK_WORDS * 8);
	if (!chunk) {
		v->failed = true;
		return NULL;
	}
	/* A bit is read before it is set: reading first would map the kernel's page of zeros, and
	 * writing then costs a second fault and, with two threads, an interrupt of the other. */
	for (size_t at = 0; at < RME_CHUNK_WORDS; at += RME_PAGE / sizeof *chunk)
		((volatile uint64_t *)chunk)[at] = 0;
	if (!__atomic_compare_exchange_n(&v->directory[index], &theirs, chunk, false,
	                                 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		v->spare = chunk;
		return theirs;
	}
	v->chunks[v->n_chunks++] = chunk;
	return chunk;
}

bool rme_visited_view_init(struct rme_visited *second, struct rme_arena *arena)
{
	*second = (struct rme_visited){.arena = arena, .shared = true};
	second->max_chunks = rme_arena_left(arena) / 2 / sizeof(uint64_t *) / RME_CHUNK_WORDS;
	second->chunks = rme_arena_alloc(arena, second->max_chunks * sizeof *second->chunks);
	return second->chunks;
}

void rme_visited_share(struct rme_visited *first, struct rme_visited *second)
{
	second->directory = first->directory;
	second->n_chunks = 0;
	second->failed = false;
	first->shared = true;
}

void rme_visited_unshare(struct rme_visited *first, const struct rme_visited *second)
{
	first->shared = false;
	first->failed |= second->failed;
	first->n_log = first->max_log;
	/* Clearing goes through the list of chunks. */
	for (uint64_t i = 0; i < second->n_chunks; i++) {
		if (first->n_chunks == first->max_chunks)
			first->failed = true;
		else
			first->chunks[first->n_chunks++] = second->chunks[i];
	}
}

bool rme_visited_clear(struct rme_visited *v)
{
	bool wiped = v->n_log == v->max_log;

	if (!wiped) {
		for (uint64_t i = 0; i < v->n_log; i++)
			rme_visited_remove(v, v->log[i]);
	} else {
		for (uint64_t i = 0; i < v->n_chunks; i++)
			memset(v->chunks[i], 0, RME_CHUNK_WORDS * 8);
	}
	v->n_log = 0;
	return wiped;
}

void rme_visited_mark(struct rme_visited *v, rme_addr a)
{
	uint64_t n_log = v->n_log;

	if (rme_visited_add(v, a))
		v->n_log = n_log;
}
