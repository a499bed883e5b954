/* CPython without its binary: what dynamic symbols tell otherwise is found in the objects
 * themselves. A core leaves out symbol tables. Knows no query. */
#ifndef RME_CPYTHON_DISCOVER_H
#define RME_CPYTHON_DISCOVER_H

#include "cpython/python.h"

/* The address of _PyRuntime, looked for in the data of the request's images: by the
 * cookie that 3.13 begins it with, before by structures that point at each other. 0:
 * there is none. Holds its own guard. */
rme_addr rme_discover_runtime(struct rme_python *py);

/* The version of a runtime that has the cookie, else 0. May fault: hold a guard. */
uint32_t rme_discover_version(rme_addr runtime);

/* Is that one of a build without the GIL? May fault: hold a guard. */
bool rme_discover_free_threaded(rme_addr runtime);

/* Fills in py->sym from py->sym.runtime, with the layout py->layout. False when there
 * are not the types that every interpreter has, as it is when the layout is not the
 * debuggee's. May fault: hold a guard. */
bool rme_discover_symbols(struct rme_python *py);

/* Type number `i` of those that symbols name, 0 where this version has none, and its
 * tp_name; false past the last. */
bool rme_discover_known(const struct rme_python *py, unsigned i, rme_addr *type,
                        const char **tp_name);

/* Is it a class that is no heap type? May fault, unless it is an object: hold a guard. */
bool rme_is_static_type(const struct rme_python *py, rme_addr a);

/* Calls fn for every direct subclass of the type that is static: tp_subclasses is a dict
 * of weak references. May fault: hold a guard. */
void rme_static_subclasses_each(const struct rme_python *py, rme_addr type,
                                void (*fn)(void *, rme_addr), void *arg);

#endif
