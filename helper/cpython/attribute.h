/* Reading the attributes that an instance itself carries: its dict in every form, and
 * the members of its class. No descriptor runs. All loads may fault: callers hold a
 * guard. */
#ifndef RME_CPYTHON_ATTRIBUTE_H
#define RME_CPYTHON_ATTRIBUTE_H

#include "cpython/class.h"
#include "cpython/dict.h"

/* Where an object keeps its attributes; a class, in its dict. In 3.13 both may be there:
 * the dict then reads the inline values. */
struct rme_instance {
	rme_addr dict;     /* a dict object, or 0 */
	rme_addr keys;     /* of the values: the class's shared key table, or 0 */
	rme_addr values;   /* pointers in the order of those keys, or 0 */
	uint64_t n_values; /* room of `values` */
};
void rme_instance_read(const struct rme_python *py, rme_addr object, struct rme_instance *ret);

/* The address of the instance's dict object, or 0 (none yet, or inline values). */
rme_addr rme_instance_dict(const struct rme_python *py, rme_addr object);

/* The value of the name in the instance's dict, any form; 0 when absent. */
rme_addr rme_instance_get(const struct rme_python *py, rme_addr object, const void *utf8, size_t n);

/* Instance attributes: calls fn(arg, name, NULL, value) for the entries of the instance
 * dict (any form: slot, managed, inline values, shared values), then fn(arg, 0,
 * slot_name, value) for every set __slots__ member; slot_name is zero-terminated, in
 * the debuggee. A non-zero return stops and is returned. */
typedef int (*rme_attribute_fn)(void *arg, rme_addr name, const char *slot_name, rme_addr value);
int rme_attributes_each(const struct rme_python *py, rme_addr object, rme_attribute_fn fn,
                        void *arg);

#endif
