#include "graph/walk.h"

#include "runtime/sys.h"

#define CHECK_EVERY 32768u

/* A load of the debuggee may fault at any time, and the jump back finds only what is in
 * memory: these stores are neither delayed nor moved across such loads. */
#define STORE(place, value) (*(volatile __typeof__(place) *)&(place) = (value))
#define LOAD(address)       (*(const volatile rme_addr *)(address))

static inline bool sound(rme_addr a)
{
	return a - 4096 < (1ull << RME_ADDRESS_BITS) - 4096 && !(a & 7);
}

static void unsound(struct rme_walk *w, rme_addr a)
{
	if (w->faulted)
		w->faulted(w->ctx, a);
}

static inline bool is_foreign(const struct rme_walk *w, rme_addr a)
{
	return w->outbox && (a >> RME_CHUNK_SHIFT & 1) != w->side;
}

static inline void push(struct rme_walk *w, rme_addr a)
{
	uint64_t n = w->n_stack;

	if (__builtin_expect(n == w->stack_size, 0)) {
		w->exhausted = true;
		return;
	}
	*(volatile uint64_t *)&w->stack[n] = a;
	STORE(w->n_stack, n + 1);
}

/* Empties the inbox; may happen in the middle of anything, so it only keeps what came. */
static void drain(struct rme_walk *w)
{
	struct rme_ring *in = w->inbox;
	uint64_t n = __atomic_load_n(&in->n_sent, __ATOMIC_ACQUIRE), at = in->n_received;

	for (; at != n; at++) {
		if (w->n_pending == w->pending_size) {
			w->exhausted = true;
			continue;
		}
		w->pending[w->n_pending++] = in->slots[at & (RME_RING - 1)];
	}
	__atomic_store_n(&in->n_received, at, __ATOMIC_RELEASE);
}

/* Takes what the other side sent; the addresses are sound and ours. */
static void receive(struct rme_walk *w)
{
	drain(w);
	while (w->n_pending) {
		rme_addr a = w->pending[--w->n_pending];
		if (rme_visited_add(&w->visited, a))
			push(w, a);
	}
}

/* Waits a little; where the other thread has no CPU, gives it this one. */
static void relax(unsigned *n_tries)
{
	if (++*n_tries % 64)
		rme_cpu_relax();
	else
		rme_syscall6(RME_SYS_sched_yield, 0, 0, 0, 0, 0, 0);
}

static void send(struct rme_walk *w, rme_addr a)
{
	struct rme_ring *out = w->outbox;
	uint64_t n = out->n_sent;

	/* The other side may be waiting for room as well: ours must empty meanwhile. */
	for (unsigned n_tries = 0;
	     n - __atomic_load_n(&out->n_received, __ATOMIC_ACQUIRE) == RME_RING;) {
		drain(w);
		relax(&n_tries);
	}
	out->slots[n & (RME_RING - 1)] = a;
	__atomic_store_n(&out->n_sent, n + 1, __ATOMIC_RELEASE);
}

static int visit(void *object, void *arg)
{
	struct rme_walk *w = arg;
	rme_addr a = (rme_addr)object;

	if (!a)
		return 0;
	if (__builtin_expect(!sound(a), 0))
		unsound(w, a);
	else if (is_foreign(w, a))
		send(w, a);
	else if (rme_visited_add(&w->visited, a))
		push(w, a);
	return 0;
}

/* A cursor on the stack, from below: count, stride, address | 1. */
static void range(void *arg, rme_addr first, uint64_t count, uint64_t stride)
{
	struct rme_walk *w = arg;
	volatile uint64_t *top = &w->stack[w->n_stack];

	if (!count || !first)
		return;
	if (w->n_stack + 3 > w->stack_size) {
		w->exhausted = true;
		return;
	}
	top[0] = count;
	top[1] = stride;
	top[2] = first | 1;
	STORE(w->n_stack, w->n_stack + 3);
}

