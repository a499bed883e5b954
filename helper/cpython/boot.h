/* Finding CPython in a process: its symbols, its version, the layout that fits. */
#ifndef RME_CPYTHON_BOOT_H
#define RME_CPYTHON_BOOT_H

#include "cpython/python.h"

/* Finds CPython in the images of the request, its version, the layout that passes
 * the self-check. False with *error set: "not-python", "unsupported-python",
 * "not-initialized", "finalized", "layout-mismatch". */
bool rme_python_init(struct rme_python *py, const struct rme_request *request,
                     struct rme_arena *arena, struct rme_guards *guards, struct rme_error *error);

#endif
