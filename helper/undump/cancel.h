/* Ctrl-C: the signals that end the program are taken when it asks for them. */
#ifndef UD_CANCEL_H
#define UD_CANCEL_H

#include <signal.h>
#include <stdbool.h>

/* Blocks SIGINT, SIGTERM and SIGCHLD from here on, and ignores SIGPIPE. */
void ud_signals_block(void);

/* What is blocked. */
void ud_signals_watched(sigset_t *ret);

/* Does a SIGINT or SIGTERM wait? */
bool ud_cancelled(void);

#endif
