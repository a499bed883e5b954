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

#include "cpython/refs.h"

/* To add one: a name in reader_of, a function in layout_rules.c. */
enum rme_reader {
	RME_READ_WORDS, /* rme_rule.words are all */
	RME_READ_LIST,
	RME_READ_TUPLE,
	RME_READ_STRUCTSEQ,
	RME_READ_DICT,
	RME_READ_ODICT,
	RME_READ_SET,
	RME_READ_DEQUE,
	RME_READ_TYPE,
	RME_READ_CTYPE, /* ctypes' metatypes */
	RME_READ_FUNCTION,
	RME_READ_CFUNCTION,
	RME_READ_GENERATOR,
	RME_READ_FRAME,
	RME_READ_MODULE,
	RME_READ_LRU_CACHE,
	RME_READ_ELEMENT,
	RME_READ_TEE,
	RME_READ_QUEUE,    /* SimpleQueue, 3.13 */
	RME_READ_TEMPLATE, /* of re, 3.12+ */
	RME_READ_ITEMS,    /* ob_size of them behind tp_basicsize */
	RME_READ_CAPSULE
};

/* The rule of a native type. */
struct rme_rule {
	enum rme_reader reader;
	uint64_t words;   /* bit i: the pointer at offset 8 * i is a reference too */
	bool visits_type; /* the object's own type */
	bool managed;     /* its managed dict (Py_TPFLAGS_MANAGED_DICT) */
	bool guessed;     /* the words [scan_from, scan_to) are looked through, and items */
	uint64_t scan_from, scan_to;
	uint64_t scan_not;  /* but this one, of weak references; 0: none */
	uint64_t item_size; /* of the items behind scan_to, 0: there are none */
};

/* All that is done for the instances of a type. */
struct rme_inferred {
	struct rme_rule native;
	bool python_dict;    /* a dict that the Python classes added: rme_instance_read */
	bool python_managed; /* a managed one */
	bool python_type;    /* the class itself is visited */
	uint32_t n_slots;
	const uint64_t *slots; /* offsets of __slots__ */
};

/* layout_rules.c: the reader of a native type, by what it is or by its name (0: not
 * known); `words`, `visits_type` and `managed` are set too. False: no rule is known. */
bool rme_rule_find(struct rme_python *py, rme_addr type, struct rme_rule *ret);

/* layout_rules.c: is there a rule for native types of that tp_name alone? */
bool rme_rule_named(const struct rme_python *py, const char *name);

/* layout_rules.c: what rule->reader reads. True when it was not exact. */
bool rme_rule_read(struct rme_python *py, struct rme_type *t, const struct rme_rule *rule,
                   rme_addr o, const struct rme_sink *sink);

/* layout_rules.c: the managed dict or inline values, as PyObject_VisitManagedDict. */
void rme_refs_managed(struct rme_python *py, rme_addr o, const struct rme_sink *sink);

/* conservative.c: whatever looks like an object among the words [from, to) but the one at
 * `not_this`; how many do. */
uint64_t rme_refs_guess(struct rme_python *py, rme_addr from, rme_addr to, rme_addr not_this,
                        const struct rme_sink *sink);

#endif
