/* Reading a collections.deque. All loads may fault: callers hold a guard. */
#ifndef RME_CPYTHON_DEQUE_H
#define RME_CPYTHON_DEQUE_H

#include "cpython/python.h"

/* Is the object a collections.deque or a subclass of it? */
bool rme_is_deque(const struct rme_python *py, rme_addr object);

/* Calls fn(arg, index, item) for the items of a deque, no more than its length; a
 * non-zero return stops and is returned. */
typedef int (*rme_item_fn)(void *arg, uint64_t index, rme_addr item);
int rme_deque_each(const struct rme_python *py, rme_addr deque, rme_item_fn fn, void *arg);

#endif
