#include "runtime/buffer.h"

#include "runtime/memory.h"

void rme_buffer_bytes(struct rme_buffer *b, const void *data, size_t n)
{
	if (n > b->capacity - b->size) {
		b->overflow = true;
		n = b->capacity - b->size;
	}
	memcpy(b->data + b->size, data, n);
	b->size += n;
}

void rme_buffer_text(struct rme_buffer *b, const char *text)
{
	rme_buffer_bytes(b, text, rme_strlen(text));
}

void rme_buffer_char(struct rme_buffer *b, char c)
{
	if (b->size < b->capacity)
		b->data[b->size++] = c;
	else
		b->overflow = true;
}

void rme_buffer_unsigned(struct rme_buffer *b, uint64_t value)
{
	char digits[20];
	size_t i = sizeof digits;

	do
		digits[--i] = (char)('0' + value % 10);
	while (value /= 10);
	rme_buffer_bytes(b, digits + i, sizeof digits - i);
}

void rme_buffer_signed(struct rme_buffer *b, int64_t value)
{
	if (value < 0)
		rme_buffer_char(b, '-');
	rme_buffer_unsigned(b, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

void rme_buffer_hex(struct rme_buffer *b, uint64_t value)
{
	char digits[16];
	size_t i = sizeof digits;

	do
		digits[--i] = "0123456789abcdef"[value & 15];
	while (value >>= 4);
	rme_buffer_text(b, "0x");
	rme_buffer_bytes(b, digits + i, sizeof digits - i);
}
