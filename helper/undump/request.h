/* The question: what the caller asked, completed with what only the core tells. */
#ifndef UD_REQUEST_H
#define UD_REQUEST_H

#include "undump/plan.h"

struct ud_request {
	struct rme_request *data;
	size_t size;
	size_t capacity;
};

/* Reads the caller's request from a file, "-" is standard input: "bad-request". */
bool ud_request_read(struct ud_request *ret, const char *path, struct rme_error *error);

/* Reads the next one from `fd`: its size in eight bytes, and itself. "bad-request"; false
 * without an error at the end of the input. */
bool ud_request_receive(struct ud_request *ret, int fd, struct rme_error *error);

/* Fills in images, code, missing, threads, the selected thread (`lwp`, else the
 * request's own, else the target's first), the runtime: "no-such-thread". */
bool ud_request_complete(struct ud_request *request, const struct ud_target *target,
                         const struct ud_images *images, const struct ud_plan *plan, uint64_t lwp,
                         struct rme_error *error);

void ud_request_free(struct ud_request *request);

#endif
