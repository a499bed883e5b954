#include "native/blocks.h"

enum {
	PAGE_SHIFT = 12,
	PAGE = 1 << PAGE_SHIFT,
	GAP = 1 << 20, /* between blocks of one span, at most */
	SLACK = 24     /* an allocator gives so much more than was asked for; of mappings a page */
};

static void merge(struct rme_blocks *b, const struct rme_native_block *x, uint64_t n_x,
                  const struct rme_native_block *y, uint64_t n_y)
{
	uint64_t i = 0, k = 0;

	while (i < n_x || k < n_y) {
		const struct rme_native_block *next =
		    k == n_y || (i < n_x && x[i].at < y[k].at) ? &x[i++] : &y[k++];
		if (!(next->size & RME_BLOCK_CACHED))
			b->items[b->n++] = *next;
	}
}

static bool is_far(const struct rme_blocks *b, uint64_t i)
{
	return b->items[i].at - b->items[i - 1].at > rme_block_chunk(&b->items[i - 1]) + GAP;
}

/* For each page of the span, the last block that begins before it ends, or on it. */
static bool number_pages(const struct rme_blocks *b, struct rme_block_span *s, uint64_t n,
                         struct rme_arena *arena)
{
	uint64_t n_pages = ((s->end - s->start) >> PAGE_SHIFT) + 1, page = 0;

	s->pages = rme_arena_alloc(arena, (n_pages + 1) * sizeof *s->pages);
	if (!s->pages)
		return false;
	for (uint64_t i = 0; i < n; i++) {
		uint64_t of = (b->items[s->first + i].at - s->start) >> PAGE_SHIFT;
		while (page <= of)
			s->pages[page++] = (uint32_t)(i ? i - 1 : 0);
	}
	while (page <= n_pages)
		s->pages[page++] = (uint32_t)(n - 1);
	return true;
}

static bool find_spans(struct rme_blocks *b, struct rme_arena *arena)
{
	uint64_t n = 1, from = 0;

	for (uint64_t i = 1; i < b->n; i++)
		n += is_far(b, i);
	b->spans = rme_arena_alloc(arena, n * sizeof *b->spans);
	if (!b->spans)
		return false;
	for (uint64_t i = 1; i <= b->n; i++) {
		struct rme_block_span *s = &b->spans[b->n_spans];
		if (i < b->n && !is_far(b, i))
			continue;
		*s = (struct rme_block_span){
		    b->items[from].at & ~(rme_addr)(PAGE - 1),
		    b->items[i - 1].at + rme_block_usable(&b->items[i - 1]), from, NULL};
		b->n_spans++;
		if (!number_pages(b, s, i - from, arena))
			return false;
		from = i;
	}
	return true;
}

bool rme_blocks_init(struct rme_blocks *b, const struct rme_native_block *x, uint64_t n_x,
                     const struct rme_native_block *y, uint64_t n_y, struct rme_arena *arena,
                     struct rme_guards *guards)
{
	uint64_t n = n_x + n_y;

	*b = (struct rme_blocks){.guards = guards};
	b->items = rme_arena_alloc(arena, (n + 1) * sizeof *b->items);
	b->owner = rme_arena_alloc(arena, (n + 1) * sizeof *b->owner);
	b->queue = rme_arena_alloc(arena, (n + 1) * sizeof *b->queue);
	b->pointed_into = rme_arena_alloc(arena, n + 1);
	if (!b->items || !b->owner || !b->queue || !b->pointed_into || n >= RME_OWNER_COVERED)
		return false;
	merge(b, x, n_x, y, n_y);
	return !b->n || find_spans(b, arena);
}

