/* Words that hold references with a tag, as frames have them since 3.14, and how deep a
 * frame's stack is. */
#ifndef RME_CPYTHON_STACKREF_H
#define RME_CPYTHON_STACKREF_H

#include "cpython/python.h"

/* Are the slots of frames _PyStackRef (pycore_stackref.h)? */
static inline bool rme_has_stackrefs(const struct rme_python *py)
{
	return py->layout->iframe_stackpointer != RME_ABSENT;
}

/* The object that the word of a frame refers to, or 0. Bit 0 of a _PyStackRef says that it holds
 * no count of its own, and bit 1 that it is no reference: a small int, a mark. */
static inline rme_addr rme_stackref(const struct rme_python *py, rme_addr word)
{
	if (!rme_has_stackrefs(py))
		return word;
	return word & 2 ? 0 : word & ~1ull;
}

/* How many slots of a frame are in use, variables first; -1: not known, it runs. From 3.14 on what
 * the frame says may be out of date while its thread is between two calls. */
static inline int32_t rme_iframe_top(const struct rme_python *py, rme_addr iframe)
{
	enum { MAX_SLOTS = 1 << 24 };
	const struct rme_layout *l = py->layout;

	if (!rme_has_stackrefs(py))
		return rme_i32(iframe + (uint64_t)l->iframe_stacktop);
	rme_addr first = iframe + (uint64_t)l->iframe_localsplus;
	rme_addr top = rme_ptr(iframe + (uint64_t)l->iframe_stackpointer);
	return top >= first && (top - first) / 8 < MAX_SLOTS ? (int32_t)((top - first) / 8) : -1;
}

#endif
