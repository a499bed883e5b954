#include "runtime/arena.h"

#include "runtime/memory.h"
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

void rme_arena_reset(struct rme_arena *arena, size_t used)
{
	size_t whole = (used + RME_PAGE - 1) & ~(RME_PAGE - 1);

	if (arena->used > used)
		memset(arena->base + used, 0, (whole < arena->used ? whole : arena->used) - used);
	if (arena->used > whole)
		rme_sys_forget(arena->base + whole, arena->used - whole + RME_PAGE - 1);
	arena->used = used;
}
