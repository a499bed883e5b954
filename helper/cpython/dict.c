#include "cpython/dict.h"

#include "cpython/object.h"
#include "cpython/str.h"

/* A key table of a process holds fewer slots than its address space has bytes. */
enum { LOG2_SIZE_MAX = 40 };

enum { DICT_KEYS_GENERAL = 0, DICT_KEYS_SPLIT = 2 }; /* pycore_dict.h, 3.11+ */

bool rme_keys_read(const struct rme_python *py, rme_addr keys, struct rme_keys *ret)
{
	const struct rme_layout *l = py->layout;
	int64_t usable = rme_i64(keys + (uint64_t)l->keys_usable);
	int64_t n_entries = rme_i64(keys + (uint64_t)l->keys_nentries);

	ret->entry_size = 24;
	ret->split = false;
	ret->unicode = false;
	if (l->keys_log2_size != RME_ABSENT) {
		unsigned log2_size = rme_u8(keys + (uint64_t)l->keys_log2_size);
		unsigned log2_bytes = rme_u8(keys + (uint64_t)l->keys_log2_index_bytes);
		unsigned kind = rme_u8(keys + (uint64_t)l->keys_kind);
		if (log2_size > LOG2_SIZE_MAX || log2_bytes > log2_size + 3 ||
		    kind > DICT_KEYS_SPLIT)
			return false;
		ret->size = 1ull << log2_size;
		ret->index_bytes = 1ull << log2_bytes;
		if (kind != DICT_KEYS_GENERAL) {
			ret->entry_size = 16;
			ret->unicode = true;
			ret->split = kind == DICT_KEYS_SPLIT;
		}
	} else {
		/* DK_IXSIZE, Objects/dict-common.h up to 3.10 */
		ret->size = rme_u64(keys + (uint64_t)l->keys_size);
		if (!ret->size || ret->size & (ret->size - 1) || ret->size >> LOG2_SIZE_MAX)
			return false;
		ret->index_bytes = ret->size * (ret->size <= 0xff         ? 1
		                                : ret->size <= 0xffff     ? 2
		                                : ret->size <= 0xffffffff ? 4
		                                                          : 8);
		ret->unicode =
		    py->lookdict && rme_ptr(keys + (uint64_t)l->keys_lookup) != py->lookdict;
	}
	if (usable < 0 || n_entries < 0 ||
	    (uint64_t)usable + (uint64_t)n_entries > rme_keys_capacity(ret->size))
		return false;
	ret->entries = keys + (uint64_t)l->keys_indices + ret->index_bytes;
	ret->n_entries = (uint64_t)n_entries;
	ret->n_usable = (uint64_t)usable;
	return true;
}

rme_addr rme_keys_key(const struct rme_keys *keys, uint64_t i)
{
	return rme_ptr(keys->entries + i * keys->entry_size + keys->entry_size - 16);
}

rme_addr rme_keys_value(const struct rme_keys *keys, uint64_t i)
{
	return rme_ptr(keys->entries + i * keys->entry_size + keys->entry_size - 8);
}

bool rme_dict_iter_values(const struct rme_python *py, rme_addr keys, rme_addr values,
                          uint64_t n_values, struct rme_dict_iter *it)
{
	if (!keys || !rme_keys_read(py, keys, &it->keys))
		return false;
	if (it->keys.n_entries > n_values)
		it->keys.n_entries = n_values;
	it->index = 0;
	it->values = values;
	it->open = true;
	return true;
}

bool rme_is_dict(const struct rme_python *py, rme_addr object)
{
	enum { MAX_BASES = 1000 };

	if (rme_is_a(py, object, RME_DICT_SUBCLASS))
		return true;
	rme_addr type = py->sym.frozendict ? rme_type_of(py, object) : 0;
	for (int i = 0; type && i < MAX_BASES; i++) {
		if (type == py->sym.frozendict)
			return true;
		type = rme_ptr(type + (uint64_t)py->layout->type_base);
	}
	return false;
}

static bool dict_open(const struct rme_python *py, rme_addr dict, struct rme_dict_iter *it)
{
	const struct rme_layout *l = py->layout;

	if (rme_type_of(py, dict) != py->sym.dict && !rme_is_dict(py, dict))
		return false;
	rme_addr values = rme_ptr(dict + (uint64_t)l->dict_values);
	uint64_t n_values = UINT64_MAX;
	if (values) {
		if (l->values_capacity != RME_ABSENT)
			n_values = rme_u8(values + (uint64_t)l->values_capacity);
		if (l->values_values != RME_ABSENT)
			values += (uint64_t)l->values_values;
	}
	if (!rme_dict_iter_values(py, rme_ptr(dict + (uint64_t)l->dict_keys), values, n_values, it))
		return false;
	/* dictresize installs a table of its own before it drops the values. */
	if (l->keys_kind != RME_ABSENT && !it->keys.split)
		it->values = 0;
	return true;
}

bool rme_dict_next(const struct rme_python *py, rme_addr dict, struct rme_dict_iter *it)
{
	if (!it->open && (!dict || !dict_open(py, dict, it)))
		return false;
	while (it->index < it->keys.n_entries) {
		uint64_t i = it->index++;
		it->key = rme_keys_key(&it->keys, i);
		it->value = it->values ? rme_ptr(it->values + 8 * i) : rme_keys_value(&it->keys, i);
		if (it->key && it->value)
			return true;
	}
	return false;
}

rme_addr rme_dict_get_str(const struct rme_python *py, rme_addr dict, const void *utf8, size_t n)
{
	struct rme_dict_iter it = {0};

	while (rme_dict_next(py, dict, &it))
		if (rme_str_equals(py, it.key, utf8, n))
			return it.value;
	return 0;
}

rme_addr rme_dict_get_int(const struct rme_python *py, rme_addr dict, int64_t key)
{
	struct rme_dict_iter it = {0};
	int64_t value;

	while (rme_dict_next(py, dict, &it))
		if (rme_int_value(py, it.key, &value) && value == key)
			return it.value;
	return 0;
}

/* importlib locks a module under the thread's number: this dict had an int key as
 * soon as anything was imported (Lib/importlib/_bootstrap.py, _ModuleLock.acquire),
 * and a table does not go back to str keys. */
static rme_addr lookdict_of_importlib(const struct rme_python *py)
{
	static const char name[] = "_frozen_importlib", member[] = "_blocking_on";
	const struct rme_layout *l = py->layout;
	rme_addr modules = rme_ptr(py->interp + (uint64_t)l->interp_modules);
	rme_addr module = rme_dict_get_str(py, modules, name, sizeof name - 1);

	if (!module || rme_type_of(py, module) != py->sym.module)
		return 0;
	rme_addr dict = rme_dict_get_str(py, rme_ptr(module + (uint64_t)l->module_dict), member,
	                                 sizeof member - 1);
	if (!dict || rme_type_of(py, dict) != py->sym.dict)
		return 0;
	rme_addr keys = rme_ptr(dict + (uint64_t)l->dict_keys);
	/* The shared table of empty dicts is one of str keys: its size is 1. */
	if (!keys || rme_u64(keys + (uint64_t)l->keys_size) < 8)
		return 0;
	return rme_ptr(keys + (uint64_t)l->keys_lookup);
}

rme_addr rme_dict_find_lookdict(struct rme_python *py)
{
	struct rme_guard guard;

	if (py->layout->keys_lookup == RME_ABSENT)
		return 0;
	if (RME_GUARD(py->guards, &guard)) {
		rme_addr found = lookdict_of_importlib(py);
		rme_guard_pop(py->guards, &guard);
		return found;
	}
	return 0;
}
