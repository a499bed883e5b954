/* mmap.mmap objects: what they map is no heap and in no size, but much of what some programs
 * look like (numpy.memmap is an array over one). Knows no query. */
#ifndef RME_CPYTHON_MAPPING_H
#define RME_CPYTHON_MAPPING_H

#include "cpython/type.h"

struct rme_mapping {
	uint64_t bytes;
	bool anonymous; /* memory; else of a file, or shared memory that has a name */
};

/* False when the object maps nothing (it was closed). The type's kind is RME_KIND_MMAP. May
 * fault: hold a guard. */
bool rme_mapping_read(const struct rme_python *py, rme_addr object, struct rme_mapping *ret);

#endif
