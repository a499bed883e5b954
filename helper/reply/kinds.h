/* The words of contract.def for kinds, as replies have them. */
#ifndef RME_REPLY_KINDS_H
#define RME_REPLY_KINDS_H

#include "rememberme_kinds.h"

/* "no-such-name"; "" of RME_NO_ERROR */
const char *rme_error_word(enum rme_error_kind kind);

/* "estimated-size" */
const char *rme_caveat_word(enum rme_caveat_kind kind);

#endif