static bool init_stacks(struct rme_walk *w, struct rme_arena *arena)
{
	w->sink = (struct rme_sink){visit, range, w};
	w->stack_size = rme_arena_left(arena) / 4 / 8;
	w->stack = rme_arena_alloc(arena, w->stack_size * 8);
	w->deferred_size = rme_arena_left(arena) / 16 / 8;
	w->deferred = rme_arena_alloc(arena, w->deferred_size * 8);
	w->next_check = CHECK_EVERY;
	return w->stack && w->deferred;
}

bool rme_walk_init(struct rme_walk *w, struct rme_arena *arena, struct rme_guards *guards,
                   rme_prepare_fn prepare, rme_expand_fn expand, void *ctx)
{
	memset(w, 0, sizeof *w);
	w->guards = guards;
	w->prepare = prepare;
	w->expand = expand;
	w->ctx = ctx;
	return init_stacks(w, arena) && rme_visited_init(&w->visited, arena);
}

void rme_walk_root(struct rme_walk *w, rme_addr node)
{
	visit((void *)node, w);
}

bool rme_walk_clear(struct rme_walk *w)
{
	bool wiped = rme_visited_clear(&w->visited);

	w->n_objects = w->n_bytes = w->n_objects_first = w->n_bytes_first = w->n_second = 0;
	w->n_stack = w->n_deferred = w->n_batch = 0;
	w->round = RME_ROUND_GATHER;
	w->next_check = CHECK_EVERY;
	return wiped;
}

/* The first round: takes nodes from the stack and asks for their heads. */
static inline uint32_t take(struct rme_walk *w, rme_addr a, uint32_t n)
{
	/* Most objects end within 64 bytes of their start, if not in one line. */
	__builtin_prefetch((const void *)a);
	__builtin_prefetch((const void *)(a + 40));
	*(volatile rme_addr *)&w->batch[n] = a;
	STORE(w->n_batch, n + 1);
	return n + 1;
}

/* From the array of references on top of the stack. */
static inline uint32_t take_from_cursor(struct rme_walk *w, uint32_t n)
{
	volatile uint64_t *cursor = &w->stack[w->n_stack - 3];
	uint64_t count = cursor[0], stride = cursor[1];
	rme_addr slot = cursor[2] & ~1ull;

	STORE(w->round, RME_ROUND_CURSOR);
	while (count && n < RME_BATCH) {
		rme_addr a = LOAD(slot);
		slot += stride;
		count--;
		if (!a)
			continue;
		if (__builtin_expect(!sound(a), 0))
			unsound(w, a);
		else if (is_foreign(w, a))
			send(w, a);
		else if (rme_visited_add(&w->visited, a))
			n = take(w, a, n);
	}
	STORE(w->round, RME_ROUND_GATHER);
	cursor[0] = count;
	cursor[2] = slot | 1;
	if (!count)
		STORE(w->n_stack, w->n_stack - 3);
	return n;
}

static void gather(struct rme_walk *w)
{
	uint32_t n = w->n_batch;

	while (n < RME_BATCH && w->n_stack) {
		uint64_t top = w->stack[w->n_stack - 1];
		if (top & 1) {
			n = take_from_cursor(w, n);
		} else {
			STORE(w->n_stack, w->n_stack - 1);
			n = take(w, top, n);
		}
	}
}

static void report(struct rme_walk *w)
{
	w->next_check = w->n_objects + CHECK_EVERY;
	if (w->progress) {
		w->progress[0] = w->n_objects + (w->partner ? w->partner->n_objects : 0);
		w->progress[1] = w->n_bytes + (w->partner ? w->partner->n_bytes : 0);
	}
	if (w->cancel && *w->cancel)
		w->cancelled = true;
	if (w->pause_at && w->n_objects >= w->pause_at)
		w->paused = true;
}

