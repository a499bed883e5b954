/* Where references go: what "the references of a node" are handed to. Its `visit`
 * has the signature of CPython's visitproc, so that a type's own tp_traverse can
 * call it. Nothing Python-specific here. */
#ifndef RME_RUNTIME_SINK_H
#define RME_RUNTIME_SINK_H

#include "runtime/memory.h"

struct rme_sink {
	/* One reference; NULL is ignored. Returns 0. */
	int (*visit)(void *object, void *arg);
	/* `count` references at first, first + stride, …: read when they are needed,
	 * so a list of ten million costs no stack. Stride 0 to 2^32 - 1. */
	void (*range)(void *arg, rme_addr first, uint64_t count, uint64_t stride);
	void *arg;
};

static inline void rme_sink_visit(const struct rme_sink *sink, rme_addr object)
{
	sink->visit((void *)object, sink->arg);
}

#endif
