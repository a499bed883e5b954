/* Reading str objects of every kind: compact, legacy and (up to 3.11) not yet
 * ready. All loads may fault: callers hold a guard. */
#ifndef RME_CPYTHON_STR_H
#define RME_CPYTHON_STR_H

#include "cpython/python.h"

/* Appends the text of a str as UTF-8, at most `max` characters of it (then "…").
 * Lone surrogates become U+FFFD. Not a str: appends nothing, returns false. */
bool rme_str_append(const struct rme_python *py, rme_addr str, size_t max, struct rme_buffer *out);

/* The same as a Python literal: "text", with \" \\ \n and \x07 escaped. */
bool rme_str_repr_append(const struct rme_python *py, rme_addr str, size_t max,
                         struct rme_buffer *out);

/* Is the str equal to these UTF-8 bytes? */
bool rme_str_equals(const struct rme_python *py, rme_addr str, const void *utf8, size_t n);

/* Is there a text of the debuggee, with its terminating zero, of 1 to 255 bytes? Never
 * faults. */
bool rme_is_text(const struct rme_python *py, rme_addr text);

/* Appends one character of a Python literal in double quotes. */
void rme_escape_append(struct rme_buffer *out, uint32_t code_point);

#endif