static inline void count(struct rme_walk *w, rme_addr node, uint64_t size)
{
	w->n_objects++;
	w->n_bytes += size;
	if (w->counted)
		w->counted(w->counted_ctx, node, size);
	if (__builtin_expect(w->n_objects >= w->next_check, 0))
		report(w);
}

static inline void expand(struct rme_walk *w, rme_addr node, uint64_t cookie, bool deferred)
{
	uint64_t size = 0;
	enum rme_node kind = w->expand(w->ctx, node, cookie, deferred, &w->sink, &size);

	if (kind == RME_NODE_COUNTED) {
		count(w, node, size);
	} else if (kind == RME_NODE_DEFERRED) {
		if (w->n_deferred == w->deferred_size)
			w->exhausted = true;
		else
			w->deferred[w->n_deferred++] = node;
	}
}

/* The second and third round, from where the last fault left them. */
static inline void work_off(struct rme_walk *w, bool deferred)
{
	uint32_t n = w->n_batch;

	if (w->round != RME_ROUND_EXPAND) {
		uint32_t i = w->round == RME_ROUND_PREPARE ? w->at : 0;
		STORE(w->round, RME_ROUND_PREPARE);
		for (; i < n; i++) {
			STORE(w->at, i);
			STORE(w->cookies[i], w->prepare(w->ctx, w->batch[i]));
		}
		STORE(w->at, 0);
		STORE(w->round, RME_ROUND_EXPAND);
	}
	for (uint32_t i = w->at; i < n; i++) {
		STORE(w->at, i);
		expand(w, w->batch[i], w->cookies[i], deferred);
	}
	STORE(w->n_batch, 0);
	STORE(w->round, RME_ROUND_GATHER);
}

/* Apart from the function with the guard: what a setjmp may return to lives in memory,
 * not in registers. */
static __attribute__((noinline)) void loop(struct rme_walk *w, bool deferred)
{
	while (!w->cancelled && !w->paused) {
		if (w->inbox)
			receive(w);
		if (w->round == RME_ROUND_GATHER)
			gather(w);
		if (!w->n_batch)
			break;
		work_off(w, deferred);
	}
}

/* Works until nothing is left or a load faults; false after a fault. */
static bool work(struct rme_walk *w, bool deferred)
{
	struct rme_guard guard;

	if (!RME_GUARD(w->guards, &guard))
		return false;
	loop(w, deferred);
	rme_guard_pop(w->guards, &guard);
	return true;
}

/* Goes on behind what faulted. */
static void after_fault(struct rme_walk *w)
{
	rme_addr node = w->batch[w->at];

	switch (w->round) {
	case RME_ROUND_CURSOR:
		/* The array ends in memory that is not there. */
		w->round = RME_ROUND_GATHER;
		w->n_stack -= 3;
		break;
	case RME_ROUND_PREPARE:
		/* It will fault again when it is expanded. */
		w->cookies[w->at++] = 0;
		return;
	default:
		w->at++;
	}
	if (w->faulted)
		w->faulted(w->ctx, node);
}

static void work_on(struct rme_walk *w, bool deferred)
{
	while (!work(w, deferred))
		after_fault(w);
	if (w->visited.failed)
		w->exhausted = true;
}

void rme_walk_first(struct rme_walk *w)
{
	w->paused = false;
	work_on(w, false);
	w->n_objects_first = w->n_objects;
	w->n_bytes_first = w->n_bytes;
}

void rme_walk_rest(struct rme_walk *w)
{
	while (w->n_deferred && !w->cancelled) {
		while (w->n_deferred && w->n_batch < RME_BATCH)
			w->batch[w->n_batch++] = w->deferred[--w->n_deferred];
		work_on(w, true);
	}
	report(w);
}

bool rme_walk_pair_init(struct rme_walk *first, struct rme_walk *second, struct rme_arena *arena,
                        struct rme_guards *guards, void *ctx)
{
	struct rme_ring *rings = rme_arena_alloc(arena, 2 * sizeof *rings);

