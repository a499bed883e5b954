/* Pages of the target that come when the child touches them: those of a core whose
 * pieces are not aligned in the file, and those of a live process. By userfaultfd,
 * so the child itself needs no handler and no system call. */
#ifndef UD_PAGER_H
#define UD_PAGER_H

#include "undump/target.h"

struct ud_pager {
	int uffd;
	const struct ud_target *target;
	uint8_t **chunks; /* per segment: what is known of each of its chunks */
	uint64_t n_faults;
	uint64_t n_unreadable;
	char *buffer;
};

/* A userfaultfd of the calling process, or -1 where the system has or allows none. */
int ud_pager_open(void);

void ud_pager_init(struct ud_pager *pager, int uffd, const struct ud_target *target);
/* Answers the faults that wait. */
void ud_pager_serve(struct ud_pager *pager);
void ud_pager_deinit(struct ud_pager *pager);

/* Sends a descriptor, -1: none; receives one, -1 for none or on failure. */
void ud_pager_send(int channel, int fd);
int ud_pager_receive(int channel);

#endif