uint64_t rme_blocks_find(const struct rme_blocks *b, rme_addr a)
{
	uint64_t low = 0, high = b->n_spans;

	while (low < high) {
		uint64_t middle = (low + high) / 2;
		if (b->spans[middle].end <= a)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == b->n_spans || b->spans[low].start > a)
		return b->n;
	const struct rme_block_span *s = &b->spans[low];
	uint64_t page = (a - s->start) >> PAGE_SHIFT;
	const struct rme_native_block *items = b->items + s->first;
	/* The last block that begins at the address or before. */
	low = s->pages[page];
	high = s->pages[page + 1] + 1;
	while (high < b->n - s->first && items[high].at <= a && items[high].at < s->end)
		high++;
	while (high - low > 1) {
		uint64_t middle = (low + high) / 2;
		if (items[middle].at <= a)
			low = middle;
		else
			high = middle;
	}
	return a - items[low].at < rme_block_usable(&items[low]) ? s->first + low : b->n;
}

void rme_blocks_mark_object(struct rme_blocks *b, rme_addr object)
{
	uint64_t i = rme_blocks_find(b, object);

	if (i < b->n)
		b->owner[i] = RME_OWNER_OBJECT;
}

/* Is the block among what an object's size has in it already? */
static bool is_covered(struct rme_blocks *b, const struct rme_native_block *block)
{
	uint64_t usable = rme_block_usable(block);
	uint64_t slack = block->size & RME_BLOCK_MAPPED ? PAGE + 16 : SLACK;

	if (usable > b->covered.bytes + slack || !b->covered.bytes)
		return false;
	b->covered.bytes -= usable < b->covered.bytes ? usable : b->covered.bytes;
	return true;
}

static void reach(struct rme_blocks *b, rme_addr word)
{
	uint64_t i = rme_blocks_find(b, word);
	bool covered;

	if (i == b->n || b->owner[i])
		return;
	if (b->stale && b->items[i].at != word) {
		b->pointed_into[i] = 1;
		return;
	}
	covered = is_covered(b, &b->items[i]);
	b->owner[i] = b->owner_now | (covered ? RME_OWNER_COVERED : 0);
	if (!covered || !b->covered.known)
		b->queue[b->n_queue++] = (uint32_t)i;
}

static void scan_words(struct rme_blocks *b)
{
	const rme_addr low = b->n ? b->items[0].at : 0;
	const rme_addr high =
	    b->n ? b->items[b->n - 1].at + rme_block_usable(&b->items[b->n - 1]) : 0;

	while (b->at < b->end) {
		rme_addr word = rme_ptr(b->at);
		RME_STORE(b->at, b->at + 8);
		if (word >= low && word < high)
			reach(b, word);
	}
}

/* A page that faults is left out. */
static void scan_range(struct rme_blocks *b, rme_addr start, rme_addr end)
{
	struct rme_guard guard;

	b->at = (start + 7) & ~7ull;
	b->end = end & ~7ull;
	while (b->at < b->end && !(b->cancel && *b->cancel)) {
		if (!RME_GUARD(b->guards, &guard)) {
			b->at = (b->at & ~(rme_addr)(PAGE - 1)) + PAGE;
			continue;
		}
		scan_words(b);
		rme_guard_pop(b->guards, &guard);
	}
}

static void scan_queue(struct rme_blocks *b)
{
	while (b->n_queue) {
		const struct rme_native_block *block = &b->items[b->queue[--b->n_queue]];
		scan_range(b, block->at, block->at + rme_block_usable(block));
	}
}

void rme_blocks_scan(struct rme_blocks *b, rme_addr start, rme_addr end, uint32_t owner,
                     struct rme_covered covered, bool stale)
{
	b->owner_now = owner;
	b->covered = covered;
	b->stale = stale;
	scan_range(b, start, end);
	b->stale = true;
	scan_queue(b);
}

void rme_blocks_finish(struct rme_blocks *b)
{
	b->owner_now = RME_OWNER_INTERIOR;
	b->covered = (struct rme_covered){0};
	b->stale = false;
	for (uint64_t i = 0; i < b->n; i++) {
		if (b->owner[i] || !b->pointed_into[i])
			continue;
		b->owner[i] = RME_OWNER_INTERIOR;
		b->queue[b->n_queue++] = (uint32_t)i;
		scan_queue(b);
	}
}
