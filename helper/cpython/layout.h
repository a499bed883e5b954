/* Where the fields of CPython's structures are, version by version. The tables in
 * layouts/ are generated from fields.def by layouts/generate.py; nothing else in
 * the project knows an offset. Object layouts never moved inside a minor version
 * (3.8 to 3.13); the runtime's did, so python.c checks a table against the
 * debuggee before it believes it. */
#ifndef RME_CPYTHON_LAYOUT_H
#define RME_CPYTHON_LAYOUT_H

#include <stdint.h>

#define RME_ABSENT (-1) /* this version has no such field */

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

/* Layout table number `index`, or NULL past the last. Several may serve one
 * minor version: the caller takes the first whose self-check passes. */
const struct rme_layout *rme_layout_at(unsigned index);

#endif
