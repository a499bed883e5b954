#include "runtime/utf8.h"

size_t rme_utf8_decode(const void *bytes, size_t n, uint32_t *ret)
{
	const uint8_t *p = bytes;
	uint32_t least, value;
	size_t size;

	if (!n)
		return 0;
	if (p[0] < 0x80) {
		*ret = p[0];
		return 1;
	}
	if (p[0] >= 0xc2 && p[0] < 0xe0) {
		size = 2, least = 0x80, value = p[0] & 0x1fu;
	} else if ((p[0] & 0xf0) == 0xe0) {
		size = 3, least = 0x800, value = p[0] & 0xfu;
	} else if (p[0] >= 0xf0 && p[0] < 0xf5) {
		size = 4, least = 0x10000, value = p[0] & 7u;
	} else {
		return 0;
	}
	if (n < size)
		return 0;
	for (size_t i = 1; i < size; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (p[i] & 0x3fu);
	}
	if (value < least || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
		return 0;
	*ret = value;
	return size;
}

void rme_utf8_append(struct rme_buffer *out, uint32_t c)
{
	char bytes[4];
	size_t n = 0;

	if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		c = RME_REPLACEMENT;
	if (c < 0x80) {
		bytes[n++] = (char)c;
	} else if (c < 0x800) {
		bytes[n++] = (char)(0xc0 | c >> 6);
		bytes[n++] = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		bytes[n++] = (char)(0xe0 | c >> 12);
		bytes[n++] = (char)(0x80 | (c >> 6 & 0x3f));
		bytes[n++] = (char)(0x80 | (c & 0x3f));
	} else {
		bytes[n++] = (char)(0xf0 | c >> 18);
		bytes[n++] = (char)(0x80 | (c >> 12 & 0x3f));
		bytes[n++] = (char)(0x80 | (c >> 6 & 0x3f));
		bytes[n++] = (char)(0x80 | (c & 0x3f));
	}
	rme_buffer_bytes(out, bytes, n);
}
