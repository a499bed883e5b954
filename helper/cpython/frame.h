/* The Python frames of a thread and their locals, every supported version. Knows no
 * query. All loads may fault: callers hold a guard, except where said. */
#ifndef RME_CPYTHON_FRAME_H
#define RME_CPYTHON_FRAME_H

#include "cpython/thread.h"

struct rme_frame {
	rme_addr address; /* _PyInterpreterFrame, or PyFrameObject up to 3.10 */
	rme_addr code;
	rme_addr function; /* 0 up to 3.10 */
	rme_addr globals;
	rme_addr builtins;
	rme_addr locals;     /* the namespace of a module or class body, else 0 */
	uint32_t index;      /* 0 is the innermost of its thread */
	uint32_t eval_depth; /* which activation of the eval loop runs it: 0 is the
	                        innermost. See frame.c */
	int32_t line;        /* -1: unknown */
};

/* Calls fn for each Python frame of the thread, innermost first, at most 1,000,000;
 * shims, trampolines and frames that are still being set up are left out, as
 * sys._getframe does. A non-zero return stops and is returned. */
typedef int (*rme_frame_fn)(void *arg, const struct rme_frame *frame);
int rme_frames_each(struct rme_python *py, rme_addr tstate, rme_frame_fn fn, void *arg);

/* The frame that the request selects (frame, else eval_depth, else the innermost).
 * False with "no-python-frame" or "no-such-frame". Holds its own guard. */
bool rme_frame_selected(struct rme_python *py, const struct rme_python_thread *thread,
                        struct rme_frame *ret, struct rme_error *error);

/* Calls fn for each bound local of the frame: arguments and locals, cells (their
 * content), free variables; for a module or class body the entries of its
 * namespace first. `name` is a str object (in a namespace, whatever the key is).
 * Compiler temporaries (".0") are included. */
typedef int (*rme_local_fn)(void *arg, rme_addr name, rme_addr value);
int rme_locals_each(struct rme_python *py, const struct rme_frame *frame, rme_local_fn fn,
                    void *arg);

/* The same for the variables of any code object whose slots are at `localsplus`: a
 * suspended generator's, a frame object's. */
int rme_variables_each(struct rme_python *py, rme_addr code, rme_addr localsplus, rme_local_fn fn,
                       void *arg);

/* The name of slot number `i`, a str; 0 past the last variable. */
rme_addr rme_variable_name(struct rme_python *py, rme_addr code, uint64_t i);

/* The _PyInterpreterFrame of a frame object or a generator (from 3.11); up to 3.10 the
 * frame object itself. 0 when it has none any more. */
rme_addr rme_frame_of_object(struct rme_python *py, rme_addr frame_object);
rme_addr rme_frame_of_generator(struct rme_python *py, rme_addr generator);

/* Fills in what a frame at that address shows; false when it is not one that runs, or
 * ran, Python code. index and eval_depth are left 0. */
bool rme_frame_read(struct rme_python *py, rme_addr address, struct rme_frame *ret);

/* Appends the function's name (qualified from 3.11) or the file. */
void rme_frame_function_append(struct rme_python *py, const struct rme_frame *frame,
                               struct rme_buffer *out);
void rme_frame_file_append(struct rme_python *py, const struct rme_frame *frame,
                           struct rme_buffer *out);

#endif
