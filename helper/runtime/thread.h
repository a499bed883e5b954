/* A second thread of a snapshot: raw, sharing everything but its stack and its fault
 * guard. Only for a process that is the helper's own. Nothing Python-specific here. */
#ifndef RME_RUNTIME_THREAD_H
#define RME_RUNTIME_THREAD_H

#include "runtime/arena.h"
#include "runtime/guard.h"

struct rme_helper_thread {
	void (*fn)(void *arg);
	void *arg;
	struct rme_guards *guards; /* the thread's own, ready when fn begins */
	void *guard_stack;
	uint8_t *stack;
	uint32_t watched_ms; /* as in rme_guards_watch */
	uint32_t running;    /* the kernel clears it when the thread has left its stack */
};

/* Room for the stacks; once per struct. False when the arena has none. */
bool rme_helper_thread_init(struct rme_helper_thread *t, struct rme_arena *arena);

/* Runs t->fn(t->arg) on a new thread. False when the system has none to give. */
bool rme_helper_thread_start(struct rme_helper_thread *t);

/* Waits until the thread has ended; then it may be started again. */
void rme_helper_thread_join(struct rme_helper_thread *t);

/* How many CPUs this process may use. */
int rme_cpus(void);

#endif
