/* The process that becomes the target, and the watch over it. */
#ifndef UD_CHILD_H
#define UD_CHILD_H

#include <sys/types.h>

#include "undump/pager.h"
#include "undump/place.h"

struct ud_limits {
	uint64_t cpu_seconds; /* of each question */
	uint64_t memory;      /* bytes of its own that the child may touch */
	int progress;         /* descriptor for progress lines, -1: none */
	bool eager;           /* no userfaultfd: read all that cannot be mapped right away */
	bool filtered;        /* somebody's seccomp filter may end who calls userfaultfd */
	uint32_t object_ms;   /* as in struct rme_block */
};

struct ud_outcome {
	uint64_t reply_size;
	uint64_t n_faults;     /* that undump answered, one page or many at a time */
	uint64_t n_unreadable; /* pages that the target should have had */
	uint64_t max_rss;      /* the most that the child had in memory, bytes */
};

/* The child is an image: it answers one question after the other. */
struct ud_child {
	const struct ud_place *place;
	const struct ud_limits *limits;
	struct ud_pager pager;
	pid_t pid;   /* 0: it is gone */
	int channel; /* as in struct ud_job */
	int signals;
	bool cancelled;
	bool too_much;
};

/* Makes the child: "system". To be ended in any case. */
bool ud_child_start(struct ud_child *ret, const struct ud_place *place,
                    const struct ud_target *target, const struct ud_plan *plan,
                    const struct ud_limits *limits, struct rme_error *error);

/* Has it answer the request of the place, and waits: "cancelled" (then it may be there still),
 * "time-limit", "memory-limit", "died", "system". */
bool ud_child_ask(struct ud_child *child, struct ud_outcome *ret, struct rme_error *error);

/* Waits for something to read from `fd`; false when the program is to end. */
bool ud_child_idle(struct ud_child *child, int fd);

void ud_child_end(struct ud_child *child);

/* The child's side of it: never returns. `channels` are a socket over which it sends a
 * userfaultfd, if one is wanted, and that of the job. */
__attribute__((noreturn)) void ud_child_enter(const struct ud_place *place, pid_t parent,
                                              const struct ud_limits *limits, const int channels[2],
                                              bool paged);

#endif
