/* Undump gives up what it does not need before it reads a file that others wrote: a core, the
 * binaries that a core names, the memory of a process. */
#ifndef UD_RIGHTS_H
#define UD_RIGHTS_H

#include <stdbool.h>

struct ud_rights {
	bool filtered_before; /* by a seccomp filter that somebody else has set */
	const char *kept;     /* a sentence on what could not be given up; NULL: nothing */
};

/* From here on this process and its children open files to read them only, start no program,
 * reach no network and no other process, and keep no capability but those to read. */
struct ud_rights ud_rights_give_up(void);

#endif
