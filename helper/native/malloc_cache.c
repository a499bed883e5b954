#include "native/malloc_cache.h"

#include "native/malloc_arena.h"

enum {
	FASTBINS = 96, /* before the bins: ten of them, top, last_remainder */
	N_FASTBINS = 10,
	N_SMALL = 64, /* lists of a thread's cache that hold one size each: 32, 48, … */
	MAX_LINKS = 1 << 20
};

/* struct tcache_perthread_struct: numbers, then lists. It is a block itself, by whose size its
 * form is told: one byte for a number from 2.26 on, two from 2.30, 76 lists from 2.42. */
struct cache_form {
	uint32_t n_lists, lists; /* how many, and where the first is */
};

static bool form_of(uint64_t chunk, struct cache_form *ret)
{
	/* A chunk may have 16 bytes more than it must: no chunk could be made of them. */
	switch (chunk) {
	case 0x250:
	case 0x260:
		*ret = (struct cache_form){64, 64};
		return true;
	case 0x290:
	case 0x2a0:
		*ret = (struct cache_form){64, 128};
		return true;
	case 0x300:
	case 0x310:
		*ret = (struct cache_form){76, 152};
		return true;
	default:
		return false;
	}
}

static struct rme_native_block *block_at(struct rme_malloc *m, rme_addr at)
{
	struct rme_native_block *b = (struct rme_native_block *)rme_malloc_find(m, at);

	return b && b->at == at ? b : NULL;
}

/* The next of a list: as it is, or from 2.32 on mixed with where it stands. */
static rme_addr next_of(rme_addr place, bool mixed)
{
	rme_addr word = rme_ptr(place);

	return mixed ? word ^ place >> 12 : word;
}

/* Is it a list of blocks of that size (0: of any)? `from_user`: links are what malloc returned,
 * as in a cache; else chunks, as in a fastbin. Marks them when `mark`. */
static bool follow(struct rme_malloc *m, rme_addr first, uint64_t size, bool from_user, bool mixed,
                   bool mark)
{
	rme_addr at = first;

	for (int i = 0; at && i < MAX_LINKS; i++) {
		rme_addr user = from_user ? at : at + RME_MALLOC_HEADER;
		struct rme_native_block *b = block_at(m, user);
		if (!b || (size && rme_block_chunk(b) != size))
			return false;
		if (mark) {
			if (b->size & RME_BLOCK_CACHED)
				return true; /* a ring, or a list that was looked at */
			b->size |= RME_BLOCK_CACHED;
		}
		at = next_of(user, mixed);
	}
	return !at;
}

/* Marks a list where it is sound, mixed or not. */
static void mark_list(struct rme_malloc *m, rme_addr first, uint64_t size, bool from_user)
{
	for (int mixed = 1; mixed >= 0; mixed--)
		if (follow(m, first, size, from_user, mixed, false)) {
			follow(m, first, size, from_user, mixed, true);
			return;
		}
}

/* Is the block a thread's cache? Each of its lists must be of blocks of its size. */
static bool is_cache(struct rme_malloc *m, rme_addr at, const struct cache_form *form)
{
	bool any = false;

	for (uint32_t i = 0; i < form->n_lists; i++) {
		rme_addr first = rme_ptr(at + form->lists + 8ull * i);
		const struct rme_native_block *b = first ? block_at(m, first) : NULL;
		if (!first)
			continue;
		if (!b || (i < N_SMALL && rme_block_chunk(b) != RME_MALLOC_LEAST + 16ull * i))
			return false;
		any = true;
	}
	return any;
}

static void mark_cache(struct rme_malloc *m, rme_addr at, const struct cache_form *form)
{
	for (uint32_t i = 0; i < form->n_lists; i++) {
		rme_addr first = rme_ptr(at + form->lists + 8ull * i);
		if (first)
			mark_list(m, first, i < N_SMALL ? RME_MALLOC_LEAST + 16ull * i : 0, true);
	}
}

static void mark_caches(struct rme_malloc *m)
{
	struct cache_form form;
	struct rme_guard guard;

	for (volatile uint64_t i = 0; i < m->n_blocks; i++) {
		const struct rme_native_block *b = &m->blocks[i];
		if (!form_of(rme_block_chunk(b), &form) || !RME_GUARD(m->guards, &guard))
			continue;
		if (is_cache(m, m->blocks[i].at, &form))
			mark_cache(m, m->blocks[i].at, &form);
		rme_guard_pop(m->guards, &guard);
	}
}

static void mark_fastbins(struct rme_malloc *m)
{
	struct rme_guard guard;

	if (m->bins < FASTBINS)
		return; /* 2.43: there are none */
	for (volatile uint32_t i = 0; i < m->n_arenas; i++) {
		if (!RME_GUARD(m->guards, &guard))
			continue;
		for (uint32_t k = 0; k < N_FASTBINS; k++) {
			rme_addr first = rme_ptr(m->arenas[i].at + m->bins - FASTBINS + 8ull * k);
			if (first)
				mark_list(m, first, RME_MALLOC_LEAST + 16ull * k, false);
		}
		rme_guard_pop(m->guards, &guard);
	}
}

/* Takes the marked ones off what is in use, arena by arena. */
static void count(struct rme_malloc *m)
{
	uint64_t r = 0;

	for (uint64_t i = 0; i < m->n_blocks; i++) {
		const struct rme_native_block *b = &m->blocks[i];
		while (r + 1 < m->n_regions && m->regions[r].end <= b->at)
			r++;
		if (!(b->size & RME_BLOCK_CACHED) || m->regions[r].arena == RME_NO_ARENA)
			continue;
		struct rme_malloc_arena *a = &m->arenas[m->regions[r].arena];
		a->n_used--;
		a->used_bytes -= rme_block_chunk(b);
		a->n_cached++;
		a->cached_bytes += rme_block_chunk(b);
	}
}

void rme_malloc_find_cached(struct rme_malloc *m)
{
	mark_caches(m);
	mark_fastbins(m);
	count(m);
}
