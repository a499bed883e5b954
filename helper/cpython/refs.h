/* The references of an object, in either measure: what tp_traverse
 * visits (`references traverse`), or that and what an object owns besides. Knows no
 * query and no graph. */
#ifndef RME_CPYTHON_REFS_H
#define RME_CPYTHON_REFS_H

#include "cpython/type.h"
#include "runtime/sink.h"

/* Hands every reference of the object to the sink, duplicates and all; modules'
 * namespaces that hang on functions and frames are left out. May fault: hold a
 * guard. May call the type's own tp_traverse. */
void rme_refs_of(struct rme_python *py, struct rme_type *t, rme_addr object, bool owned,
                 const struct rme_sink *sink);

#endif
