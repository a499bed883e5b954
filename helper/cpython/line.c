#include "cpython/line.h"

#include "cpython/object.h"

struct table {
	rme_addr data;
	uint64_t size, at;
};

static uint8_t next(struct table *t)
{
	return t->at < t->size ? rme_u8(t->data + t->at++) : 0;
}

/* Up to 3.9, Objects/lnotab_notes.txt: pairs of an address increment and a signed
 * line increment. */
static int32_t line_lnotab(struct table *t, uint32_t line, uint64_t offset)
{
	uint64_t address = 0;

	while (t->at + 1 < t->size) {
		address += next(t);
		if (address > offset)
			break;
		line += (uint32_t)(int8_t)next(t);
	}
	return (int32_t)line;
}

/* 3.10, PEP 626: pairs of a length and a signed line increment, -128 for no line. */
static int32_t line_ranges(struct table *t, uint32_t line, uint64_t offset)
{
	uint64_t end = 0;

	while (t->at + 1 < t->size) {
		end += next(t);
		int8_t delta = (int8_t)next(t);
		if (delta != -128)
			line += (uint32_t)delta;
		if (offset < end)
			return delta == -128 ? -1 : (int32_t)line;
	}
	return -1;
}

static uint32_t varint(struct table *t)
{
	uint32_t byte, value = 0;
	unsigned shift = 0;

	do {
		byte = next(t);
		value |= shift < 32 ? (byte & 63) << shift : 0;
		shift += 6;
	} while (byte & 64);
	return value;
}

/* From 3.11, Objects/locations.md: a byte 1kkkklll (kind, code units less one) and
 * what belongs to the kind; the next entry begins at the next byte with its top bit. */
static int32_t line_locations(struct table *t, uint32_t line, uint64_t offset)
{
	enum { ONE_LINE_0 = 10, ONE_LINE_2 = 12, NO_COLUMNS = 13, LONG = 14, NONE = 15 };
	uint64_t end = 0;

	while (t->at < t->size) {
		unsigned first = next(t), kind = first >> 3 & 15;
		end += 2 * ((first & 7) + 1ull);
		if (kind >= ONE_LINE_0 && kind <= ONE_LINE_2) {
			line += kind - ONE_LINE_0;
		} else if (kind == NO_COLUMNS || kind == LONG) {
			uint32_t delta = varint(t);
			line += delta & 1 ? -(delta >> 1) : delta >> 1;
		}
		if (offset < end)
			return kind == NONE ? -1 : (int32_t)line;
		while (t->at < t->size && !(rme_u8(t->data + t->at) & 0x80))
			t->at++;
	}
	return -1;
}

int32_t rme_line_at(const struct rme_python *py, rme_addr code, int64_t offset)
{
	const struct rme_layout *l = py->layout;
	int32_t first = rme_i32(code + (uint64_t)l->code_firstlineno);
	bool old = l->code_linetable == RME_ABSENT;
	struct table t = {0};

	if (offset < 0)
		return first;
	rme_addr bytes = rme_ptr(code + (uint64_t)(old ? l->code_lnotab : l->code_linetable));
	if (!rme_bytes_read(py, bytes, &t.data, &t.size))
		return -1;
	if (old)
		return line_lnotab(&t, (uint32_t)first, (uint64_t)offset);
	if (l->code_adaptive == RME_ABSENT)
		return line_ranges(&t, (uint32_t)first, (uint64_t)offset);
	return line_locations(&t, (uint32_t)first, (uint64_t)offset);
}
