/* `object.name` as Python would find it, but without running any code: instance
 * dicts, __slots__ and other members that are object pointers, class attributes. */
#ifndef RME_CPYTHON_LOOKUP_H
#define RME_CPYTHON_LOOKUP_H

#include "cpython/python.h"

enum rme_lookup {
	RME_LOOKUP_FOUND,
	RME_LOOKUP_ABSENT,
	RME_LOOKUP_CODE,  /* a property, or another descriptor that would be called */
	RME_LOOKUP_NUMBER /* a field of a C structure that holds no object */
};

/* FOUND: *ret is the value; a function, class method or the like of the class as it
 * stands in the class's dict. CODE, NUMBER: *ret is the descriptor. May fault. */
enum rme_lookup rme_attribute_get(struct rme_python *py, rme_addr object, const void *utf8,
                                  size_t n, rme_addr *ret);

/* Attributes that C code computes by returning one field: function.__code__,
 * exception.__traceback__ and so on. Calls fn(arg, name, value) for those of the
 * object that are set. May fault. */
typedef int (*rme_computed_fn)(void *arg, const char *name, rme_addr value);
int rme_computed_each(const struct rme_python *py, rme_addr object, rme_computed_fn fn, void *arg);

/* The field of a namedtuple that has this index: its name, a str; 0 when the type is
 * no namedtuple or has none. May fault. */
rme_addr rme_namedtuple_field(struct rme_python *py, rme_addr type, uint64_t index);

#endif
