#include "native/malloc_arena.h"

/* struct malloc_state, told from `bins`, which all of it has in common from 2.17 to 2.43:
 * top and last_remainder stand before them, binmap, next, next_free, attached_threads (from
 * 2.23 on) and system_mem behind them. */
enum {
	BINS_BYTES = 254 * 8,
	TOP = -16,
	NEXT = BINS_BYTES + 16,
	SYSTEM_MEM = BINS_BYTES + 40,
	SYSTEM_MEM_OLD = BINS_BYTES + 32, /* to 2.22: no attached_threads */
	STATE_END = BINS_BYTES + 56,
	MIN_EMPTY_BINS = 8, /* of 127: most of those for large chunks are empty */
	MAX_ARENAS = 1 << 14
};

/* struct heap_info: ar_ptr, prev, size, mprotect_size, and from 2.35 pagesize. The arena of
 * a first heap follows it. */
enum { HEAP_PREV = 8, HEAP_SIZE = 16, HEAP_MAX = 64 << 20, MAX_HEAPS = 1 << 20 };

/* struct malloc_par: what stands before sbrk_base, which is where the main arena begins. The
 * numbers are four ints, with one more (hp_flags) before them from 2.35 on. */
enum {
	PAR_MAPPED_BYTES = -16,
	PAR_N_MAPS = -36,
	PAR_N_MAPS_OLD = -32,
	PAR_N_MAPS_MAX = 4, /* from the number of them */
	PAR_MAX_N_MAPS = 8
};

enum {
	PAGE = 4096,
	MAX_REGIONS = 1 << 20,
	RUN = 32 /* chunks one behind another are no accident */
};

/* Where bins may begin in a malloc_state: no fastbins from 2.43 on, have_fastchunks from 2.27. */
static uint32_t bins_offset(int i)
{
	return i == 0 ? 112 : i == 1 ? 104 : 24;
}

enum { N_BINS_OFFSETS = 3 };

static bool is_arena(const struct rme_malloc *m, rme_addr at, uint32_t bins)
{
	rme_addr top;

	if (at & 7 || !rme_mappings_hold(m->mappings, at, bins + STATE_END))
		return false;
	top = rme_ptr(at + bins + TOP);
	return !(top & 7) && rme_mappings_hold(m->mappings, top, RME_MALLOC_HEADER);
}

/* How many arenas are in the ring that begins at the main arena; 0: it is none. */
static uint32_t ring_length(const struct rme_malloc *m, rme_addr main, uint32_t bins)
{
	rme_addr at = main;
	uint32_t n = 0;

	do {
		if (n++ == MAX_ARENAS || !is_arena(m, at, bins))
			return 0;
		at = rme_ptr(at + bins + NEXT);
	} while (at != main);
	return n;
}

/* Bin number `i` of those that begin at `bins` has no chunk: it points to itself, as if it
 * were the chunk whose fd and bk it is. */
static bool is_empty_bin(rme_addr bins, uint32_t i)
{
	rme_addr bin = bins + 16ull * i;

	return rme_ptr(bin) == bin - 16 && rme_ptr(bin + 8) == bin - 16;
}

static bool take_main(struct rme_malloc *m, rme_addr bins)
{
	uint32_t n_empty = 0, n = 0;

	for (uint32_t i = 0; i < BINS_BYTES / 16; i++)
		n_empty += is_empty_bin(bins, i);
	if (n_empty < MIN_EMPTY_BINS)
		return false;
	for (int i = 0; i < N_BINS_OFFSETS && !n; i++) {
		m->bins = bins_offset(i);
		n = ring_length(m, bins - m->bins, m->bins);
	}
	m->arenas = n ? rme_arena_alloc(m->arena, n * sizeof *m->arenas) : NULL;
	if (!m->arenas)
		return false;
	m->n_arenas = n;
	for (uint32_t i = 0; i < n; i++) {
		struct rme_malloc_arena *a = &m->arenas[i];
		a->at = i ? rme_ptr(a[-1].at + m->bins + NEXT) : bins - m->bins;
		a->system_bytes = rme_u64(a->at + m->bins + SYSTEM_MEM);
		if (!a->system_bytes || a->system_bytes & (PAGE - 1))
			a->system_bytes = rme_u64(a->at + m->bins + SYSTEM_MEM_OLD);
	}
	return true;
}

