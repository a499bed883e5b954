/* What the tp_traverse of builtin types visits, read by their layout. refs.c uses these
 * where that is faster than a call per reference, layout_rules.c where there is no code to
 * call. All loads may fault: callers hold a guard. */
#ifndef RME_CPYTHON_READERS_H
#define RME_CPYTHON_READERS_H

#include "cpython/type.h"
#include "runtime/sink.h"

/* Does a BytesIO share its buffer? Then that is not in its own size. */
bool rme_bytesio_shares(const struct rme_python *py, rme_addr bytesio);

/* The items of a list, of a tuple. Faults before the first when the length is not to be
 * believed. */
void rme_refs_list(struct rme_python *py, rme_addr list, const struct rme_sink *sink);
void rme_refs_tuple(struct rme_python *py, rme_addr tuple, const struct rme_sink *sink);

/* What the tp_traverse of a builtin type visits, by layout: of a set, of a function
 * without its namespaces, of a structseq of type `t`. */
void rme_refs_set(struct rme_python *py, rme_addr set, const struct rme_sink *sink);
void rme_refs_function(struct rme_python *py, rme_addr function, const struct rme_sink *sink);
void rme_refs_structseq(struct rme_python *py, struct rme_type *t, rme_addr o,
                        const struct rme_sink *sink);

/* The entries of a dict of any form: values, and keys where asked or where
 * tp_traverse visits them (a general table). */
void rme_refs_dict(struct rme_python *py, rme_addr dict, bool keys, const struct rme_sink *sink);

/* A frame object's references without its globals and builtins. */
void rme_refs_frame(struct rme_python *py, rme_addr frame, bool owned, const struct rme_sink *sink);

/* What _PyFrame_Traverse (Python/frame.c, 3.11+) visits of an interpreter frame;
 * with `all` also the locals of a frame that runs, which it omits up to 3.13. */
void rme_refs_iframe(struct rme_python *py, rme_addr iframe, bool all, const struct rme_sink *sink);

/* The locals of a frame that runs: its stack pointer lives in a register meanwhile, so
 * the locals are sure and the values on the stack are not. */
void rme_refs_iframe_locals(struct rme_python *py, rme_addr iframe, const struct rme_sink *sink);

/* The reference at `field` of the object, if this version has that field. */
static inline void rme_refs_field(const struct rme_sink *sink, rme_addr object, int32_t field)
{
	if (field != RME_ABSENT)
		rme_sink_visit(sink, rme_ptr(object + (uint64_t)field));
}

#endif
