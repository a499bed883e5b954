#include "cpython/object.h"

/* Objects/longobject.c: up to 3.11 ob_size is the signed number of 30-bit digits;
 * from 3.12 lv_tag holds the number above bit 3 and 0, 1, 2 for +, zero, -. */
bool rme_int_value(const struct rme_python *py, rme_addr object, int64_t *ret)
{
	const struct rme_layout *l = py->layout;
	uint64_t n_digits, value = 0;
	bool negative;

	if (!rme_is_a(py, object, RME_LONG_SUBCLASS))
		return false;
	if (l->int_tag != RME_ABSENT) {
		uint64_t tag = rme_u64(object + (uint64_t)l->int_tag);
		negative = (tag & 3) == 2;
		n_digits = (tag & 3) == 1 ? 0 : tag >> 3;
	} else {
		int64_t size = rme_i64(object + (uint64_t)l->var_size);
		negative = size < 0;
		n_digits = negative ? -(uint64_t)size : (uint64_t)size;
	}
	if (n_digits > 3)
		return false;
	for (uint64_t i = n_digits; i--;) {
		if (value >> 34)
			return false;
		value = value << 30 | rme_u32(object + (uint64_t)l->int_digits + 4 * i);
	}
	if (value > (uint64_t)INT64_MAX + negative)
		return false;
	*ret = (int64_t)(negative ? -value : value);
	return true;
}

bool rme_bytes_read(const struct rme_python *py, rme_addr object, rme_addr *data, uint64_t *n)
{
	const struct rme_layout *l = py->layout;

	if (!rme_is_a(py, object, RME_BYTES_SUBCLASS))
		return false;
	int64_t size = rme_i64(object + (uint64_t)l->var_size);
	*data = object + (uint64_t)l->bytes_data;
	*n = size < 0 ? 0 : (uint64_t)size;
	return true;
}

bool rme_bytes_equals(const struct rme_python *py, rme_addr object, const void *data, size_t n)
{
	rme_addr bytes;
	uint64_t size;

	return rme_bytes_read(py, object, &bytes, &size) && size == n &&
	       memcmp((const void *)bytes, data, n) == 0;
}

uint64_t rme_sequence_length(const struct rme_python *py, rme_addr sequence)
{
	const struct rme_layout *l = py->layout;
	int64_t n = rme_i64(sequence + (uint64_t)l->var_size);

	if (rme_is_a(py, sequence, RME_LIST_SUBCLASS)) {
		/* list.sort empties the list and sets allocated to -1 meanwhile. */
		int64_t allocated = rme_i64(sequence + (uint64_t)l->list_allocated);
		if (!rme_ptr(sequence + (uint64_t)l->list_items))
			return 0;
		n = allocated < n ? allocated : n;
	} else if (!rme_is_a(py, sequence, RME_TUPLE_SUBCLASS)) {
		return 0;
	}
	return n < 0 ? 0 : (uint64_t)n;
}

rme_addr rme_tuple_item(const struct rme_python *py, rme_addr tuple, uint64_t i)
{
	return rme_ptr(tuple + (uint64_t)py->layout->tuple_items + 8 * i);
}

rme_addr rme_list_item(const struct rme_python *py, rme_addr list, uint64_t i)
{
	return rme_ptr(rme_ptr(list + (uint64_t)py->layout->list_items) + 8 * i);
}
