/* The fault guard: handlers for SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGTRAP that
 * return control to the innermost RME_GUARD block, so that a bad pointer of the
 * debuggee costs one object and not the answer. Installed in the snapshot or in
 * undump, never in the debuggee itself. Nothing Python-specific here.
 *
 *     struct rme_guard guard;
 *     if (RME_GUARD(guards, &guard)) {
 *             … loads that may fault …
 *             rme_guard_pop(guards, &guard);
 *     } else {
 *             … it faulted at guard.fault_address; already popped …
 *     }
 *
 * Locals that change inside the block and are read after a fault must be
 * volatile or live behind a pointer: the jump does not restore them. */
#ifndef RME_RUNTIME_GUARD_H
#define RME_RUNTIME_GUARD_H

#include "runtime/memory.h"

/* For what a guard's jump must find in memory: a load of the debuggee may fault at any
 * time, and this store is neither delayed nor moved across such loads. */
#define RME_STORE(place, value) (*(volatile __typeof__(place) *)&(place) = (value))

struct rme_guard {
	void *jump[5]; /* for __builtin_setjmp */
	struct rme_guard *outer;
	rme_addr fault_address;
	int signal;
};

enum { RME_GUARD_SIGNALS = 5 };

struct rme_kernel_sigaction {
	void *handler;
	uint64_t flags;
	void *restorer;
	uint64_t mask;
};

struct rme_kernel_stack {
	void *sp;
	int32_t flags;
	int32_t reserved;
	uint64_t size;
};

/* The state of the guard. The library has no writable global, so the handlers
 * find it at the bottom of the alternate stack that they run on. */
struct rme_guards {
	struct rme_guard *top;
	uint64_t n_faults;
	struct rme_kernel_sigaction old_action[RME_GUARD_SIGNALS];
	struct rme_kernel_stack old_stack;
};

/* Size and alignment of the alternate stack: the state is at its bottom. */
#define RME_GUARD_STACK 65536ul

/* Installs the handlers on the stack at `stack` (RME_GUARD_STACK bytes, aligned to
 * as much). Returns the state. */
struct rme_guards *rme_guards_init(void *stack);

/* Puts back the handlers and the alternate stack that were there. */
void rme_guards_deinit(struct rme_guards *guards);

#define RME_GUARD(guards, g) (rme_guard_push((guards), (g)), __builtin_setjmp((g)->jump) == 0)

static inline void rme_guard_push(struct rme_guards *guards, struct rme_guard *g)
{
	g->outer = guards->top;
	g->fault_address = 0;
	g->signal = 0;
	RME_STORE(guards->top, g);
	__asm__ volatile("" : : : "memory"); /* no load of the block moves above */
}

/* Not inline: for gcc only a call can lead to where a guard comes back, so a block of
 * nothing but loads needs one, or the place is optimised away. */
void rme_guard_pop(struct rme_guards *guards, struct rme_guard *g);

#endif
