/* Reading classes: their dicts along the MRO, their member tables. (The
 * helper's own record of a type is in type.h.) All loads may fault: callers hold a
 * guard. */
#ifndef RME_CPYTHON_CLASS_H
#define RME_CPYTHON_CLASS_H

#include "cpython/python.h"

/* tp_dict of any type; for static builtin types of 3.12+ the one of the main
 * interpreter's state. 0 when there is none. */
rme_addr rme_type_dict(const struct rme_python *py, rme_addr type);

/* tp_subclasses in the same way: a dict of weak references. */
rme_addr rme_type_subclasses(const struct rme_python *py, rme_addr type);

/* Raw attribute lookup along the MRO, no descriptors called; 0 when absent. */
rme_addr rme_type_lookup(const struct rme_python *py, rme_addr type, const void *utf8, size_t n);

/* Is the type `base`, or derived from it? By tp_base, as layouts are inherited. */
bool rme_type_is(const struct rme_python *py, rme_addr type, rme_addr base);

/* Is the type a structseq: a tuple with named fields, some of them hidden? */
bool rme_type_is_structseq(const struct rme_python *py, rme_addr type);

/* Of its address, for tables of types. */
static inline uint64_t rme_type_hash(rme_addr type)
{
	return (type >> 4) * 0x9e3779b97f4a7c15ull;
}

/* PyMemberDef.type of members that are objects (Include/structmember.h). */
enum { RME_MEMBER_OBJECT = 6, RME_MEMBER_OBJECT_EX = 16 };
enum { RME_MEMBER_AFTER_ITEMS = 1 << 4 }; /* its flags; Include/descrobject.h, 3.15+ */

struct rme_member {
	rme_addr owner;   /* the type that declares it */
	const char *name; /* in the debuggee, zero-terminated; NULL: not there */
	uint64_t offset;  /* of the field, from the object */
	int32_t kind;     /* RME_MEMBER_OBJECT or _EX, other numbers are no objects */
	bool slot;        /* declared by __slots__ */
	bool after_items; /* the offset is from the end of the items (3.15: tuples) */
};

/* Where the member of that object is. */
rme_addr rme_member_at(const struct rme_python *py, rme_addr object, uint64_t offset,
                       bool after_items);

/* Calls fn(arg, member) for each member that the type and its bases declare, the
 * type's own first. A non-zero return stops and is returned. */
typedef int (*rme_member_fn)(void *arg, const struct rme_member *member);
int rme_members_each(const struct rme_python *py, rme_addr type, rme_member_fn fn, void *arg);

#endif
