#include "cpython/thread.h"

enum { MAX_INTERPRETERS = 10000, MAX_THREADS = 100000 };

static const struct rme_thread *request_threads(const struct rme_python *py)
{
	return (const void *)((const char *)py->request + py->request->threads.offset);
}

/* The LWP of a thread state is one of the debuggee's pid namespace, so the thread pointer
 * is asked first. */
void rme_thread_find_number(const struct rme_python *py, struct rme_python_thread *t)
{
	const struct rme_thread *rows = request_threads(py);
	const struct rme_thread *by_lwp = NULL;

	for (uint32_t i = 0; i < py->request->threads.count; i++) {
		if (rows[i].thread_pointer && rows[i].thread_pointer == t->thread_pointer) {
			t->lwp = rows[i].lwp;
			t->number = rows[i].number;
			return;
		}
		if (!rows[i].thread_pointer && rows[i].lwp == t->lwp)
			by_lwp = &rows[i];
	}
	if (by_lwp && t->lwp)
		t->number = by_lwp->number;
}

int rme_threads_each(struct rme_python *py, rme_thread_fn fn, void *arg)
{
	const struct rme_layout *l = py->layout;
	rme_addr interp = rme_ptr(py->sym.runtime + (uint64_t)l->runtime_interpreters_head);
	uint64_t n_threads = 0;

	for (int i = 0; interp && i < MAX_INTERPRETERS; i++) {
		rme_addr tstate = rme_ptr(interp + (uint64_t)l->interp_threads_head);
		for (; tstate && n_threads < MAX_THREADS; n_threads++) {
			struct rme_python_thread thread = {
			    .tstate = tstate,
			    .interp = interp,
			    .thread_pointer = rme_u64(tstate + (uint64_t)l->thread_thread_id),
			};
			if (rme_ptr(tstate + (uint64_t)l->thread_interp) != interp)
				break;
			if (l->thread_native_id != RME_ABSENT)
				thread.lwp = rme_u64(tstate + (uint64_t)l->thread_native_id);
			rme_thread_find_number(py, &thread);
			int stop = fn(arg, &thread);
			if (stop)
				return stop;
			tstate = rme_ptr(tstate + (uint64_t)l->thread_next);
		}
		interp = rme_ptr(interp + (uint64_t)l->interp_next);
	}
	return 0;
}
