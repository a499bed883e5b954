#include "cpython/selected.h"

#include "cpython/frame.h"
#include "runtime/sys.h"

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
			rme_thread_find_number(py, ret);
		}
		return true;
	}
	struct rme_buffer out =
	    rme_error_begin(error, RME_ERROR_NO_PYTHON_THREAD, "the selected thread");
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
