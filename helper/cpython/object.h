/* Reading the few builtin objects that names, paths and labels are made of: str,
 * int, tuple, dict. No code of the debuggee runs. All loads may fault: callers
 * hold a guard. */
#ifndef RME_CPYTHON_OBJECT_H
#define RME_CPYTHON_OBJECT_H

#include "cpython/python.h"

/* Appends the text of a str as UTF-8, at most `max` characters of it (then "…").
 * Lone surrogates become U+FFFD. Not a str: appends nothing, returns false. */
bool rme_str_append(const struct rme_python *py, rme_addr str, size_t max,
		    struct rme_buffer *out);

/* Is the str equal to these UTF-8 bytes? */
bool rme_str_equals(const struct rme_python *py, rme_addr str, const void *utf8, size_t n);

/* The value of an int that fits int64_t; false when it does not. */
bool rme_int_value(const struct rme_python *py, rme_addr object, int64_t *ret);

/* Items of a tuple or list (or a subclass of one). */
uint64_t rme_sequence_length(const struct rme_python *py, rme_addr sequence);
rme_addr rme_tuple_item(const struct rme_python *py, rme_addr tuple, uint64_t i);
rme_addr rme_list_item(const struct rme_python *py, rme_addr list, uint64_t i);

/* Iterates the live entries of a dict in insertion order (of the table), every
 * form: general, unicode keys, split, embedded values (3.13). Bounded by what the
 * key table may hold. Start with a zeroed iterator. */
struct rme_dict_iter {
	uint64_t index;
	rme_addr key; /* may be a non-str object */
	rme_addr value;
};
bool rme_dict_next(const struct rme_python *py, rme_addr dict, struct rme_dict_iter *it);

/* The value of a str or int key, by comparison with every entry (no hashing: the
 * hash is randomised); 0 when absent. */
rme_addr rme_dict_get_str(const struct rme_python *py, rme_addr dict, const void *utf8, size_t n);
rme_addr rme_dict_get_int(const struct rme_python *py, rme_addr dict, int64_t key);

/* The raw tables, for sizes and references. */
struct rme_keys {
	rme_addr entries;
	uint64_t size;       /* slots of the hash table, 2^n */
	uint64_t index_bytes;
	uint64_t entry_size; /* 24: hash, key, value; 16: key, value */
	uint64_t n_entries;
	uint64_t n_usable;
	bool split;          /* values live elsewhere */
	bool unicode;        /* every key is an exact str: tp_traverse skips them */
};
/* False when the numbers contradict each other (a table being resized). */
bool rme_keys_read(const struct rme_python *py, rme_addr keys, struct rme_keys *ret);

/* Type name as a programmer writes it: "list", "app.models.User",
 * "collections.deque": module and qualified name, module left out for builtins. */
void rme_type_name_append(struct rme_python *py, rme_addr type, struct rme_buffer *out);

/* tp_dict of any type; for static builtin types of 3.12+ the one of the main
 * interpreter's state. 0 when there is none. */
rme_addr rme_type_dict(struct rme_python *py, rme_addr type);

/* Raw attribute lookup along the MRO, no descriptors called; 0 when absent. */
rme_addr rme_type_lookup(struct rme_python *py, rme_addr type, const void *utf8, size_t n);

/* Instance attributes: calls fn(arg, name, value) for the entries of the instance
 * dict (any form: slot, managed, inline values, shared values), then for every
 * set __slots__ member. A non-zero return stops. */
typedef int (*rme_attribute_fn)(void *arg, rme_addr name, const char *slot_name, rme_addr value);
int rme_attributes_each(struct rme_python *py, rme_addr object, rme_attribute_fn fn, void *arg);

/* The address of the instance's dict object, or 0 (none yet, or inline values). */
rme_addr rme_instance_dict(struct rme_python *py, rme_addr object);

#endif
