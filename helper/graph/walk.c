#include "graph/walk.h"

#define CHECK_EVERY 32768u

/* Keeps the stores of the walk's state in program order around loads of the
 * debuggee that may fault: what was pushed must be found after the jump. */
#define ORDERED() __asm__ volatile("" : : : "memory")

static inline bool sound(rme_addr a)
{
	return a - 4096 < (1ull << RME_ADDRESS_BITS) - 4096 && !(a & 7);
}

static int visit(void *object, void *arg)
{
	struct rme_walk *w = arg;
	rme_addr a = (rme_addr)object;

	if (!a)
		return 0;
	if (__builtin_expect(!sound(a), 0)) {
		if (w->faulted)
			w->faulted(w->ctx, a);
		return 0;
	}
	if (!rme_visited_add(&w->visited, a))
		return 0;
	if (__builtin_expect(w->n_stack == w->stack_size, 0)) {
		w->exhausted = true;
		return 0;
	}
	w->stack[w->n_stack] = a;
	ORDERED();
	w->n_stack++;
	return 0;
}

/* A cursor on the stack, from below: count, stride, address | 1. */
static void range(void *arg, rme_addr first, uint64_t count, uint64_t stride)
{
	struct rme_walk *w = arg;

	if (!count || !first)
		return;
	if (w->n_stack + 3 > w->stack_size) {
		w->exhausted = true;
		return;
	}
	w->stack[w->n_stack] = count;
	w->stack[w->n_stack + 1] = stride;
	w->stack[w->n_stack + 2] = first | 1;
	ORDERED();
	w->n_stack += 3;
}

bool rme_walk_init(struct rme_walk *w, struct rme_arena *arena, struct rme_guards *guards,
		   rme_prepare_fn prepare, rme_expand_fn expand, void *ctx)
{
	memset(w, 0, sizeof *w);
	w->guards = guards;
	w->prepare = prepare;
	w->expand = expand;
	w->ctx = ctx;
	w->sink = (struct rme_sink){visit, range, w};
	w->stack_size = rme_arena_left(arena) / 4 / 8;
	w->stack = rme_arena_alloc(arena, w->stack_size * 8);
	w->deferred_size = rme_arena_left(arena) / 16 / 8;
	w->deferred = rme_arena_alloc(arena, w->deferred_size * 8);
	w->next_check = CHECK_EVERY;
	return w->stack && w->deferred && rme_visited_init(&w->visited, arena);
}

void rme_walk_root(struct rme_walk *w, rme_addr node)
{
	visit((void *)node, w);
}

bool rme_walk_clear(struct rme_walk *w)
{
	bool wiped = rme_visited_clear(&w->visited);

	w->n_objects = w->n_bytes = w->n_objects_first = w->n_bytes_first = 0;
	w->n_stack = w->n_deferred = w->queue_n = w->queue_prepared = 0;
	w->next_check = CHECK_EVERY;
	return wiped;
}

/* Takes references from the stack into the queue and asks for their memory. */
static inline void refill(struct rme_walk *w)
{
	while (w->queue_n < RME_QUEUE && w->n_stack) {
		uint64_t top = w->stack[w->n_stack - 1];
		rme_addr a = top;

		if (top & 1) {
			uint64_t *cursor = &w->stack[w->n_stack - 3];
			rme_addr slot = top & ~1ull;
			w->in_cursor = true;
			ORDERED();
			a = rme_u64(slot);
			ORDERED();
			w->in_cursor = false;
			if (--cursor[0])
				cursor[2] = (slot + cursor[1]) | 1;
			else
				w->n_stack -= 3;
			if (!a)
				continue;
			if (__builtin_expect(!sound(a), 0)) {
				if (w->faulted)
					w->faulted(w->ctx, a);
				continue;
			}
			if (!rme_visited_add(&w->visited, a))
				continue;
		} else {
			w->n_stack--;
		}
		/* Most objects end within 64 bytes of their start, if not in one line. */
		__builtin_prefetch((const void *)a);
		__builtin_prefetch((const void *)(a + 40));
		w->queue[(w->queue_head + w->queue_n++) & (RME_QUEUE - 1)] = a;
	}
}

/* Up to two a time: the prepared part of the queue fills up while it is worked on. A
 * node whose head faults is marked as prepared before, and faults again in expand. */
static inline void prepare(struct rme_walk *w)
{
	for (int i = 0; i < 2 && w->queue_prepared < RME_QUEUE_PREPARED &&
			w->queue_prepared < w->queue_n;
	     i++) {
		uint32_t at = (w->queue_head + w->queue_prepared++) & (RME_QUEUE - 1);
		w->cookies[at] = 0;
		w->preparing = true;
		ORDERED();
		w->cookies[at] = w->prepare(w->ctx, w->queue[at]);
		ORDERED();
		w->preparing = false;
	}
}

static void report(struct rme_walk *w)
{
	w->next_check = w->n_objects + CHECK_EVERY;
	if (w->progress) {
		w->progress[0] = w->n_objects;
		w->progress[1] = w->n_bytes;
	}
	if (w->cancel && *w->cancel)
		w->cancelled = true;
}

/* Works until nothing is left or a load faults; false after a fault. */
static bool work(struct rme_walk *w, bool deferred)
{
	struct rme_guard guard;

	if (!RME_GUARD(w->guards, &guard))
		return false;
	for (;;) {
		refill(w);
		if (!w->queue_n || w->cancelled)
			break;
		prepare(w);
		uint32_t head = w->queue_head;
		rme_addr node = w->queue[head];
		w->queue_head = (head + 1) & (RME_QUEUE - 1);
		w->queue_n--;
		w->queue_prepared--;
		w->current = node;
		ORDERED();
		uint64_t size = 0;
		enum rme_node kind =
			w->expand(w->ctx, node, w->cookies[head], deferred, &w->sink, &size);
		if (kind == RME_NODE_COUNTED) {
			w->n_objects++;
			w->n_bytes += size;
			if (w->counted)
				w->counted(w->counted_ctx, node, size);
			if (__builtin_expect(w->n_objects >= w->next_check, 0))
				report(w);
		} else if (kind == RME_NODE_DEFERRED) {
			if (w->n_deferred == w->deferred_size)
				w->exhausted = true;
			else
				w->deferred[w->n_deferred++] = node;
		}
	}
	rme_guard_pop(w->guards, &guard);
	return true;
}

static void work_on(struct rme_walk *w, bool deferred)
{
	while (!work(w, deferred)) {
		if (w->preparing) {
			w->preparing = false;
			continue;
		}
		if (w->in_cursor) {
			/* The array ends in memory that is not there. */
			w->in_cursor = false;
			w->n_stack -= 3;
		}
		if (w->faulted)
			w->faulted(w->ctx, w->current);
	}
}

void rme_walk_first(struct rme_walk *w)
{
	work_on(w, false);
	w->n_objects_first = w->n_objects;
	w->n_bytes_first = w->n_bytes;
}

void rme_walk_rest(struct rme_walk *w)
{
	while (w->n_deferred && !w->cancelled) {
		/* Back through the queue, which holds a few at a time. */
		while (w->n_deferred && w->queue_n < RME_QUEUE)
			w->queue[(w->queue_head + w->queue_n++) & (RME_QUEUE - 1)] =
				w->deferred[--w->n_deferred];
		work_on(w, true);
	}
	report(w);
	if (w->visited.failed)
		w->exhausted = true;
}
