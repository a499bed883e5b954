/* Which native type is it? Exported types by their symbol, the others by tp_name.
 * A class statement cannot fake a row: its types are excluded by the caller. */
#ifndef RME_CPYTHON_KIND_H
#define RME_CPYTHON_KIND_H

#include "cpython/known.h"

/* RME_KIND_OTHER: not one that is known here. May fault, but not for the name. */
enum rme_kind rme_kind_of(struct rme_python *py, rme_addr type);

#endif
