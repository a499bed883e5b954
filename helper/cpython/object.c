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

bool rme_is_deque(const struct rme_python *py, rme_addr object)
{
	return rme_type_is_named(py, rme_type_of(py, object), "collections.deque");
}

/* Modules/_collectionsmodule.c: blocks of BLOCKLEN pointers, from leftindex of the
 * leftmost to rightindex of the rightmost. */
int rme_deque_each(const struct rme_python *py, rme_addr deque, rme_item_fn fn, void *arg)
{
	const struct rme_layout *l = py->layout;
	uint64_t length = (uint64_t)(l->block_right - l->block_data) / 8;
	rme_addr block = rme_ptr(deque + (uint64_t)l->deque_leftblock);
	uint64_t at = rme_u64(deque + (uint64_t)l->deque_leftindex);
	int64_t n = rme_i64(deque + (uint64_t)l->var_size);

	if (l->deque_leftblock == RME_ABSENT || at > length)
		return 0;
	for (uint64_t i = 0; n > 0 && i < (uint64_t)n; i++, at++) {
		if (at == length) {
			block = rme_ptr(block + (uint64_t)l->block_right);
			at = 0;
		}
		int stop = fn(arg, i, rme_ptr(block + (uint64_t)l->block_data + 8 * at));
		if (stop)
			return stop;
	}
	return 0;
}

enum { KEY_CHARACTERS = 60, KEY_ITEMS = 4, KEY_DEPTH = 2 };

static void bytes_append(rme_addr data, uint64_t n, struct rme_buffer *out)
{
	const char *hex = "0123456789abcdef";

	rme_buffer_text(out, "b\"");
	for (uint64_t i = 0; i < n && i < KEY_CHARACTERS; i++) {
		uint8_t c = rme_u8(data + i);
		if (c < 0x80) {
			rme_escape_append(out, c);
		} else {
			rme_buffer_text(out, "\\x");
			rme_buffer_char(out, hex[c >> 4]);
			rme_buffer_char(out, hex[c & 15]);
		}
	}
	if (n > KEY_CHARACTERS)
		rme_buffer_text(out, "…");
	rme_buffer_char(out, '"');
}

static void key_append(struct rme_python *py, rme_addr key, struct rme_buffer *out, int depth)
{
	rme_addr data, type;
	int64_t value;
	uint64_t n;

	if (!rme_is_object(py, key)) {
		rme_buffer_text(out, "<no object>");
		return;
	}
	type = rme_type_of(py, key);
	if (key == py->sym.none) {
		rme_buffer_text(out, "None");
	} else if (type == py->sym.bool_ && rme_int_value(py, key, &value)) {
		rme_buffer_text(out, value ? "True" : "False");
	} else if (type == py->sym.int_ && rme_int_value(py, key, &value)) {
		rme_buffer_signed(out, value);
	} else if (type == py->sym.str && rme_str_repr_append(py, key, KEY_CHARACTERS, out)) {
		return;
	} else if (type == py->sym.bytes && rme_bytes_read(py, key, &data, &n)) {
		bytes_append(data, n, out);
	} else if (type == py->sym.tuple && depth < KEY_DEPTH) {
		n = rme_sequence_length(py, key);
		rme_buffer_char(out, '(');
		for (uint64_t i = 0; i < n && i < KEY_ITEMS; i++) {
			if (i)
				rme_buffer_text(out, ", ");
			key_append(py, rme_tuple_item(py, key, i), out, depth + 1);
		}
		rme_buffer_text(out, n > KEY_ITEMS ? ", …)" : n == 1 ? ",)" : ")");
	} else {
		rme_buffer_char(out, '<');
		rme_type_name_append(py, type, out);
		rme_buffer_char(out, '>');
	}
}

void rme_key_append(struct rme_python *py, rme_addr key, struct rme_buffer *out)
{
	key_append(py, key, out, 0);
}
