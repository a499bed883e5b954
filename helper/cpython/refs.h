/* The references of an object, in either measure of DESIGN.md: what tp_traverse
 * visits (`references traverse`), or that and what an object owns besides. Knows no
 * query and no graph. */
#ifndef RME_CPYTHON_REFS_H
#define RME_CPYTHON_REFS_H

#include "cpython/type.h"
#include "runtime/sink.h"

/* Hands every reference of the object to the sink, duplicates and all; modules'
 * namespaces that hang on functions and frames are left out. May fault: hold a
 * guard. May call the type's own tp_traverse. */
void rme_refs_of(struct rme_python *py, struct rme_type *t, rme_addr object, bool owned,
                 const struct rme_sink *sink);

/* owned.c: what the object owns although its tp_traverse does not visit it. */
void rme_refs_owned(struct rme_python *py, struct rme_type *t, rme_addr object,
                    const struct rme_sink *sink);

/* Does a BytesIO share its buffer? Then that is not in its own size. */
bool rme_bytesio_shares(const struct rme_python *py, rme_addr bytesio);

/* inferred.c: the references by layout alone, for a type whose code may not run. */
void rme_refs_inferred(struct rme_python *py, struct rme_type *t, rme_addr object,
                       const struct rme_sink *sink);

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
