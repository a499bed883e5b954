/* What the interpreters hold by themselves: the roots of the whole heap, with names,
 * and the garbage collector's lists. Knows no query and no graph. */
#ifndef RME_CPYTHON_ROOTS_H
#define RME_CPYTHON_ROOTS_H

#include "cpython/facts.h"
#include "cpython/frame.h"

enum rme_root_kind {
	RME_ROOT_MODULE,      /* a module of sys.modules, or its namespace; `name` is its key */
	RME_ROOT_LOCAL,       /* a variable of a running frame; `name` says which */
	RME_ROOT_FRAME,       /* what a running frame holds besides: function, namespace */
	RME_ROOT_STACK,       /* a word on the value stack of a running frame, whose depth is
	                         not known: it may be stale */
	RME_ROOT_THREAD,      /* a field of a thread state; `text` says which */
	RME_ROOT_INTERPRETER, /* a field of an interpreter */
	RME_ROOT_TYPE         /* a static type */
};

/* One reference from outside of the heap. */
struct rme_root {
	rme_addr object;
	rme_addr name;      /* a str, or 0 */
	rme_addr code;      /* LOCAL, FRAME, STACK: of the frame */
	uint64_t thread;    /* the debugger's number, else the LWP; 0: not known */
	int32_t line;       /* of the frame; -1: not known */
	uint32_t frame;     /* its number, innermost 0 */
	uint64_t interp_id; /* 0: the main interpreter */
	uint8_t kind;       /* enum rme_root_kind */
	bool counted;       /* the object's reference count has this reference in it */
	char text[30];      /* or empty. No pointer to the helper's own: roots are kept for
	                       later questions, when the helper lies elsewhere */
};

/* Calls fn for every root but the static types, most telling names first; the same
 * object may come several times. Holds its own guards: what faults is left out. */
typedef void (*rme_root_fn)(void *arg, const struct rme_root *root);
void rme_roots_each(struct rme_python *py, rme_root_fn fn, void *arg);

/* The name of a root: `module app.cache`, `frame 1 (main at app.py:9) of thread 2`,
 * `builtins`. Holds its own guard. */
void rme_root_append(struct rme_python *py, const struct rme_root *root, struct rme_buffer *out);

/* What the collector's lists were found to be. */
enum rme_lists {
	RME_LISTS_COMPLETE,
	RME_LISTS_AT_WORK, /* a collection is in progress somewhere: its lists were left out */
	RME_LISTS_BROKEN   /* one is not linked as it should be */
};

/* Calls fn for every object in the collector's lists, all generations of all
 * interpreters; of a broken one for what can be reached from both ends, perhaps twice.
 * Holds its own guards. */
typedef void (*rme_object_fn)(void *arg, rme_addr object);
enum rme_lists rme_collector_each(struct rme_python *py, rme_object_fn fn, void *arg);

/* Is the object immortal (3.12+): its reference count stands still. */
static inline bool rme_is_immortal(const struct rme_python *py, rme_addr object)
{
	/* Include/object.h, _Py_IsImmortal: the low half is negative. */
	return rme_has_immortal_objects(py) &&
	       rme_i32(object + (uint64_t)py->layout->object_refcnt) < 0;
}

#endif
