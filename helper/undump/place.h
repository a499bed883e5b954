/* The one range of addresses that is undump's own in the child: where neither the
 * target nor this program has anything. */
#ifndef UD_PLACE_H
#define UD_PLACE_H

#include "undump/blob.h"
#include "undump/plan.h"
#include "undump/request.h"

enum { UD_STACK = 8 << 20, UD_MAX_UNMAP = 4096 };

struct ud_place {
	uint64_t start;
	uint64_t end;
	struct ud_job *job;
	struct rme_range *unmap; /* room for UD_MAX_UNMAP */
	uint64_t stack_top;
	void (*enter)(struct ud_job *);
	/* Shared with the child. */
	struct ud_status *status;
	struct rme_block *block;
	char *request;
	char *reply;
	uint64_t reply_capacity;
};

/* Finds a place and puts everything there that the child needs: "bad-library",
 * "system". */
bool ud_place_make(struct ud_place *ret, const struct ud_plan *plan, const struct ud_blob *library,
                   uint64_t reply_capacity, struct rme_error *error);

/* Puts a request there. */
bool ud_place_ask(const struct ud_place *place, const struct ud_request *request,
                  struct rme_error *error);

/* Reads the mappings of this very process, at most UD_MAX_UNMAP, without memory of
 * its own; -1 with errno on failure. */
long ud_place_own_mappings(struct rme_range *ret);

#endif
