#include "cpython/str.h"

#include "runtime/utf8.h"

struct text {
	rme_addr data;
	uint64_t length; /* in characters */
	unsigned kind;   /* bytes per character: 1, 2, 4 */
	bool ascii;
};

/* PyASCIIObject.state, Include/cpython/unicodeobject.h, since 3.8: interned:2,
 * kind:3, compact:1, ascii:1, and ready:1 or statically_allocated:1. */
static bool text_read(const struct rme_python *py, rme_addr str, struct text *ret)
{
	const struct rme_layout *l = py->layout;

	if (rme_type_of(py, str) != py->sym.str && !rme_is_a(py, str, RME_STR_SUBCLASS))
		return false;
	uint32_t state = rme_u32(str + (uint64_t)l->str_state);
	int64_t length = rme_i64(str + (uint64_t)l->str_length);

	ret->kind = state >> 2 & 7;
	ret->ascii = state >> 6 & 1;
	if (state >> 5 & 1) {
		ret->data = str + (uint64_t)(ret->ascii ? l->str_ascii_size : l->str_compact_size);
	} else if (ret->kind) {
		ret->data = rme_ptr(str + (uint64_t)l->str_data);
	} else if (l->str_wstr != RME_ABSENT) {
		/* PyUnicode_FromUnicode without PyUnicode_READY: only wchar_t so far. */
		ret->kind = 4;
		ret->data = rme_ptr(str + (uint64_t)l->str_wstr);
		length = rme_i64(str + (uint64_t)l->str_wstr_length);
	}
	if (length < 0 || length > INT64_MAX / 8 || (length && !ret->data))
		return false;
	ret->length = (uint64_t)length;
	return ret->kind == 1 || ret->kind == 2 || ret->kind == 4;
}

static uint32_t character(const struct text *t, uint64_t i)
{
	switch (t->kind) {
	case 1:
		return rme_u8(t->data + i);
	case 2:
		return rme_u16(t->data + 2 * i);
	default:
		return rme_u32(t->data + 4 * i);
	}
}

bool rme_str_append(const struct rme_python *py, rme_addr str, size_t max, struct rme_buffer *out)
{
	struct text t;

	if (!text_read(py, str, &t))
		return false;
	for (uint64_t i = 0; i < t.length && i < max && !out->overflow; i++)
		rme_utf8_append(out, character(&t, i));
	if (t.length > max)
		rme_buffer_text(out, "…");
	return true;
}

void rme_escape_append(struct rme_buffer *out, uint32_t c)
{
	const char *hex = "0123456789abcdef";

	if (c == '"' || c == '\\') {
		rme_buffer_char(out, '\\');
		rme_buffer_char(out, (char)c);
	} else if (c == '\n') {
		rme_buffer_text(out, "\\n");
	} else if (c == '\t') {
		rme_buffer_text(out, "\\t");
	} else if (c == '\r') {
		rme_buffer_text(out, "\\r");
	} else if (c < 0x20 || (c >= 0x7f && c < 0xa0)) {
		rme_buffer_text(out, "\\x");
		rme_buffer_char(out, hex[c >> 4]);
		rme_buffer_char(out, hex[c & 15]);
	} else {
		rme_utf8_append(out, c);
	}
}

bool rme_str_repr_append(const struct rme_python *py, rme_addr str, size_t max,
                         struct rme_buffer *out)
{
	struct text t;

	if (!text_read(py, str, &t))
		return false;
	rme_buffer_char(out, '"');
	for (uint64_t i = 0; i < t.length && i < max && !out->overflow; i++)
		rme_escape_append(out, character(&t, i));
	if (t.length > max)
		rme_buffer_text(out, "…");
	rme_buffer_char(out, '"');
	return true;
}

bool rme_str_equals(const struct rme_python *py, rme_addr str, const void *utf8, size_t n)
{
	const uint8_t *p = utf8;
	struct text t;

	if (!text_read(py, str, &t) || t.length > n || (t.ascii && t.length != n))
		return false;
	for (uint64_t i = 0; i < t.length; i++) {
		uint32_t c;
		size_t size = rme_utf8_decode(p, n, &c);
		if (!size || c != character(&t, i))
			return false;
		p += size;
		n -= size;
	}
	return n == 0;
}

bool rme_is_text(const struct rme_python *py, rme_addr text)
{
	enum { MAX_TEXT = 256 };
	struct rme_guard guard;
	volatile bool is = false;

	if (RME_GUARD(py->guards, &guard)) {
		uint64_t n = 0;
		while (n < MAX_TEXT && rme_u8(text + n))
			n++;
		is = n && n < MAX_TEXT;
		rme_guard_pop(py->guards, &guard);
	}
	return is;
}
