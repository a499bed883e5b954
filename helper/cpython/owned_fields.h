/* The rows of owned.def that a native type has: fields that its instances own unseen. */
#ifndef RME_CPYTHON_OWNED_FIELDS_H
#define RME_CPYTHON_OWNED_FIELDS_H

#include "cpython/python.h"

enum { RME_MAX_OWNED = 8 };

/* Offsets of the fields, at most RME_MAX_OWNED. False when nobody knows the type's name, and
 * so no row. May fault, but not for the name: hold a guard. */
bool rme_owned_fields(const struct rme_python *py, rme_addr native, uint16_t *ret, uint8_t *n_ret);

#endif
