#include "graph/walk.h"
#include "runtime/sys.h"

#define CHECK_EVERY 32768u
#define SHORT       8u /* references that are followed at once */

#define LOAD(address) (*(const volatile rme_addr *)(address))

static inline bool sound(rme_addr a)
{
	return rme_is_address(a);
}

static __attribute__((noinline, cold)) void unsound(struct rme_walk *w, rme_addr a)
{
	if (w->faulted)
		w->faulted(w->ctx, a);
}

static inline void push(struct rme_walk *w, rme_addr a)
{
	uint64_t n = w->n_stack;

	if (__builtin_expect(n == w->stack_size, 0)) {
		w->exhausted = true;
		return;
	}
	RME_STORE(w->stack[n], a);
	RME_STORE(w->n_stack, n + 1);
}

static inline __attribute__((always_inline)) void follow(struct rme_walk *w, rme_addr a)
{
	if (__builtin_expect(!sound(a), 0)) {
		if (a)
			unsound(w, a);
	} else if (rme_visited_add(&w->visited, a)) {
		push(w, a);
	}
}

static int visit(void *object, void *arg)
{
	follow(arg, (rme_addr)object);
	return 0;
}

/* A cursor on the stack, from below: twice the count, stride, address | 1. Only the last is
 * odd, so that the stack can be read from either end. */
