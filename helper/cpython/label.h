/* How a programmer names a reference: `.name`, `["key"]`, `[3]`. */
#ifndef RME_CPYTHON_LABEL_H
#define RME_CPYTHON_LABEL_H

#include "cpython/python.h"

/* Appends the label of the first reference from `parent` to `child`; returns false
 * and appends nothing when it is not one that has a name. Looks at no more than
 * `max` entries of a container. Holds its own guard. */
bool rme_label_append(struct rme_python *py, rme_addr parent, rme_addr child, uint64_t max,
                      struct rme_buffer *out);

#endif
