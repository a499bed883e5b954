/* A filter of system calls for the process that answers: nothing but what its loop needs, and that
 * from its own code only. Any other call raises SIGSYS where it is made, which costs the object
 * that made it. Nothing Python-specific here. */
#ifndef RME_RUNTIME_CONFINE_H
#define RME_RUNTIME_CONFINE_H

#include "rememberme.h"

/* For good, and for the threads to come. `code` is where allowed calls are made. `channel` is a
 * descriptor that may be read from and written to (undump's child); or -1, and the calls
 * of a snapshot are allowed instead. Returns 0 or a negative errno. */
int64_t rme_confine(struct rme_range code, int channel);

#endif
