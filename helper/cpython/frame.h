/* Interpreters' threads and their Python frames, every supported version. Knows
 * no query. All loads may fault: callers hold a guard, except where said. */
#ifndef RME_CPYTHON_FRAME_H
#define RME_CPYTHON_FRAME_H

#include "cpython/python.h"

struct rme_python_thread {
	rme_addr tstate;
	rme_addr interp;
	uint64_t thread_pointer; /* tstate->thread_id: pthread_self, the fs base */
	uint64_t lwp;            /* 0: not known */
	uint64_t number;         /* the debugger's; 0: not known */
};

struct rme_frame {
	rme_addr address;  /* _PyInterpreterFrame, or PyFrameObject up to 3.10 */
	rme_addr code;
	rme_addr function; /* 0 up to 3.10 */
	rme_addr globals;
	rme_addr builtins;
	rme_addr locals;   /* the namespace of a module or class body, else 0 */
	uint32_t index;    /* 0 is the innermost of its thread */
	uint32_t eval_depth; /* which activation of the eval loop runs it */
	int32_t line;      /* -1: unknown */
};

/* Calls fn for each thread state of each interpreter, at most 100,000; a non-zero
 * return stops and is returned. */
typedef int (*rme_thread_fn)(void *arg, const struct rme_python_thread *thread);
int rme_threads_each(struct rme_python *py, rme_thread_fn fn, void *arg);

/* The thread state of the request's thread: by thread pointer, else by LWP. False
 * with "no-python-thread" when that thread runs no Python. Holds its own guard. */
bool rme_thread_selected(struct rme_python *py, struct rme_python_thread *ret,
			 struct rme_error *error);

/* Calls fn for each Python frame of the thread, innermost first, at most 1,000,000;
 * shims and trampolines are left out. A non-zero return stops and is returned. */
typedef int (*rme_frame_fn)(void *arg, const struct rme_frame *frame);
int rme_frames_each(struct rme_python *py, rme_addr tstate, rme_frame_fn fn, void *arg);

/* The frame that the request selects (frame, else eval_depth, else the innermost).
 * False with "no-python-frame" or "no-such-frame". Holds its own guard. */
bool rme_frame_selected(struct rme_python *py, const struct rme_python_thread *thread,
			struct rme_frame *ret, struct rme_error *error);

/* Calls fn for each bound local of the frame: arguments and locals, cells (their
 * content), free variables; for a module or class body the entries of its
 * namespace. `name` is a str object. Compiler temporaries (".0") are included. */
typedef int (*rme_local_fn)(void *arg, rme_addr name, rme_addr value);
int rme_locals_each(struct rme_python *py, const struct rme_frame *frame, rme_local_fn fn,
		    void *arg);

/* Appends the function's name (qualified from 3.11) or the file. */
void rme_frame_function_append(struct rme_python *py, const struct rme_frame *frame,
			       struct rme_buffer *out);
void rme_frame_file_append(struct rme_python *py, const struct rme_frame *frame,
			   struct rme_buffer *out);

#endif
