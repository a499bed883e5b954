#include "cpython/subscript.h"

#include "cpython/deque.h"
#include "cpython/dict.h"
#include "cpython/object.h"

static rme_addr in_dict(const struct rme_python *py, rme_addr dict, const struct rme_key *k)
{
	struct rme_dict_iter it = {0};

	if (k->kind == RME_STEP_KEY_STR)
		return rme_dict_get_str(py, dict, k->data, k->n);
	if (k->kind == RME_STEP_KEY_INT)
		return rme_dict_get_int(py, dict, k->integer);
	while (rme_dict_next(py, dict, &it))
		if (k->kind == RME_STEP_KEY_NONE ? it.key == py->sym.none
		                                 : rme_bytes_equals(py, it.key, k->data, k->n))
			return it.value;
	return 0;
}

struct wanted {
	uint64_t index;
	rme_addr value;
};

static int on_item(void *arg, uint64_t index, rme_addr item)
{
	struct wanted *w = arg;

	if (index != w->index)
		return 0;
	w->value = item;
	return 1;
}

static rme_addr in_sequence(const struct rme_python *py, rme_addr sequence, bool deque,
                            int64_t index, uint64_t length)
{
	struct wanted wanted = {(uint64_t)index, 0};

	if (index < 0)
		wanted.index += length;
	if (wanted.index >= length)
		return 0;
	if (rme_is_a(py, sequence, RME_LIST_SUBCLASS))
		return rme_list_item(py, sequence, wanted.index);
	if (!deque)
		return rme_tuple_item(py, sequence, wanted.index);
	rme_deque_each(py, sequence, on_item, &wanted);
	return wanted.value;
}

void rme_item_get(const struct rme_python *py, rme_addr object, const struct rme_key *key,
                  struct rme_item *ret)
{
	const struct rme_layout *l = py->layout;
	bool deque = rme_is_deque(py, object);

	*ret = (struct rme_item){.dict = object};
	if (rme_type_of(py, object) == py->sym.mappingproxy)
		ret->dict = rme_ptr(object + (uint64_t)l->mappingproxy_mapping);
	if (ret->dict && rme_is_dict(py, ret->dict)) {
		ret->container = RME_MAPPING;
		ret->value = in_dict(py, ret->dict, key);
		return;
	}
	if (!deque && !rme_is_a(py, object, RME_LIST_SUBCLASS) &&
	    !rme_is_a(py, object, RME_TUPLE_SUBCLASS))
		return;
	ret->container = RME_SEQUENCE;
	ret->length =
	    deque ? rme_u64(object + (uint64_t)l->var_size) : rme_sequence_length(py, object);
	if (key->kind == RME_STEP_KEY_INT)
		ret->value = in_sequence(py, object, deque, key->integer, ret->length);
}