/* The first bin of `at`, an empty one, may be any of the 127. */
static bool find_main_around(struct rme_malloc *m, rme_addr at)
{
	for (uint32_t i = 0; i < BINS_BYTES / 16; i++) {
		rme_addr bins = at - 16ull * i;
		if (rme_mappings_hold(m->mappings, bins - 128, 128 + STATE_END) &&
		    take_main(m, bins))
			return true;
	}
	return false;
}

/* Is the mapping the data of a file, or what follows it and begins as zeros (.bss)? */
static bool is_data_of_file(const struct rme_mappings *all, uint64_t i)
{
	const struct rme_vma *m = &all->items[i];

	if (!rme_mapping_is_data(m) || m->flags & RME_VMA_SHARED)
		return false;
	return m->flags & RME_VMA_FILE ||
	       (i && all->items[i - 1].end == m->start && all->items[i - 1].flags & RME_VMA_FILE);
}

bool rme_malloc_find_arenas(struct rme_malloc *m)
{
	for (uint64_t i = 0; i < m->mappings->n; i++) {
		const struct rme_vma *mapping = &m->mappings->items[i];
		if (!is_data_of_file(m->mappings, i))
			continue;
		for (rme_addr at = mapping->start; at + 16 <= mapping->end; at += 8) {
			if (rme_ptr(at) != at - 16 || rme_ptr(at + 8) != at - 16)
				continue;
			if (find_main_around(m, at))
				return true;
			at += BINS_BYTES; /* of bins that are no main arena's */
		}
	}
	return false;
}

static void add_region(struct rme_malloc *m, struct rme_malloc_region region)
{
	if (m->n_regions < MAX_REGIONS)
		m->regions[m->n_regions++] = region;
	else
		m->exhausted = true;
}

static rme_addr align(rme_addr a)
{
	return (a + 15) & ~15ull;
}

bool rme_malloc_is_run(rme_addr at, rme_addr end)
{
	for (int i = 0; i < RUN && at < end; i++) {
		uint64_t size = rme_malloc_chunk_size(at);
		if (size < RME_MALLOC_LEAST || size & 15 || size > end - at)
			return false;
		at += size;
	}
	return true;
}

/* The main arena has the program's break: from a mapping's start, or within its first page
 * where the break was no boundary. */
static void add_main_region(struct rme_malloc *m)
{
	rme_addr top = rme_ptr(m->arenas[0].at + m->bins + TOP);
	const struct rme_vma *mapping = rme_mappings_find(m->mappings, top);
	rme_addr end = top + rme_malloc_chunk_size(top);

	if (!mapping || end > mapping->end || end <= top)
		return;
	for (rme_addr start = mapping->start; start < mapping->start + PAGE && start < top;
	     start += 16)
		if (rme_malloc_is_run(start, top)) {
			add_region(m, (struct rme_malloc_region){start, start, end, top, 0});
			return;
		}
	m->n_damaged++;
	m->damaged = top;
}

