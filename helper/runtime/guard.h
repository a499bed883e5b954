/* The fault guard: handlers for SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGTRAP that
 * return control to the innermost RME_GUARDED block, so that a bad pointer of
 * the debuggee costs one object and not the answer. Installed in the snapshot or
 * in undump, never in the debuggee itself. Nothing Python-specific here.
 *
 *     struct rme_guard guard;
 *     if (RME_GUARD(ctx, &guard)) {
 *             … loads that may fault …
 *             rme_guard_pop(ctx, &guard);
 *     } else {
 *             … it faulted at guard.fault_address; already popped …
 *     }
 *
 * Locals that change inside the block and are read after a fault must be
 * volatile or live behind a pointer: the longjmp does not restore them. */
#ifndef RME_RUNTIME_GUARD_H
#define RME_RUNTIME_GUARD_H

#include "runtime/memory.h"

struct rme_guard {
	void *jump[5]; /* for __builtin_setjmp */
	struct rme_guard *outer;
	rme_addr fault_address;
	int signal;
};

/* The head of the chain of active guards. Since the library has no writable
 * global, it lives in memory that the signal handlers find from the alternate
 * stack they run on: see guard.c. */
struct rme_guards {
	struct rme_guard *top;
	uint64_t n_faults;
};

#define RME_GUARD(guards, g) \
	(rme_guard_push((guards), (g)), __builtin_setjmp((g)->jump) == 0)

static inline void rme_guard_push(struct rme_guards *guards, struct rme_guard *g)
{
	g->outer = guards->top;
	g->fault_address = 0;
	g->signal = 0;
	*(struct rme_guard *volatile *)&guards->top = g;
}

static inline void rme_guard_pop(struct rme_guards *guards, struct rme_guard *g)
{
	*(struct rme_guard *volatile *)&guards->top = g->outer;
}

#endif
