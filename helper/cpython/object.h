/* Reading the plainest of builtin objects: int, bytes, tuple, list. (str, dict, deque,
 * classes and attributes have files of their own.) No code of the debuggee runs. All
 * loads may fault: callers hold a guard. */
#ifndef RME_CPYTHON_OBJECT_H
#define RME_CPYTHON_OBJECT_H

#include "cpython/python.h"

/* The value of an int (or bool) that fits int64_t; false when it does not, or when
 * the object is no int. */
bool rme_int_value(const struct rme_python *py, rme_addr object, int64_t *ret);

/* Is the object a bytes object of this content? */
bool rme_bytes_equals(const struct rme_python *py, rme_addr object, const void *data, size_t n);

/* The bytes of a bytes object, in the debuggee; false when it is none. */
bool rme_bytes_read(const struct rme_python *py, rme_addr object, rme_addr *data, uint64_t *n);

/* Items of a tuple or list (or a subclass of one); 0 of anything else. A list that
 * is being resized or sorted shows no more than its allocation. */
uint64_t rme_sequence_length(const struct rme_python *py, rme_addr sequence);

/* An item, unchecked: `i` below rme_sequence_length, the object a tuple or a list. May
 * be 0 in one that is being filled. */
rme_addr rme_tuple_item(const struct rme_python *py, rme_addr tuple, uint64_t i);
rme_addr rme_list_item(const struct rme_python *py, rme_addr list, uint64_t i);

#endif
