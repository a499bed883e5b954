/* The memory that CPython's own allocator (Objects/obmalloc.c) has taken from the
 * system for small blocks, and how much of it is in use. Knows no query and no graph. */
#ifndef RME_CPYTHON_ARENAS_H
#define RME_CPYTHON_ARENAS_H

#include "cpython/python.h"

struct rme_arenas {
	uint64_t n;
	uint64_t bytes;     /* taken from the system and touched */
	uint64_t allocated; /* of these, in blocks that are in use, rounded up as they are */
	uint64_t n_blocks;
};

/* False when it cannot be known: up to 3.11 the list of arenas has no symbol. Holds its
 * own guard. */
bool rme_arenas_read(struct rme_python *py, struct rme_arenas *ret);

/* The same arenas one by one, up to where each has been used: at most `max` of them, in no
 * order. Returns how many; 0 when it cannot be known. Holds its own guard. */
uint64_t rme_arenas_list(struct rme_python *py, struct rme_range *ret, uint64_t max);

#endif
