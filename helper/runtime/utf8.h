/* UTF-8, one code point at a time. Nothing Python-specific here. */
#ifndef RME_RUNTIME_UTF8_H
#define RME_RUNTIME_UTF8_H

#include "runtime/buffer.h"

#define RME_REPLACEMENT 0xfffdu /* stands for what is not a character */

/* The code point at the start of `n` bytes and how many bytes it takes; 0 bytes
 * when n is 0 or they are not UTF-8 (overlong forms and surrogates are not). */
size_t rme_utf8_decode(const void *bytes, size_t n, uint32_t *ret);

/* Appends a code point; a surrogate or what is past U+10FFFF becomes U+FFFD. */
void rme_utf8_append(struct rme_buffer *out, uint32_t code_point);

#endif
