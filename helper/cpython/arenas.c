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

typedef void (*arena_fn)(void *arg, rme_addr address, rme_addr end);

/* The pools of an arena up to where it has been used. */
static void read_arena(void *arg, rme_addr address, rme_addr end)
{
	rme_addr pool = (address + POOL_SIZE - 1) & ~(rme_addr)(POOL_SIZE - 1);
	struct rme_arenas *ret = arg;

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

static void each_of(rme_addr state, arena_fn fn, void *arg)
{
	rme_addr arenas = rme_ptr(state + STATE_ARENAS);
	uint64_t n = rme_u32(state + STATE_MAXARENAS);

	for (uint64_t i = 0; arenas && i < n && i < MAX_ARENAS; i++) {
		rme_addr arena = arenas + i * ARENA_OBJECT_SIZE;
		rme_addr address = rme_ptr(arena + ARENA_ADDRESS);
		rme_addr end = address ? rme_ptr(arena + ARENA_POOL_ADDRESS) : 0;
		if (address && end >= address && end <= address + ARENA_SIZE)
			fn(arg, address, end);
	}
}

/* False when their list is not known. */
static bool each(struct rme_python *py, arena_fn fn, void *arg)
{
	const struct rme_layout *l = py->layout;
	struct rme_guard guard;

	if (l->interp_obmalloc == RME_ABSENT || !RME_GUARD(py->guards, &guard))
		return false;
	/* 3.12 has the state in the interpreter, 3.13 a pointer to it. */
	rme_addr state = py->interp + (uint64_t)l->interp_obmalloc;
	if (rme_has_obmalloc_pointer(py))
		state = rme_ptr(state);
	if (state)
		each_of(state, fn, arg);
	rme_guard_pop(py->guards, &guard);
	return true;
}

bool rme_arenas_read(struct rme_python *py, struct rme_arenas *ret)
{
	*ret = (struct rme_arenas){0};
	return each(py, read_arena, ret) && ret->n > 0;
}

struct list {
	struct rme_range *items;
	uint64_t n, max;
};

static void list_arena(void *arg, rme_addr address, rme_addr end)
{
	struct list *list = arg;

	if (list->n < list->max)
		list->items[list->n++] = (struct rme_range){address, end};
}

uint64_t rme_arenas_list(struct rme_python *py, struct rme_range *ret, uint64_t max)
{
	struct list list = {ret, 0, max};

	each(py, list_arena, &list);
	return list.n;
}
