/* Pages of the target that come when the child touches them: those of a core whose
 * pieces are not aligned in the file, and those of a live process. By userfaultfd,
 * so the child itself needs no handler and no system call. */
#ifndef UD_PAGER_H
#define UD_PAGER_H

#include "undump/target.h"

/* Chunks in a row that the child works through: [low, high) were wanted or brought. */
struct ud_run {
	const struct ud_segment *segment; /* NULL: none */
	uint64_t low;
	uint64_t high;
	bool down;     /* where it went on last */
	unsigned n;    /* how many are brought ahead at once */
	unsigned left; /* of these */
};

enum { UD_RUNS = 4 };

struct ud_pager {
	int uffd;
	const struct ud_target *target;
	uint8_t **chunks;            /* per segment: what is known of each of its chunks */
	struct ud_run runs[UD_RUNS]; /* the last first */
	uint64_t n_faults;
	uint64_t n_unreadable;
	char *buffer;
};

/* A userfaultfd of the calling process, or -1 where the system has or allows none. */
int ud_pager_open(bool filtered);

void ud_pager_init(struct ud_pager *pager, int uffd, const struct ud_target *target);
/* Answers the faults that wait. */
void ud_pager_serve(struct ud_pager *pager);
void ud_pager_deinit(struct ud_pager *pager);

/* Sends a descriptor, -1: none; receives one, -1 for none or on failure. */
void ud_pager_send(int channel, int fd);
int ud_pager_receive(int channel);

#endif
