/* Interpreters' thread states. */
#ifndef RME_CPYTHON_THREAD_H
#define RME_CPYTHON_THREAD_H

#include "cpython/python.h"

struct rme_python_thread {
	rme_addr tstate;
	rme_addr interp;
	uint64_t thread_pointer; /* tstate->thread_id: pthread_self, the fs base */
	uint64_t lwp;            /* the debugger's; else native_thread_id; 0: not known */
	uint64_t number;         /* the debugger's; 0: not known */
};

/* Calls fn for each thread state of each interpreter, at most 100,000; a non-zero
 * return stops and is returned. Loads may fault: callers hold a guard. */
typedef int (*rme_thread_fn)(void *arg, const struct rme_python_thread *thread);
int rme_threads_each(struct rme_python *py, rme_thread_fn fn, void *arg);

/* Fills in what the debugger calls the thread. */
void rme_thread_find_number(const struct rme_python *py, struct rme_python_thread *t);

#endif
