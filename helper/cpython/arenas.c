#include "cpython/arenas.h"

#include "cpython/facts.h"

/* Include/internal/pycore_obmalloc.h, the same since 3.12. */
enum {
	STATE_ARENAS = 512, /* _obmalloc_state: mgmt.arenas, mgmt.maxarenas */
	STATE_MAXARENAS = 520,
	ARENA_ADDRESS = 0, /* struct arena_object */
	ARENA_POOL_ADDRESS = 8,
	ARENA_OBJECT_SIZE = 48,
	ARENA_SIZE = 1 << 20,
	POOL_COUNT = 0, /* struct pool_header */
	POOL_SZIDX = 36,
	POOL_SIZE = 1 << 14,
	ALIGNMENT = 16,
	MAX_SZIDX = 32, /* SMALL_REQUEST_THRESHOLD / ALIGNMENT */
	MAX_ARENAS = 1 << 22
};

/* The pools of an arena up to where it has been used. */
static void read_arena(rme_addr address, rme_addr end, struct rme_arenas *ret)
{
	rme_addr pool = (address + POOL_SIZE - 1) & ~(rme_addr)(POOL_SIZE - 1);

	if (end < address || end > address + ARENA_SIZE)
		return;
	ret->n++;
	ret->bytes += end - address;
	for (; pool + POOL_SIZE <= end; pool += POOL_SIZE) {
		uint64_t count = rme_u32(pool + POOL_COUNT), szidx = rme_u32(pool + POOL_SZIDX);
		uint64_t size = (szidx + 1) * ALIGNMENT;
		if (szidx >= MAX_SZIDX || count * size > POOL_SIZE)
			continue;
		ret->n_blocks += count;
		ret->allocated += count * size;
	}
}

static void read_all(rme_addr state, struct rme_arenas *ret)
{
	rme_addr arenas = rme_ptr(state + STATE_ARENAS);
	uint64_t n = rme_u32(state + STATE_MAXARENAS);

	for (uint64_t i = 0; arenas && i < n && i < MAX_ARENAS; i++) {
		rme_addr arena = arenas + i * ARENA_OBJECT_SIZE;
		if (rme_ptr(arena + ARENA_ADDRESS))
			read_arena(rme_ptr(arena + ARENA_ADDRESS),
			           rme_ptr(arena + ARENA_POOL_ADDRESS), ret);
	}
}

bool rme_arenas_read(struct rme_python *py, struct rme_arenas *ret)
{
	const struct rme_layout *l = py->layout;
	volatile bool known = false;
	struct rme_guard guard;

	*ret = (struct rme_arenas){0};
	if (l->interp_obmalloc == RME_ABSENT || !RME_GUARD(py->guards, &guard))
		return false;
	/* 3.12 has the state in the interpreter, 3.13 a pointer to it. */
	rme_addr state = py->interp + (uint64_t)l->interp_obmalloc;
	if (rme_has_obmalloc_pointer(py))
		state = rme_ptr(state);
	if (state)
		read_all(state, ret);
	known = ret->n > 0;
	rme_guard_pop(py->guards, &guard);
	return known;
}
