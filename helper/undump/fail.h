/* Why undump has no answer: a sentence in printf's way. */
#ifndef UD_FAIL_H
#define UD_FAIL_H

#include "runtime/error.h"

/* Fills *error and returns false. */
bool ud_fail(struct rme_error *error, enum rme_error_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Ends the program when `p` is NULL: the little memory that undump itself needs is
 * not worth an error path at each call. */
void *ud_must(void *p);

#endif
