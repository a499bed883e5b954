/* Why a question has no answer: a kind, a sentence, the address at fault. */
#ifndef RME_RUNTIME_ERROR_H
#define RME_RUNTIME_ERROR_H

#include "rememberme_kinds.h"
#include "runtime/buffer.h"
#include "runtime/memory.h"

struct rme_error {
	enum rme_error_kind kind; /* RME_NO_ERROR, 0: nothing failed */
	rme_addr address;         /* 0: none */
	char message[1024];       /* what was attempted, on what, what was found, what to try */
};

/* Sets the kind and starts the sentence; add to it with rme_buffer_* and finish
 * with rme_error_end. Allocates nothing. */
struct rme_buffer rme_error_begin(struct rme_error *error, enum rme_error_kind kind,
                                  const char *text);
void rme_error_end(struct rme_error *error, struct rme_buffer *sentence);

/* The same in one call. */
void rme_error_set(struct rme_error *error, enum rme_error_kind kind, const char *message);

#endif
