/* The mappings of the debuggee, as the request tells them: which memory may be looked at
 * without a fault, and whose it is. Knows no CPython and no query. */
#ifndef RME_NATIVE_MAPPINGS_H
#define RME_NATIVE_MAPPINGS_H

#include "rememberme.h"
#include "runtime/memory.h"

struct rme_mappings {
	const struct rme_vma *items; /* ascending, none overlaps another */
	uint64_t n;
};

/* The mapping that holds the address; NULL: none. */
const struct rme_vma *rme_mappings_find(const struct rme_mappings *m, rme_addr a);

/* Are the `n` bytes from `a` on in one mapping that can be written: memory of data? */
bool rme_mappings_hold(const struct rme_mappings *m, rme_addr a, uint64_t n);

static inline bool rme_mapping_is_data(const struct rme_vma *m)
{
	enum { WANTED = RME_VMA_READ | RME_VMA_WRITE };

	return (m->flags & WANTED) == WANTED;
}

/* Private memory of no file, that a program may have taken from the system for itself. */
static inline bool rme_mapping_is_anonymous(const struct rme_vma *m)
{
	return rme_mapping_is_data(m) && !(m->flags & (RME_VMA_FILE | RME_VMA_SHARED));
}

#endif
