/* tp_name of types, also where the read-only data that it lies in is not there: a core
 * leaves out what a file holds unchanged. Knows no query. */
#ifndef RME_CPYTHON_TYPE_NAME_H
#define RME_CPYTHON_TYPE_NAME_H

#include "cpython/python.h"

/* Makes room for names. */
bool rme_type_names_init(struct rme_python *py);

/* tp_name of a type; where it cannot be read, what it must be by where the type was
 * found: "list", "collections.deque". NULL: nobody knows. Zero-terminated, in the
 * debuggee or in the arena. May fault, but not for the name: hold a guard. */
const char *rme_type_c_name(const struct rme_python *py, rme_addr type);

/* Type name as a programmer writes it: "list", "app.models.User",
 * "collections.deque": module and qualified name, module left out for builtins. */
void rme_type_name_append(const struct rme_python *py, rme_addr type, struct rme_buffer *out);

/* Is the type, or the native type that it derives from, the static or extension type
 * of that tp_name? A class statement's tp_name has no dot, so it cannot pose as one
 * whose name has. */
bool rme_type_is_named(const struct rme_python *py, rme_addr type, const char *tp_name);

#endif
