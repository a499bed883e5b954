#include "runtime/error.h"

struct rme_buffer rme_error_begin(struct rme_error *error, enum rme_error_kind kind,
                                  const char *text)
{
	struct rme_buffer sentence = {error->message, sizeof error->message - 1, 0, false};

	error->kind = kind;
	error->address = 0;
	rme_buffer_text(&sentence, text);
	error->message[sentence.size] = 0;
	return sentence;
}

void rme_error_end(struct rme_error *error, struct rme_buffer *sentence)
{
	error->message[sentence->size] = 0;
}

void rme_error_set(struct rme_error *error, enum rme_error_kind kind, const char *message)
{
	rme_error_begin(error, kind, message);
}
