/* Resolving an EXPR (rememberme.h, struct rme_expr) to an object without running
 * any code: locals, free, global and builtin names, then attributes and keys
 * (lookup.h, subscript.h), and the variables of frames that objects hold:
 * generator.gi_frame.f_locals["x"], traceback.tb_frame.f_locals["x"]. */
#ifndef RME_CPYTHON_PATH_H
#define RME_CPYTHON_PATH_H

#include "cpython/frame.h"

/* The object that `expr` names. `frame` may be NULL for an EXPR that begins with a
 * module or an address. False with *error set: "no-such-name", "no-such-attribute"
 * (also for a property, which is not run), "no-such-key", "no-such-module",
 * "not-subscriptable", "no-object", "no-python-frame". Holds its own guard. */
bool rme_path_resolve(struct rme_python *py, const struct rme_frame *frame,
                      const struct rme_expr *expr, rme_addr *ret, struct rme_error *error);

/* Is the EXPR an address, and nothing else? */
bool rme_path_is_address(const struct rme_expr *expr, rme_addr *ret);

#endif