	memset(second, 0, sizeof *second);
	second->guards = guards;
	second->prepare = first->prepare;
	second->expand = first->expand;
	second->ctx = ctx;
	second->faulted = first->faulted;
	second->cancel = first->cancel;
	if (!rings || !init_stacks(second, arena))
		return false;
	/* The directory is shared, the chunks in it belong to one side or the other. Of
	 * its own: a list of chunks, and an arena to make them from. */
	second->visited = first->visited;
	second->visited.arena = arena;
	second->visited.n_chunks = 0;
	second->visited.max_chunks =
	    rme_arena_left(arena) / 2 / sizeof(uint64_t *) / RME_CHUNK_WORDS;
	second->visited.chunks =
	    rme_arena_alloc(arena, second->visited.max_chunks * sizeof(uint64_t *));
	second->visited.n_log = second->visited.max_log = 0;
	for (int i = 0; i < 2; i++) {
		struct rme_walk *w = i ? second : first;
		w->inbox = &rings[i];
		w->outbox = &rings[!i];
		w->side = (uint64_t)i;
		w->n_pending = 0;
		w->pending_size = rme_arena_left(arena) / 8 / sizeof *w->pending;
		w->pending = rme_arena_alloc(arena, w->pending_size * sizeof *w->pending);
		w->paused = false;
		if (!w->pending)
			return false;
	}
	first->partner = second;
	return second->visited.chunks != NULL;
}

/* Is the pair at its end? Only when the other side is idle, and everything that either
 * sent has arrived: then nothing can wake it. In this order: what it received it takes
 * while it is not idle, so a side that is idle after all has arrived has worked it off, and
 * what it sent meanwhile is seen. */
static bool pair_is_over(const struct rme_walk *w)
{
	const struct rme_ring *in = w->inbox, *out = w->outbox;

	return out->n_sent == __atomic_load_n(&out->n_received, __ATOMIC_SEQ_CST) &&
	       __atomic_load_n(&out->idle, __ATOMIC_SEQ_CST) &&
	       __atomic_load_n(&in->n_sent, __ATOMIC_SEQ_CST) == in->n_received;
}

void rme_walk_pair_run(struct rme_walk *w)
{
	struct rme_ring *in = w->inbox;
	unsigned n_tries = 0;

	for (;;) {
		__atomic_store_n(&in->idle, false, __ATOMIC_SEQ_CST);
		work_on(w, false);
		/* A walk that was cancelled goes on emptying its inbox, for the other may
		 * be waiting for room in it. */
		w->n_pending = w->cancelled ? 0 : w->n_pending;
		__atomic_store_n(&in->idle, true, __ATOMIC_SEQ_CST);
		while (__atomic_load_n(&in->n_sent, __ATOMIC_ACQUIRE) == in->n_received) {
			if (pair_is_over(w))
				return;
			relax(&n_tries);
		}
		if (w->cancelled)
			drain(w);
	}
}

void rme_walk_pair_end(struct rme_walk *first, struct rme_walk *second)
{
	first->inbox = first->outbox = NULL;
	first->partner = NULL;
	first->n_objects += second->n_objects;
	first->n_bytes += second->n_bytes;
	first->n_second += second->n_second;
	first->n_objects_first = first->n_objects;
	first->n_bytes_first = first->n_bytes;
	first->exhausted |= second->exhausted;
	first->cancelled |= second->cancelled;
	for (uint64_t i = 0; i < second->n_deferred; i++) {
		if (first->n_deferred == first->deferred_size)
			first->exhausted = true;
		else
			first->deferred[first->n_deferred++] = second->deferred[i];
	}
	/* Clearing goes through the list of chunks. */
	for (uint64_t i = 0; i < second->visited.n_chunks; i++) {
		if (first->visited.n_chunks == first->visited.max_chunks)
			first->exhausted = true;
		else
			first->visited.chunks[first->visited.n_chunks++] =
			    second->visited.chunks[i];
	}
	first->visited.n_log = first->visited.max_log;
}
