/* Why undump has no answer: a stable word for scripts and a sentence for people. */
#ifndef UD_ERROR_H
#define UD_ERROR_H

#include <stdbool.h>

struct ud_error {
	char kind[32];
	char message[1024];
};

/* Fills *error and returns false. */
bool ud_fail(struct ud_error *error, const char *kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Ends the program when `p` is NULL: the little memory that undump itself needs is
 * not worth an error path at each call. */
void *ud_must(void *p);

#endif
