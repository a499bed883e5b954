/* The text of an object that is the key of a container. All loads may fault: callers hold
 * a guard. */
#ifndef RME_CPYTHON_KEY_H
#define RME_CPYTHON_KEY_H

#include "cpython/python.h"

/* Appends an object as a key of a container is written: "text", 17, b"\x00", None,
 * ("a", 1); <type> for what is none of these, "…" for the rest of what is long. */
void rme_key_append(struct rme_python *py, rme_addr key, struct rme_buffer *out);

#endif
