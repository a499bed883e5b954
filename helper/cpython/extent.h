/* Where the largest part of an object's own size lies: in the object, or in a block of its own.
 * For whoever asks the system which pages of it are there. Knows no query. */
#ifndef RME_CPYTHON_EXTENT_H
#define RME_CPYTHON_EXTENT_H

#include "cpython/type.h"

struct rme_extent {
	rme_addr start;
	uint64_t size;
};

/* `own_size` is rme_size_of's. May fault: hold a guard. */
struct rme_extent rme_extent_of(struct rme_python *py, const struct rme_type *t, rme_addr object,
                                uint64_t own_size);

#endif
