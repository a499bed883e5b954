/* The process that becomes the target, and the watch over it. */
#ifndef UD_CHILD_H
#define UD_CHILD_H

#include <sys/types.h>

#include "undump/place.h"

struct ud_limits {
	uint64_t cpu_seconds;
	uint64_t memory; /* bytes of its own that the child may touch */
	int progress;    /* descriptor for progress lines, -1: none */
	int kept;        /* descriptor that the child may keep, for the graph of the heap
	                    (rememberme.h), 0: none */
	bool eager;      /* no userfaultfd: read all that cannot be mapped right away */
	bool filtered;   /* somebody's seccomp filter may end who calls userfaultfd */
};

struct ud_outcome {
	uint64_t reply_size;
	uint64_t n_faults;     /* that undump answered, one page or many at a time */
	uint64_t n_unreadable; /* pages that the target should have had */
	uint64_t max_rss;      /* the most that the child had in memory, bytes */
};

/* Runs the question in a child and waits for it: "cancelled", "time-limit",
 * "memory-limit", "died", "system". */
bool ud_child_run(const struct ud_place *place, const struct ud_target *target,
                  const struct ud_plan *plan, const struct ud_limits *limits,
                  struct ud_outcome *ret, struct rme_error *error);

/* The child's side of it: never returns. `channel` is a socket over which it sends a
 * userfaultfd, if one is wanted. */
__attribute__((noreturn)) void ud_child_enter(const struct ud_place *place, pid_t parent,
                                              const struct ud_limits *limits, int channel,
                                              bool paged);

#endif
