#include "runtime/arena.h"

#include "runtime/sys.h"

void *rme_arena_alloc(struct rme_arena *arena, size_t n)
{
	size_t align = n >= RME_PAGE ? RME_PAGE : 16;
	size_t start = (arena->used + align - 1) & ~(align - 1);

	if (start > arena->size || n > arena->size - start)
		return NULL;
	arena->used = start + n;
	return arena->base + start;
}
