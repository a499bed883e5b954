#include "cpython/key.h"

#include "cpython/object.h"
#include "cpython/str.h"
#include "cpython/type.h"
#include "cpython/type_name.h"

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