static void range(void *arg, rme_addr first, uint64_t count, uint64_t stride)
{
	struct rme_walk *w = arg;
	volatile uint64_t *top = &w->stack[w->n_stack];

	if (!first)
		return;
	if (count <= SHORT) {
		for (; count; count--, first += stride)
			follow(w, LOAD(first));
		return;
	}
	if (w->n_stack + 3 > w->stack_size) {
		w->exhausted = true;
		return;
	}
	top[0] = count << 1;
	top[1] = stride;
	top[2] = first | 1;
	RME_STORE(w->n_stack, w->n_stack + 3);
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

static void rounds(struct rme_walk *w, bool deferred)
{
	rme_walk_rounds(w, deferred, w->prepare, w->expand);
}

bool rme_walk_init(struct rme_walk *w, struct rme_arena *arena, struct rme_guards *guards,
                   rme_prepare_fn prepare, rme_expand_fn expand, void *ctx)
{
	memset(w, 0, sizeof *w);
	w->guards = guards;
	w->prepare = prepare;
	w->expand = expand;
	w->rounds = rounds;
	w->ctx = ctx;
	return init_stacks(w, arena) && rme_visited_init(&w->visited, arena);
}

void rme_walk_root(struct rme_walk *w, rme_addr node)
{
	visit((void *)node, w);
}

static void start_over(struct rme_walk *w)
{
	w->n_objects = w->n_bytes = w->n_objects_first = w->n_bytes_first = w->n_second = 0;
	w->n_stack = w->bottom = w->n_deferred = w->n_batch = 0;
	w->round = RME_ROUND_GATHER;
	w->next_check = CHECK_EVERY;
}

bool rme_walk_clear(struct rme_walk *w)
{
	start_over(w);
	return rme_visited_clear(&w->visited);
}

/* The first round: takes nodes from the stack and asks for their heads. */
static inline uint32_t take(struct rme_walk *w, rme_addr a, uint32_t n)
{
	/* Most objects end within 64 bytes of their start, if not in one line. */
	__builtin_prefetch((const void *)a);
	__builtin_prefetch((const void *)(a + 40));
	RME_STORE(w->batch[n], a);
	RME_STORE(w->n_batch, n + 1);
	return n + 1;
}

/* From the array of references on top of the stack. */
static inline uint32_t take_from_cursor(struct rme_walk *w, uint32_t n)
{
	volatile uint64_t *cursor = &w->stack[w->n_stack - 3];
	uint64_t count = cursor[0] >> 1, stride = cursor[1];
	rme_addr slot = cursor[2] & ~1ull;

	RME_STORE(w->round, RME_ROUND_CURSOR);
	while (count && n < RME_BATCH) {
		rme_addr a = LOAD(slot);
		slot += stride;
		count--;
		if (__builtin_expect(!sound(a), 0)) {
			if (a)
				unsound(w, a);
		} else if (rme_visited_add(&w->visited, a)) {
			n = take(w, a, n);
		}
	}
	RME_STORE(w->round, RME_ROUND_GATHER);
	cursor[0] = count << 1;
	cursor[2] = slot | 1;
	if (!count)
		RME_STORE(w->n_stack, w->n_stack - 3);
	return n;
}

static void gather(struct rme_walk *w)
{
	uint32_t n = w->n_batch;

	while (n < RME_BATCH && w->n_stack > w->bottom) {
		uint64_t top = w->stack[w->n_stack - 1];
		if (top & 1) {
			n = take_from_cursor(w, n);
		} else {
			RME_STORE(w->n_stack, w->n_stack - 1);
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

/* Gives the other side a part of what is at the bottom of the stack, where the largest
 * parts of the graph wait: half of an array, or some nodes and the ends of arrays. */
static void hand_off(struct rme_walk *w)
{
	struct rme_handoff *out = w->theirs;
	uint64_t *from = &w->stack[w->bottom], n = w->n_stack - w->bottom, given = 0;

	if (n >= 3 && from[2] & 1 && from[0] >> 1 >= (n > 3 ? RME_BATCH : 2)) {
		uint64_t count = from[0] >> 1, kept = count / 2;
		out->words[0] = (count - kept) << 1;
		out->words[1] = from[1];
		out->words[2] = from[2] + kept * from[1];
		from[0] = kept << 1;
		out->n = 3;
	} else {
		uint64_t most = n / 2 < RME_HANDOFF - 2 ? n / 2 : RME_HANDOFF - 2;
		while (given < most)
			given += given + 2 < n && from[given + 2] & 1 ? 3 : 1;
		if (!given || given == n)
			return;
		memcpy(out->words, from, given * sizeof *from);
		w->bottom += given;
		out->n = (uint32_t)given;
	}
	__atomic_store_n(&out->state, RME_PAIR_FED, __ATOMIC_RELEASE);
}

/* Apart from the function with the guard: what a setjmp may return to lives in memory,
 * not in registers. */
static __attribute__((noinline)) void loop(struct rme_walk *w, bool deferred)
{
	while (!w->cancelled && !w->paused) {
		if (w->theirs &&
		    __atomic_load_n(&w->theirs->state, __ATOMIC_ACQUIRE) == RME_PAIR_HUNGRY)
			hand_off(w);
		if (w->round == RME_ROUND_GATHER)
			gather(w);
		if (!w->n_batch)
			break;
		w->rounds(w, deferred);
		if (__builtin_expect(w->n_objects >= w->next_check, 0))
			report(w);
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

bool rme_walk_pair_init(const struct rme_walk *first, struct rme_walk *second,
                        struct rme_arena *arena, struct rme_guards *guards, void *ctx)
{
	memset(second, 0, sizeof *second);
	second->guards = guards;
	second->prepare = first->prepare;
	second->expand = first->expand;
	second->rounds = first->rounds;
	second->ctx = ctx;
	second->faulted = first->faulted;
	second->cancel = first->cancel;
	second->mine = rme_arena_alloc(arena, sizeof *second->mine);
	second->theirs = rme_arena_alloc(arena, sizeof *second->theirs);
	return second->mine && second->theirs && init_stacks(second, arena) &&
	       rme_visited_view_init(&second->visited, arena);
}

void rme_walk_pair_begin(struct rme_walk *first, struct rme_walk *second)
{
	start_over(second);
	second->exhausted = second->cancelled = second->paused = first->paused = false;
	rme_visited_share(&first->visited, &second->visited);
	second->mine->state = second->theirs->state = RME_PAIR_WORKING;
	first->mine = second->theirs;
	first->theirs = second->mine;
	first->partner = second;
}

/* Waits until the other side hands something over: false when it is at its end as well. */
static bool is_fed(struct rme_walk *w)
{
	struct rme_handoff *in = w->mine;

	__atomic_store_n(&in->state, RME_PAIR_HUNGRY, __ATOMIC_SEQ_CST);
	for (unsigned n_tries = 1;; n_tries++) {
		uint32_t theirs = __atomic_load_n(&w->theirs->state, __ATOMIC_SEQ_CST);
		/* After theirs: what it gave, it gave before it was hungry itself. */
		if (__atomic_load_n(&in->state, __ATOMIC_ACQUIRE) == RME_PAIR_FED)
			break;
		if (theirs == RME_PAIR_HUNGRY || theirs == RME_PAIR_GONE)
			return false;
		if (n_tries % 64)
			rme_cpu_relax();
		else /* the other thread may need this CPU */
			rme_syscall6(RME_SYS_sched_yield, 0, 0, 0, 0, 0, 0);
	}
	memcpy(w->stack, in->words, in->n * sizeof *w->stack);
	w->bottom = 0;
	w->n_stack = in->n;
	__atomic_store_n(&in->state, RME_PAIR_WORKING, __ATOMIC_RELEASE);
	return true;
}

void rme_walk_pair_run(struct rme_walk *w)
{
	do
		work_on(w, false);
	while (!w->cancelled && is_fed(w));
	__atomic_store_n(&w->mine->state, RME_PAIR_GONE, __ATOMIC_SEQ_CST);
}

void rme_walk_pair_end(struct rme_walk *first, struct rme_walk *second)
{
	first->mine = first->theirs = NULL;
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
	rme_visited_unshare(&first->visited, &second->visited);
}
