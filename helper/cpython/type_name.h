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

/* Is there a text of the debuggee, with its terminating zero, of 1 to 255 bytes? Never
 * faults. */
bool rme_is_text(const struct rme_python *py, rme_addr text);

#endif
