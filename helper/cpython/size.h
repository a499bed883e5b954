/* Own sizes: what sys.getsizeof returns in that very interpreter. Knows no query
 * and no graph. */
#ifndef RME_CPYTHON_SIZE_H
#define RME_CPYTHON_SIZE_H

#include "cpython/type.h"

/* Bytes of the object itself, headers included. An instance of a type with a
 * __sizeof__ that is not known here counts its basic size and items, and is noted
 * in t->n_estimated. May fault: hold a guard. */
uint64_t rme_size_of(struct rme_python *py, struct rme_type *t, rme_addr object);

#endif
