#include "native/malloc.h"

#include "native/malloc_arena.h"
#include "native/malloc_cache.h"
#include "runtime/sort.h"

enum { MAX_REGIONS = 1 << 20 };

static int by_start(const void *x, const void *y)
{
	const struct rme_malloc_region *a = x, *b = y;

	return a->start < b->start ? -1 : a->start > b->start;
}

static bool add_block(struct rme_malloc *m, uint64_t max, rme_addr chunk, uint64_t size)
{
	if (m->n_blocks == max) {
		m->exhausted = true;
		return false;
	}
	m->blocks[m->n_blocks++] = (struct rme_native_block){chunk + RME_MALLOC_HEADER, size};
	return true;
}

/* Behind a chunk whose size is damaged: where chunks go on, or the end. What is between is in no
 * figure but the region's. */
static rme_addr behind_damage(struct rme_malloc *m, rme_addr at, rme_addr end)
{
	m->n_damaged++;
	m->damaged = at;
	do
		at += 16;
	while (at < end && !rme_malloc_is_run(at, end));
	return at;
}

/* The chunks of one region: those in use become blocks. What is free is told by the chunk
 * behind it. */
static void walk_region(struct rme_malloc *m, uint64_t max, const struct rme_malloc_region *r)
{
	struct rme_malloc_arena *a = &m->arenas[r->arena];
	rme_addr at = r->start, end = r->top ? r->top : r->end;

	a->walked_bytes += r->start - r->from;
	while (at < end) {
		uint64_t size = rme_malloc_chunk_size(at);
		if (!r->top && size <= RME_MALLOC_HEADER && end - at <= 2 * RME_MALLOC_LEAST) {
			a->walked_bytes += end - at; /* fence posts: another heap follows */
			return;
		}
		if (size < RME_MALLOC_LEAST || size & 15 || size > end - at) {
			at = behind_damage(m, at, end);
			continue;
		}
		a->walked_bytes += size;
		if (rme_u64(at + size + 8) & RME_MALLOC_PREV_INUSE) {
			a->n_used++;
			a->used_bytes += size;
			if (!add_block(m, max, at, size))
				return;
		} else {
			a->n_free++;
			a->free_bytes += size;
		}
		at += size;
	}
	if (r->top) {
		a->top_bytes = r->end - r->top;
		a->walked_bytes += a->top_bytes;
		a->free_bytes += a->top_bytes;
		a->n_free++;
	}
}

/* False: it faulted. */
static bool walk_guarded(struct rme_malloc *m, uint64_t max, const struct rme_malloc_region *r)
{
	struct rme_guard guard;

	if (!RME_GUARD(m->guards, &guard))
		return false;
	if (r->arena == RME_NO_ARENA)
		add_block(m, max, r->start, (r->end - r->start) | r->top);
	else
		walk_region(m, max, r);
	rme_guard_pop(m->guards, &guard);
	return true;
}

static void walk(struct rme_malloc *m)
{
	uint64_t max = rme_arena_left(m->arena) / 4 / sizeof *m->blocks;

	m->blocks = rme_arena_alloc(m->arena, max * sizeof *m->blocks);
	if (!m->blocks)
		max = 0;
	for (uint64_t i = 0; i < m->n_regions; i++)
		if (!walk_guarded(m, max, &m->regions[i])) {
			m->n_damaged++;
			m->damaged = m->regions[i].start;
		}
	if (m->blocks)
		rme_arena_trim(m->arena, m->blocks, m->n_blocks * sizeof *m->blocks);
}

static bool find(struct rme_malloc *m)
{
	struct rme_guard guard;
	volatile bool found = false;

	if (!RME_GUARD(m->guards, &guard))
		return found;
	if (rme_malloc_find_arenas(m)) {
		rme_malloc_find_regions(m);
		found = true;
	}
	rme_guard_pop(m->guards, &guard);
	return found;
}

bool rme_malloc_init(struct rme_malloc *m, const struct rme_mappings *mappings,
                     const struct rme_range *taken, uint64_t n_taken, struct rme_arena *arena,
                     struct rme_guards *guards)
{
	*m = (struct rme_malloc){
	    .mappings = mappings, .arena = arena, .guards = guards, .n_mapped_expected = -1};
	m->regions = rme_arena_alloc(arena, MAX_REGIONS * sizeof *m->regions);
	if (!m->regions || !find(m))
		return false;
	rme_malloc_find_mapped(m, taken, n_taken);
	rme_sort(m->regions, m->n_regions, sizeof *m->regions, by_start);
	walk(m);
	rme_malloc_find_cached(m);
	return true;
}
