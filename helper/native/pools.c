#include "native/pools.h"

enum {
	POOL_COUNT = 0,
	POOL_FREE = 8, /* the first of its free blocks, each of which begins with the next */
	POOL_SZIDX = 36,
	POOL_NEXT_OFFSET = 40, /* what is behind has never been used */
	POOL_HEADER = 48,
	ALIGNMENT = 16,
	MAX_SZIDX = 32
};

/* Marks the free blocks of a pool by number. False: they are not all in it. */
static bool mark_free(rme_addr pool, uint64_t size, uint64_t n, uint8_t *is_free, uint64_t *n_free)
{
	rme_addr at = rme_ptr(pool + POOL_FREE);

	memset(is_free, 0, RME_POOL_SCRATCH);
	for (*n_free = 0; at; at = rme_ptr(at)) {
		uint64_t offset = at - pool - POOL_HEADER, i = offset / size;
		if (at < pool + POOL_HEADER || i >= n || offset % size ||
		    is_free[i / 8] >> (i & 7) & 1)
			return false;
		is_free[i / 8] |= (uint8_t)(1u << (i & 7));
		++*n_free;
	}
	return true;
}

/* False: damaged. */
static bool each_of_pool(rme_addr pool, uint64_t pool_size, uint8_t *is_free, rme_pool_fn fn,
                         void *arg)
{
	uint64_t szidx = rme_u32(pool + POOL_SZIDX), size = (szidx + 1) * ALIGNMENT, n, n_free;
	uint64_t next = rme_u32(pool + POOL_NEXT_OFFSET), count = rme_u32(pool + POOL_COUNT);

	if (!count)
		return true; /* free, or never used */
	if (szidx >= MAX_SZIDX || next > pool_size || next < POOL_HEADER ||
	    (next - POOL_HEADER) % size)
		return false;
	n = (next - POOL_HEADER) / size;
	if (!mark_free(pool, size, n, is_free, &n_free) || n - n_free != count)
		return false;
	for (uint64_t i = 0; i < n; i++)
		if (!(is_free[i / 8] >> (i & 7) & 1))
			fn(arg, pool + POOL_HEADER + i * size, size);
	return true;
}

void rme_pools_each(struct rme_pools *p, struct rme_guards *guards, uint8_t *scratch,
                    rme_pool_fn fn, void *arg)
{
	struct rme_guard guard;

	for (volatile uint64_t i = 0; i < p->n_arenas; i++) {
		rme_addr end = p->arenas[i].end;
		volatile rme_addr pool =
		    (p->arenas[i].start + p->pool_size - 1) & ~(rme_addr)(p->pool_size - 1);
		for (; pool + p->pool_size <= end; pool += p->pool_size) {
			p->n_pools++;
			if (!RME_GUARD(guards, &guard)) {
				p->n_damaged++;
				continue;
			}
			p->n_damaged += !each_of_pool(pool, p->pool_size, scratch, fn, arg);
			rme_guard_pop(guards, &guard);
		}
	}
}

/* struct arena_object. */
enum {
	ARENA_POOL_ADDRESS = 8, /* up to where it has been used */
	ARENA_N_FREE = 16,
	ARENA_N_POOLS = 20,
	ARENA_OBJECT_SIZE = 48,
	ARENA_POOLS = 64,   /* and one less where its memory was not aligned */
	FIRST_OBJECTS = 16, /* INITIAL_ARENA_OBJECTS */
	PAGE = 4096
};

/* Is it one, in use (its address) or not (0)? */
static bool is_arena_object(const struct rme_mappings *mappings, rme_addr at, uint64_t pool_size)
{
	rme_addr address = rme_ptr(at), used = rme_ptr(at + ARENA_POOL_ADDRESS);
	uint32_t n_free = rme_u32(at + ARENA_N_FREE), n = rme_u32(at + ARENA_N_POOLS);

	if (!address)
		return true;
	return !(address & (PAGE - 1)) && (n == ARENA_POOLS || n == ARENA_POOLS - 1) &&
	       n_free <= n && used >= address && used <= address + ARENA_POOLS * pool_size &&
	       rme_mappings_hold(mappings, address, ARENA_POOLS * pool_size);
}

/* The arenas in use of a list (into `ret`, if not NULL); 0: it is none. */
static uint64_t read_list(const struct rme_mappings *mappings, rme_addr list, uint64_t pool_size,
                          struct rme_range *ret, uint64_t max)
{
	const struct rme_vma *vma = rme_mappings_find(mappings, list);
	uint64_t n = 0;

	for (uint64_t i = 0; n < max; i++) {
		rme_addr at = list + i * ARENA_OBJECT_SIZE;
		if (at + ARENA_OBJECT_SIZE > vma->end || !is_arena_object(mappings, at, pool_size))
			return i < FIRST_OBJECTS ? 0 : n;
		if (!rme_ptr(at))
			continue;
		if (ret)
			ret[n] = (struct rme_range){rme_ptr(at), rme_ptr(at + ARENA_POOL_ADDRESS)};
		n++;
	}
	return n;
}

/* The list that a word of the mapping leads to, the longest one: others (usable_arenas,
 * nfp2lasta) point into it. */
static rme_addr find_list(const struct rme_mappings *mappings, const struct rme_vma *vma,
                          uint64_t pool_size, uint64_t max, uint64_t *longest)
{
	rme_addr found = 0;

	for (rme_addr at = vma->start; at + 8 <= vma->end; at += 8) {
		rme_addr list = rme_ptr(at);
		uint64_t n;
		if (list & 15 ||
		    !rme_mappings_hold(mappings, list, FIRST_OBJECTS * ARENA_OBJECT_SIZE))
			continue;
		n = read_list(mappings, list, pool_size, NULL, max);
		if (n > *longest) {
			*longest = n;
			found = list;
		}
	}
	return found;
}

uint64_t rme_pools_find_arenas(const struct rme_mappings *mappings, rme_addr data,
                               uint64_t pool_size, struct rme_guards *guards, struct rme_range *ret,
                               uint64_t max)
{
	const struct rme_vma *vma = rme_mappings_find(mappings, data);
	const struct rme_vma *end = mappings->items + mappings->n;
	volatile uint64_t n = 0;
	struct rme_guard guard;

	if (!vma || !RME_GUARD(guards, &guard))
		return 0;
	rme_addr list = 0;
	uint64_t longest = 0;
	for (const struct rme_vma *v = vma > mappings->items ? vma - 1 : vma;
	     v < end && v <= vma + 1; v++) {
		rme_addr found =
		    rme_mapping_is_data(v) ? find_list(mappings, v, pool_size, max, &longest) : 0;
		if (found)
			list = found;
	}
	if (list)
		n = read_list(mappings, list, pool_size, ret, max);
	rme_guard_pop(guards, &guard);
	return n;
}
