/* CPython without its binary: what dynamic symbols tell otherwise is found in the
 * objects themselves. A core leaves out what a file holds unchanged: symbol tables, and
 * the names of types written in C. Knows no query. */
#ifndef RME_CPYTHON_DISCOVER_H
#define RME_CPYTHON_DISCOVER_H

#include "cpython/python.h"

/* The address of _PyRuntime, looked for in the data of the request's images: by the
 * cookie that 3.13 begins it with, before by structures that point at each other. 0:
 * there is none. Holds its own guard. */
rme_addr rme_discover_runtime(struct rme_python *py);

/* The version of a runtime that has the cookie, else 0. May fault: hold a guard. */
uint32_t rme_discover_version(rme_addr runtime);

/* Fills in py->sym from py->sym.runtime, with the layout py->layout. False when there
 * are not the types that every interpreter has, as it is when the layout is not the
 * debuggee's. May fault: hold a guard. */
bool rme_discover_symbols(struct rme_python *py);

/* Makes room for the names of types. */
bool rme_discover_init(struct rme_python *py);

/* tp_name of a type; where it cannot be read, what it must be by where the type was
 * found: "list", "collections.deque". NULL: nobody knows. Zero-terminated, in the
 * debuggee or in the arena. May fault, but not for the name: hold a guard. */
const char *rme_type_c_name(const struct rme_python *py, rme_addr type);

/* Is there a text of the debuggee, with its terminating zero, of 1 to 255 bytes? Never
 * faults. */
bool rme_is_text(const struct rme_python *py, rme_addr text);

#endif
