/* The fault guard: handlers for SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP and SIGSYS that
 * return control to the innermost RME_GUARD block, so that a bad pointer of the
 * debuggee costs one object and not the answer. Installed in the snapshot or in
 * undump, never in the debuggee itself. Nothing Python-specific here.
 *
 * A fault comes from a load, and no compiler sees an edge from a load to where a guard
 * comes back. So that place must not depend on what the block did with registers: a
 * routine in assembler saves every register that a call preserves, and returns a
 * second time with all of them as they were. It is declared returns_twice, so what else
 * the code behind it needs is in memory before the call, and stays there.
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
#include "runtime/sys.h"

/* For what a guard's jump must find in memory: a load of the debuggee may fault at any
 * time, and this store is neither delayed nor moved across such loads. */
#define RME_STORE(place, value) (*(volatile __typeof__(place) *)&(place) = (value))

struct rme_guard {
	uint64_t saved[RME_CPU_N_SAVED];
	struct rme_guard *outer;
	rme_addr fault_address;
	int signal;
};

enum { RME_GUARD_SIGNALS = 6 };

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
	/* The watch over foreign code: how often any was called by now, and at the last tick; for
	 * how many ticks in a row nothing else was. */
	uint64_t n_calls, n_calls_before;
	uint32_t n_ticks;
	uint32_t watched_ms; /* 0: not */
	int32_t timer;
	int32_t signal; /* of the last fault */
};

/* The signal of what took too long, as a fault. */
#define RME_GUARD_SLOW 27 /* SIGPROF */
/* And of a system call that is refused (confine.h). */
#define RME_GUARD_CALL 31 /* SIGSYS */

/* Size and alignment of the alternate stack: the state is at its bottom. */
#define RME_GUARD_STACK 65536ul

/* Installs the handlers on the stack at `stack` (RME_GUARD_STACK bytes, aligned to
 * as much). Returns the state. */
struct rme_guards *rme_guards_init(void *stack);

/* From now on a call of foreign code that computes for longer than `ms` milliseconds, on this
 * thread, ends as a fault with RME_GUARD_SLOW. 0: no watch. */
void rme_guards_watch(struct rme_guards *guards, uint32_t ms);
void rme_guards_unwatch(struct rme_guards *guards);

/* Before each call of foreign code. */
static inline void rme_guards_call(struct rme_guards *guards)
{
	RME_STORE(guards->n_calls, guards->n_calls + 1);
}

/* Leaves the innermost block, as a fault of that signal does. */
__attribute__((noreturn)) void rme_guards_raise(struct rme_guards *guards, int signal);

/* Puts back the handlers and the alternate stack that were there. */
void rme_guards_deinit(struct rme_guards *guards);

#define RME_GUARD(guards, g) (rme_guard_save((g)->saved) == 0 && rme_guard_push((guards), (g)))

/* 0; and 1 when rme_guard_resume comes back to it. */
__attribute__((returns_twice)) int rme_guard_save(uint64_t *saved);
__attribute__((noreturn)) void rme_guard_resume(const uint64_t *saved);

static inline bool rme_guard_push(struct rme_guards *guards, struct rme_guard *g)
{
	g->outer = guards->top;
	g->fault_address = 0;
	g->signal = 0;
	RME_STORE(guards->top, g);
	__asm__ volatile("" : : : "memory"); /* no load of the block moves above */
	return true;
}

/* Not inline: for gcc only a call can lead to where a guard comes back. With one at the end
 * of every block, what that place needs lives until there. */
void rme_guard_pop(struct rme_guards *guards, struct rme_guard *g);

#endif
