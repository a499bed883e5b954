/* Guessing: which words of a piece of memory are references to objects. */
#ifndef RME_CPYTHON_CONSERVATIVE_H
#define RME_CPYTHON_CONSERVATIVE_H

#include "cpython/python.h"
#include "runtime/sink.h"

/* Whatever looks like an object among the words [from, to) but the one at
 * `not_this`; how many do. */
uint64_t rme_refs_guess(struct rme_python *py, rme_addr from, rme_addr to, rme_addr not_this,
                        const struct rme_sink *sink);

#endif
