/* The helper's own memory: one range of address space, reserved once and handed
 * out from the bottom; pages cost nothing until they are touched. It never calls
 * the system but to give memory back, so it works in a sandbox.
 * Nothing Python-specific here. */
#ifndef RME_RUNTIME_ARENA_H
#define RME_RUNTIME_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct rme_arena {
	uint8_t *base;
	size_t size;
	size_t used;
};

/* Memory of `n` bytes, zeroed, aligned to 16 (to a page from one page on), never
 * given back but by rme_arena_reset; NULL when the reservation is exhausted. */
void *rme_arena_alloc(struct rme_arena *arena, size_t n);

/* Keeps the first `n` bytes of the allocation made last, of which no more was used. */
static inline void rme_arena_trim(struct rme_arena *arena, const void *last, size_t n)
{
	arena->used = (size_t)((const uint8_t *)last - arena->base) + n;
}

/* Gives back all but the first `used` bytes. */
void rme_arena_reset(struct rme_arena *arena, size_t used);

/* What is left, in bytes. */
static inline size_t rme_arena_left(const struct rme_arena *arena)
{
	return arena->size - arena->used;
}

#endif
