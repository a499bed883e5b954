/* References by layout alone, for types whose tp_traverse may not be called because its
 * binary is missing: the named builtins by their fields, anything else by what looks
 * like an object within its basic size. */
#include "cpython/refs.h"

#define L(field) ((uint64_t)py->layout->field)

void rme_refs_inferred(struct rme_python *py, struct rme_type *t, rme_addr o,
		       const struct rme_sink *sink)
{
	t->n_inferred++;
	t->example = o;
	for (uint64_t at = L(object_size); at + 8 <= t->basicsize; at += 8) {
		rme_addr word = rme_ptr(o + at);
		if (rme_is_object(py, word))
			rme_sink_visit(sink, word);
	}
}
