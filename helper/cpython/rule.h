/* How the references of a native type are read by layout alone: the row that known.c and
 * layout_rules.c fill in, and that layout_rules.c reads by. */
#ifndef RME_CPYTHON_RULE_H
#define RME_CPYTHON_RULE_H

#include "cpython/layout.h"

/* To add one: a name in known.c, a function in layout_rules.c. */
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

/* In rme_rule.words: the pointer at that field. */
static inline uint64_t rme_word_bit(int32_t field)
{
	return field == RME_ABSENT ? 0 : 1ull << field / 8;
}

#endif
