#include "cpython/thread.h"

#include "cpython/frame.h"
#include "runtime/sys.h"

enum { MAX_INTERPRETERS = 10000, MAX_THREADS = 100000 };

static const struct rme_thread *request_threads(const struct rme_python *py)
{
	return (const void *)((const char *)py->request + py->request->threads.offset);
}

/* What the debugger calls this thread. The LWP of a thread state is one of the
 * debuggee's pid namespace, so the thread pointer is asked first. */
static void number_it(const struct rme_python *py, struct rme_python_thread *t)
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
			number_it(py, &thread);
			int stop = fn(arg, &thread);
			if (stop)
				return stop;
			tstate = rme_ptr(tstate + (uint64_t)l->thread_next);
		}
		interp = rme_ptr(interp + (uint64_t)l->interp_next);
	}
	return 0;
}

struct search {
	struct rme_python *py;
	uint64_t thread_pointer; /* 0: search by lwp */
	uint64_t lwp;
	struct rme_python_thread *ret;
};

static int first_frame(void *arg, const struct rme_frame *frame)
{
	(void)arg, (void)frame;
	return 1;
}

/* Interpreters and their thread states are listed newest first. */
static int on_thread(void *arg, const struct rme_python_thread *t)
{
	struct search *s = arg;

	if (s->thread_pointer ? t->thread_pointer != s->thread_pointer : t->lwp != s->lwp)
		return 0;
	bool runs = rme_frames_each(s->py, t->tstate, first_frame, NULL);
	if (!s->ret->tstate || runs)
		*s->ret = *t;
	return runs;
}

/* Which thread this is; 0 when it has no thread-local storage. */
static uint64_t own_thread_pointer(const struct rme_python *py)
{
	struct rme_guard guard;

	if (RME_GUARD(py->guards, &guard)) {
		uint64_t pointer = rme_cpu_thread_pointer();
		rme_guard_pop(py->guards, &guard);
		return pointer;
	}
	return 0;
}

bool rme_thread_selected(struct rme_python *py, struct rme_python_thread *ret,
                         struct rme_error *error)
{
	const struct rme_request *r = py->request;
	struct search by_pointer = {py, r->thread_pointer, 0, ret};
	struct search by_lwp = {py, 0, r->lwp, ret};
	struct rme_guard guard;

	if (!by_pointer.thread_pointer)
		by_pointer.thread_pointer = own_thread_pointer(py);
	ret->tstate = 0;
	if (RME_GUARD(py->guards, &guard)) {
		if (by_pointer.thread_pointer)
			rme_threads_each(py, on_thread, &by_pointer);
		if (!ret->tstate && r->lwp)
			rme_threads_each(py, on_thread, &by_lwp);
		rme_guard_pop(py->guards, &guard);
	}
	if (ret->tstate) {
		/* Found by the CPU's own word: it is the request's LWP, whatever number the
		 * debuggee's pid namespace gives it. */
		if (!ret->number && r->lwp) {
			ret->lwp = r->lwp;
			number_it(py, ret);
		}
		return true;
	}
	struct rme_buffer out = rme_error_begin(error, "no-python-thread", "the selected thread");
	if (r->lwp) {
		rme_buffer_text(&out, " (LWP ");
		rme_buffer_unsigned(&out, r->lwp);
		rme_buffer_char(&out, ')');
	}
	rme_buffer_text(&out, " has no Python thread state, so it runs no Python; "
	                      "py-frames --all-threads lists the threads that do");
	rme_error_end(error, &out);
	return false;
}
