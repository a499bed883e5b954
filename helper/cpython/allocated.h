/* What the allocator gave for an object: its block and those of its buffers, each with the
 * allocator's own rounding, and the attribute storage of instances that getsizeof does
 * not see. Knows no query and no graph. */
#ifndef RME_CPYTHON_ALLOCATED_H
#define RME_CPYTHON_ALLOCATED_H

#include "cpython/type.h"

/* Learns which allocator serves small blocks, from the dict of sys.modules: py->no_pymalloc is
 * set where it is malloc (PYTHONMALLOC), or has margins (its debug hooks). */
void rme_allocated_init(struct rme_python *py);

/* Is there a block of pymalloc, and not among its free ones? Holds its own guard. */
bool rme_is_kept_block(const struct rme_python *py, rme_addr at);

/* Bytes. `own_size` is rme_size_of's. May fault: hold a guard. */
uint64_t rme_allocated_of(struct rme_python *py, const struct rme_type *t, rme_addr object,
                          uint64_t own_size);

#endif
