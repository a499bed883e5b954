/* References by layout alone, for types whose tp_traverse may not be called because
 * its binary is missing. What is done for a type is worked out once:
 *
 *   - what CPython's subtype_traverse adds for a class written in Python: its slots,
 *     its instance dict, the class (inferred.c);
 *   - the rule of the native type below it: a reader of layout_rules.c, or the words
 *     of layouts/direct.inc, or, where its tp_traverse is its base's, that one's rule;
 *   - for a type that is not known: the rule of the nearest base that is, and what
 *     looks like an object in the words beyond (conservative.c). Only these are
 *     inexact, and are counted in rme_type.n_inferred. */
#ifndef RME_CPYTHON_INFERRED_H
#define RME_CPYTHON_INFERRED_H

#include "cpython/rule.h"
#include "cpython/type.h"
#include "runtime/sink.h"

/* All that is done for the instances of a type. */
struct rme_inferred {
	struct rme_rule native;
	bool python_dict;    /* a dict that the Python classes added: rme_instance_read */
	bool python_managed; /* a managed one */
	bool python_type;    /* the class itself is visited */
	uint32_t n_slots;
	const uint64_t *slots; /* offsets of __slots__; the top bit: after the items */
};

/* The references by layout alone, for a type whose code may not run. */
void rme_refs_inferred(struct rme_python *py, struct rme_type *t, rme_addr object,
                       const struct rme_sink *sink);

#endif
