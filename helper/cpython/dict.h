/* Reading dicts and their key tables in every form. All loads may fault: callers
 * hold a guard. */
#ifndef RME_CPYTHON_DICT_H
#define RME_CPYTHON_DICT_H

#include "cpython/python.h"

/* The raw tables, for sizes and references. */
struct rme_keys {
	rme_addr entries;
	uint64_t size; /* slots of the hash table, 2^n */
	uint64_t index_bytes;
	uint64_t entry_size; /* 24: hash, key, value; 16: key, value */
	uint64_t n_entries;  /* used so far, deleted ones included */
	uint64_t n_usable;   /* may still be added */
	bool split;          /* values live elsewhere; up to 3.10 the dict says it */
	bool unicode;        /* every key is an exact str: tp_traverse skips them */
};
/* False when the numbers contradict each other (a table being resized). */
bool rme_keys_read(const struct rme_python *py, rme_addr keys, struct rme_keys *ret);

/* The key of entry `i`, 0 for a deleted one, and in a table that is not split the
 * value. `i` is below n_entries. */
rme_addr rme_keys_key(const struct rme_keys *keys, uint64_t i);
rme_addr rme_keys_value(const struct rme_keys *keys, uint64_t i);

/* How many entries a table of `size` slots has room for (USABLE_FRACTION). */
static inline uint64_t rme_keys_capacity(uint64_t size)
{
	return (size << 1) / 3;
}

/* Up to 3.10 a key table with other keys than str is known by its lookup function,
 * which has no symbol: finds its address. 0 from 3.11 or when no dict shows it. Called
 * once, when sys.modules can be read; the result belongs in rme_python.lookdict.
 * Holds its own guard. */
rme_addr rme_dict_find_lookdict(struct rme_python *py);

/* Is it a dict, or a frozendict (3.15+), which is none but has the same structure? */
bool rme_is_dict(const struct rme_python *py, rme_addr object);

/* Iterates the live entries of a dict in insertion order (of the table), every
 * form: general, unicode keys, split, embedded values (3.13). Bounded by what the
 * key table may hold. Start with a zeroed iterator; an object that is no dict has no
 * entries. */
struct rme_dict_iter {
	uint64_t index;
	rme_addr key; /* may be a non-str object */
	rme_addr value;
	bool open; /* the rest is private */
	rme_addr values;
	struct rme_keys keys;
};
bool rme_dict_next(const struct rme_python *py, rme_addr dict, struct rme_dict_iter *it);

/* The same for a key table and its separate values: inline and shared ones. `n_values`
 * of them may be read. Open the iterator, then call rme_dict_next with dict 0. */
bool rme_dict_iter_values(const struct rme_python *py, rme_addr keys, rme_addr values,
                          uint64_t n_values, struct rme_dict_iter *it);

/* The value of a str or int key, by comparison with every entry (no hashing: the
 * hash is randomised); 0 when absent. */
rme_addr rme_dict_get_str(const struct rme_python *py, rme_addr dict, const void *utf8, size_t n);
rme_addr rme_dict_get_int(const struct rme_python *py, rme_addr dict, int64_t key);

#endif
