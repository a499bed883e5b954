/* A byte buffer of fixed capacity that remembers when it overflowed. Nothing
 * Python-specific here. */
#ifndef RME_RUNTIME_BUFFER_H
#define RME_RUNTIME_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rme_buffer {
	char *data; /* owned by the caller */
	size_t capacity;
	size_t size;
	bool overflow; /* something did not fit; size is what did */
};

void rme_buffer_bytes(struct rme_buffer *b, const void *data, size_t n);
void rme_buffer_text(struct rme_buffer *b, const char *text);
void rme_buffer_char(struct rme_buffer *b, char c);
void rme_buffer_unsigned(struct rme_buffer *b, uint64_t value);
void rme_buffer_signed(struct rme_buffer *b, int64_t value);
void rme_buffer_hex(struct rme_buffer *b, uint64_t value); /* 0x… */

#endif
