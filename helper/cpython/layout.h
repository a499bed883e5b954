/* Where the fields of CPython's structures are, version by version. The tables in
 * layouts/ are generated from fields.def by layouts/generate.py; nothing else in
 * the project knows an offset. The layouts of builtin objects never moved inside a
 * minor version so far; the runtime's did, so python.c checks a table against
 * the debuggee before it believes it, and so did extension modules' (pickle). */
#ifndef RME_CPYTHON_LAYOUT_H
#define RME_CPYTHON_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#define RME_ABSENT (-1) /* this version has no such field */

/* In a function that has a `py`: the offset or size of a field, and whether this version
 * has it. */
#define L(field)   ((uint64_t)py->layout->field)
#define HAS(field) (py->layout->field != RME_ABSENT)

struct rme_layout {
	uint32_t version;     /* PY_VERSION_HEX it was read from */
	uint32_t minor_first; /* the minor versions it serves, inclusive: 0x030c0000 is */
	uint32_t minor_last;  /* every 3.12 (mask a version with 0xffff0000) */
#define FIELD(member, spec) int32_t member;
#define SIZE(member, spec)  int32_t member;
#include "cpython/fields.def"
#undef FIELD
#undef SIZE
};

/* Layout table number `index`, oldest first, or NULL past the last. */
const struct rme_layout *rme_layout_at(unsigned index);

/* The tables that may serve a debuggee of that version (PY_VERSION_HEX; the patch
 * release may be unknown: 0x030a0000), the likeliest first: number `n`, or NULL past
 * the last. Where a patch release moved something there are several: the caller
 * takes the first whose self-check passes. */
const struct rme_layout *rme_layout_for(uint32_t version, unsigned n);

/* What the tp_traverse of a C type of the standard library visits, for those that
 * visit fixed fields only: to read such objects when the type's code is missing. */
struct rme_direct {
	uint64_t words;   /* bit i: the pointer at offset 8 * i is visited unless NULL */
	bool visits_type; /* the object's type is visited as well */
	bool heap_type;   /* the type has Py_TPFLAGS_HEAPTYPE */
};

/* The rule for a C type of that tp_name and tp_basicsize, false when it has none.
 * The caller must not ask for a class written in Python, whose name may be anything:
 * for one whose flags say otherwise than heap_type the rule is not meant. A managed
 * dict (Py_TPFLAGS_MANAGED_DICT) is not among the words. */
bool rme_direct_rule(const struct rme_layout *layout, const char *tp_name, uint64_t basicsize,
                     struct rme_direct *ret);

#endif
