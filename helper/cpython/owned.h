/* What objects own although their tp_traverse does not visit it, because it cannot
 * close a cycle: names, keys, constants, buffers. */
#ifndef RME_CPYTHON_OWNED_H
#define RME_CPYTHON_OWNED_H

#include "cpython/type.h"
#include "runtime/sink.h"

/* What the object owns although its tp_traverse does not visit it. */
void rme_refs_owned(struct rme_python *py, struct rme_type *t, rme_addr object,
                    const struct rme_sink *sink);

#endif