/* The others have heaps, aligned to their greatest size, the newest first. */
static void add_heaps(struct rme_malloc *m, uint32_t number)
{
	rme_addr arena = m->arenas[number].at, top = rme_ptr(arena + m->bins + TOP);
	rme_addr first = arena & ~(rme_addr)(HEAP_MAX - 1);
	rme_addr heap = top & ~(rme_addr)(HEAP_MAX - 1);

	for (int i = 0; i < MAX_HEAPS && heap; i++) {
		uint64_t size;
		if (!rme_mappings_hold(m->mappings, heap, 32) || rme_ptr(heap) != arena)
			break;
		size = rme_u64(heap + HEAP_SIZE);
		if (size > HEAP_MAX || !rme_mappings_hold(m->mappings, heap, size))
			break;
		rme_addr start =
		    heap == first ? align(arena + m->bins + STATE_END) : heap + (arena - first);
		add_region(
		    m, (struct rme_malloc_region){heap, start, heap + size, i ? 0 : top, number});
		if (heap == first)
			return;
		heap = rme_ptr(heap + HEAP_PREV);
	}
	m->n_damaged++;
	m->damaged = arena;
}

void rme_malloc_find_regions(struct rme_malloc *m)
{
	add_main_region(m);
	for (uint32_t i = 1; i < m->n_arenas; i++)
		add_heaps(m, i);
}

/* Are these the counters of mappings: how many there are, may be, and have been at most? */
static bool is_count(rme_addr at, uint64_t bytes)
{
	uint32_t n = rme_u32(at), max = rme_u32(at + PAR_N_MAPS_MAX);

	return n <= max && n <= rme_u32(at + PAR_MAX_N_MAPS) && !n == !bytes && n <= bytes / PAGE;
}

/* How many mappings malloc says that it has made, and of how many bytes; -1: not known. */
static int64_t count_of_mapped(const struct rme_malloc *m, uint64_t *bytes)
{
	const struct rme_vma *data = rme_mappings_find(m->mappings, m->arenas[0].at);
	const struct rme_vma *first = m->mappings->items, *last = first + m->mappings->n;
	rme_addr base = m->n_regions ? m->regions[0].start : 0;

	if (!data || !base || m->regions[0].arena)
		return -1;
	/* The parameters are initialised data as the main arena is, or lie in the mapping beside
	 * it. */
	for (const struct rme_vma *d = data > first ? data - 1 : data; d < last && d <= data + 1;
	     d++) {
		if (!rme_mapping_is_data(d))
			continue;
		for (rme_addr at = d->start + 64; at + 8 <= d->end; at += 8) {
			if (rme_ptr(at) != base)
				continue;
			*bytes = rme_u64(at + PAR_MAPPED_BYTES);
			if (*bytes & (PAGE - 1))
				continue;
			if (is_count(at + PAR_N_MAPS, *bytes))
				return rme_u32(at + PAR_N_MAPS);
			if (is_count(at + PAR_N_MAPS_OLD, *bytes))
				return rme_u32(at + PAR_N_MAPS_OLD);
		}
	}
	return -1;
}

/* A chunk that is a mapping of its own: its size, or 0. Its first word is how far it stands
 * behind the mapping's start (memalign). */
static uint64_t mapped_size(rme_addr chunk, rme_addr limit, uint64_t *flags)
{
	uint64_t before = rme_u64(chunk), word = rme_u64(chunk + 8), size = word & ~7ull;
	uint64_t whole = size;

	before &= ~7ull; /* 2.42: a flag of huge pages */
	if ((word & 7) != RME_MALLOC_IS_MAPPED || (chunk - before) & (PAGE - 1))
		return 0;
	*flags = RME_BLOCK_MAPPED;
	if ((size + before) & (PAGE - 1))
		whole += RME_MALLOC_HEADER; /* 2.43: the size is less by that */
	else
		*flags |= RME_BLOCK_HEADED;
	if ((whole + before) & (PAGE - 1) || size < RME_MALLOC_LEAST || whole > limit - chunk)
		return 0;
	return size;
}

