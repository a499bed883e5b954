/* Reading the few builtin objects that names, paths and labels are made of: int,
 * bytes, tuple, list, deque here; str, dict, classes and attributes in the headers
 * below. No code of the debuggee runs. All loads may fault: callers hold a guard. */
#ifndef RME_CPYTHON_OBJECT_H
#define RME_CPYTHON_OBJECT_H

#include "cpython/attribute.h"
#include "cpython/class.h"
#include "cpython/dict.h"
#include "cpython/python.h"
#include "cpython/str.h"

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

/* Is the object a collections.deque or a subclass of it? */
bool rme_is_deque(const struct rme_python *py, rme_addr object);

/* Calls fn(arg, index, item) for the items of a deque, no more than its length; a
 * non-zero return stops and is returned. */
typedef int (*rme_item_fn)(void *arg, uint64_t index, rme_addr item);
int rme_deque_each(const struct rme_python *py, rme_addr deque, rme_item_fn fn, void *arg);

/* Appends an object as a key of a container is written: "text", 17, b"\x00", None,
 * ("a", 1); <type> for what is none of these, "…" for the rest of what is long. */
void rme_key_append(struct rme_python *py, rme_addr key, struct rme_buffer *out);

#endif
