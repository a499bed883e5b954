/* What is analysed: the memory, files and threads of one process, from its core
 * (core.c) or while it is stopped (live.c). Knows nothing of Python. */
#ifndef UD_TARGET_H
#define UD_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/arch/abi.h"
#include "undump/fail.h"

#define UD_PAGE 4096ull

static inline uint64_t ud_page_down(uint64_t n)
{
	return n & ~(UD_PAGE - 1);
}
static inline uint64_t ud_page_up(uint64_t n)
{
	return (n + UD_PAGE - 1) & ~(UD_PAGE - 1);
}

/* A piece of the address space, whole pages. The source holds [start, have). */
struct ud_segment {
	uint64_t start;
	uint64_t end;
	uint64_t have;
	uint64_t offset; /* of `start` in the source */
	uint32_t flags;  /* PF_R, PF_W, PF_X; 0: the process could not touch it */
	uint32_t mapped; /* RME_VMA_SHARED, RME_VMA_STACK where that is known */
};

/* A file that the process had mapped at [start, end), from `offset` on. */
struct ud_mapping {
	uint64_t start;
	uint64_t end;
	uint64_t offset;
	const char *path; /* owned by target->paths */
	uint64_t device;  /* live only: which file it is, whatever lies at the path now */
	uint64_t inode;
};

struct ud_thread {
	uint64_t lwp;
	uint64_t thread_pointer; /* 0: not known */
	uint64_t stack_pointer;  /* 0: not known */
};

struct ud_target {
	int fd;                      /* the source: the core, or /proc/PID/mem */
	bool live;                   /* offsets are addresses, nothing can be mapped */
	int64_t pid;                 /* 0: not known */
	int signal;                  /* that the process died of; 0: none */
	struct ud_segment *segments; /* by address, without overlaps */
	size_t n_segments;
	struct ud_mapping *mappings; /* by address, without overlaps */
	size_t n_mappings;
	struct ud_thread *threads; /* in the source's order */
	size_t n_threads;
	bool has_mappings;  /* false: the core has no list of files */
	uint64_t truncated; /* bytes that the headers promise and the file lacks */
	char *paths;
};

/* Opens a core: "no-such-file", "not-a-core", "compressed-core", "unsupported-core",
 * "damaged-core". The target is to be closed in any case. */
bool ud_core_open(struct ud_target *target, const char *path, struct rme_error *error);

/* Opens a stopped process; `memory` is a descriptor of its /proc/PID/mem, or -1:
 * "no-process", "system". */
bool ud_live_open(struct ud_target *target, int64_t pid, int memory, struct rme_error *error);

void ud_target_close(struct ud_target *target);

/* The segment that holds the address, or NULL. */
const struct ud_segment *ud_target_segment(const struct ud_target *target, uint64_t address);

/* Copies up to `n` bytes from one segment of the source; returns how many there were. */
size_t ud_target_read(const struct ud_target *target, uint64_t address, void *ret, size_t n);

#endif
