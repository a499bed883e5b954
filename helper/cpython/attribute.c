#include "cpython/attribute.h"

#include "cpython/facts.h"
#include "cpython/str.h"

enum { MAX_ITEMS = 1 << 30 };

/* The word of the pre-header, which stands below PyGC_Head: Include/internal/
 * pycore_object.h, _PyObject_DictPointer (3.11), _PyObject_DictOrValuesPointer (3.12),
 * MANAGED_DICT_OFFSET (3.13). */
enum { MANAGED_DICT_OFFSET = 24 };

static void managed_read(const struct rme_python *py, rme_addr object, rme_addr type,
                         struct rme_instance *ret)
{
	const struct rme_layout *l = py->layout;
	rme_addr word = rme_ptr(object - MANAGED_DICT_OFFSET);

	if (rme_has_inline_values(py)) {
		ret->dict = word;
		if (!(rme_u64(type + (uint64_t)l->type_flags) & RME_FLAG_INLINE_VALUES))
			return;
		rme_addr values = object + rme_u64(type + (uint64_t)l->type_basicsize);
		if (rme_u8(values + (uint64_t)l->values_valid)) {
			ret->values = values + (uint64_t)l->values_values;
			ret->n_values = rme_u8(values + (uint64_t)l->values_capacity);
		}
	} else if (rme_has_dict_or_values(py)) {
		/* The low bit marks values; they begin one byte further. */
		if (word & 1)
			ret->values = word + 1 + (uint64_t)l->values_values;
		else
			ret->dict = word;
	} else {
		ret->dict = word;
		ret->values = rme_ptr(object - (uint64_t)rme_constant(py, RME_values_before));
	}
	if (ret->values) {
		ret->keys = rme_ptr(type + (uint64_t)l->heaptype_cached_keys);
		if (!rme_has_inline_values(py))
			ret->n_values = (uint64_t)rme_constant(py, RME_shared_keys_max);
	}
}

void rme_instance_read(const struct rme_python *py, rme_addr object, struct rme_instance *ret)
{
	const struct rme_layout *l = py->layout;
	rme_addr type = rme_type_of(py, object);
	int64_t offset = rme_i64(type + (uint64_t)l->type_dictoffset);

	*ret = (struct rme_instance){0};
	if (rme_is_a(py, object, RME_TYPE_SUBCLASS)) {
		ret->dict = rme_type_dict(py, object); /* type.__dictoffset__ is tp_dict's */
		return;
	}
	if (rme_has_managed_dict(py) &&
	    rme_u64(type + (uint64_t)l->type_flags) & RME_FLAG_MANAGED_DICT) {
		managed_read(py, object, type, ret);
		return;
	}
	if (offset < 0) {
		/* From the end of an object of variable size: _PyObject_GetDictPtr. */
		int64_t n = rme_i64(object + (uint64_t)l->var_size);
		uint64_t size = rme_u64(type + (uint64_t)l->type_basicsize);
		if (n < 0)
			n = -n;
		if (n > MAX_ITEMS)
			return;
		size += (uint64_t)n * rme_u64(type + (uint64_t)l->type_itemsize);
		offset += (int64_t)((size + 7) & ~7ull);
		if (offset < l->object_size)
			return;
	}
	if (offset)
		ret->dict = rme_ptr(object + (uint64_t)offset);
}

rme_addr rme_instance_dict(const struct rme_python *py, rme_addr object)
{
	struct rme_instance in;

	rme_instance_read(py, object, &in);
	return in.dict;
}

/* For an instance without a dict object: one that has both (3.13) shows the same values
 * in its dict. */
static bool open_values(const struct rme_python *py, const struct rme_instance *in,
                        struct rme_dict_iter *it)
{
	*it = (struct rme_dict_iter){0};
	return in->values && rme_dict_iter_values(py, in->keys, in->values, in->n_values, it);
}

rme_addr rme_instance_get(const struct rme_python *py, rme_addr object, const void *utf8, size_t n)
{
	struct rme_instance in;
	struct rme_dict_iter it;

	rme_instance_read(py, object, &in);
	if (in.dict)
		return rme_dict_get_str(py, in.dict, utf8, n);
	if (open_values(py, &in, &it))
		while (rme_dict_next(py, 0, &it))
			if (rme_str_equals(py, it.key, utf8, n))
				return it.value;
	return 0;
}

struct slots {
	const struct rme_python *py;
	rme_addr object;
	rme_attribute_fn fn;
	void *arg;
};

static int on_member(void *arg, const struct rme_member *m)
{
	struct slots *s = arg;

	if (!m->slot || m->kind != RME_MEMBER_OBJECT_EX)
		return 0;
	rme_addr value = rme_ptr(rme_member_at(s->py, s->object, m->offset, m->after_items));
	return value ? s->fn(s->arg, 0, m->name, value) : 0;
}

int rme_attributes_each(const struct rme_python *py, rme_addr object, rme_attribute_fn fn,
                        void *arg)
{
	struct slots slots = {py, object, fn, arg};
	struct rme_instance in;
	struct rme_dict_iter it = {0};
	int stop;

	rme_instance_read(py, object, &in);
	if (!in.dict)
		open_values(py, &in, &it);
	while (rme_dict_next(py, in.dict, &it)) {
		stop = fn(arg, it.key, NULL, it.value);
		if (stop)
			return stop;
	}
	return rme_members_each(py, rme_type_of(py, object), on_member, &slots);
}