static bool is_taken(const struct rme_malloc *m, const struct rme_range *taken, uint64_t n_taken,
                     rme_addr page, rme_addr *end)
{
	uint64_t low = 0, high = n_taken;

	for (uint64_t i = 0; i < m->n_regions; i++)
		if (m->regions[i].arena != RME_NO_ARENA && page < m->regions[i].end &&
		    page + PAGE > m->regions[i].start) {
			*end = (m->regions[i].end + PAGE - 1) & ~(rme_addr)(PAGE - 1);
			return true;
		}
	while (low < high) {
		uint64_t middle = (low + high) / 2;
		if (taken[middle].end <= page)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < n_taken && taken[low].start <= page) {
		*end = (taken[low].end + PAGE - 1) & ~(rme_addr)(PAGE - 1);
		return true;
	}
	return false;
}

/* The chunk whose mapping begins with the page; 0: none does. One that was aligned stands before
 * that boundary, and the head of the first one, at the page's start, is left as it was. */
static rme_addr chunk_of_mapping(rme_addr page, rme_addr limit, uint64_t *size, uint64_t *flags)
{
	uint64_t whole = mapped_size(page, limit, flags), whole_flags = *flags;
	uint64_t reach = whole ? whole : PAGE;

	for (uint64_t alignment = 32; alignment <= reach; alignment *= 2) {
		rme_addr chunk = page + alignment - RME_MALLOC_HEADER;
		*size = mapped_size(chunk, limit, flags);
		if (*size && (rme_u64(chunk) & ~7ull) == chunk - page)
			return chunk;
	}
	*size = whole;
	*flags = whole_flags;
	return whole && !(rme_u64(page) & ~7ull) ? page : 0;
}

/* Where the search is: what faults is a page without memory, such as the guard page of a
 * stack (from 2.42 on within its mapping). */
struct search {
	struct rme_malloc *m;
	const struct rme_range *taken;
	uint64_t n_taken;
	uint64_t mapping;
	rme_addr page; /* 0: the mapping's first */
};

static bool is_wanted(const struct rme_vma *m)
{
	return rme_mapping_is_anonymous(m) && !(m->flags & RME_VMA_STACK);
}

static bool found_all(const struct rme_malloc *m)
{
	return m->n_mapped_expected >= 0 && m->n_mapped >= (uint64_t)m->n_mapped_expected;
}

static void search_mapping(struct search *s, const struct rme_vma *mapping)
{
	while (s->page < mapping->end && !found_all(s->m)) {
		uint64_t size, flags;
		rme_addr page = s->page, next = page + PAGE, chunk;
		RME_STORE(s->page, next);
		if (is_taken(s->m, s->taken, s->n_taken, page, &next)) {
			RME_STORE(s->page, next);
			continue;
		}
		chunk = chunk_of_mapping(page, mapping->end, &size, &flags);
		if (!chunk)
			continue;
		add_region(s->m, (struct rme_malloc_region){chunk, chunk, chunk + size, flags,
		                                            RME_NO_ARENA});
		s->m->n_mapped++;
		s->m->mapped_bytes += size;
		RME_STORE(s->page, (chunk + size + PAGE - 1) & ~(rme_addr)(PAGE - 1));
	}
}

void rme_malloc_find_mapped(struct rme_malloc *m, const struct rme_range *taken, uint64_t n_taken)
{
	struct search s = {.m = m, .taken = taken, .n_taken = n_taken};
	struct rme_guard guard;
	uint64_t bytes = 0;

	m->n_mapped_expected = -1;
	if (RME_GUARD(m->guards, &guard)) {
		m->n_mapped_expected = count_of_mapped(m, &bytes);
		rme_guard_pop(m->guards, &guard);
	}
	while (s.mapping < m->mappings->n) {
		const struct rme_vma *mapping = &m->mappings->items[s.mapping];
		if (s.page < mapping->start)
			s.page = mapping->start;
		if (is_wanted(mapping) && s.page < mapping->end && !found_all(m)) {
			if (!RME_GUARD(m->guards, &guard))
				continue; /* with the page behind the one that faulted */
			search_mapping(&s, mapping);
			rme_guard_pop(m->guards, &guard);
		}
		s.mapping++;
	}
}
