/* What differs between versions of CPython besides where fields are (facts.def), and the
 * constants that are the same in all. No other file compares versions. */
#ifndef RME_CPYTHON_FACTS_H
#define RME_CPYTHON_FACTS_H

#include "cpython/python.h"

/* Py_TPFLAGS_*, Include/object.h */
enum {
	RME_FLAG_STATIC_BUILTIN = 1u << 1,  /* 3.12+ */
	RME_FLAG_INLINE_VALUES = 1u << 2,   /* 3.13+ */
	RME_FLAG_MANAGED_WEAKREF = 1u << 3, /* 3.12+ */
	RME_FLAG_MANAGED_DICT = 1u << 4,    /* 3.11+ */
	RME_FLAG_HEAPTYPE = 1u << 9,
	RME_FLAG_HAVE_GC = 1u << 14
};

#define NEVER UINT32_MAX
#define VALUE(name, since, value)
#define FACT(name, since, until)                                                                   \
	static inline bool rme_has_##name(const struct rme_python *py)                             \
	{                                                                                          \
		return py->version >= since && py->version < until;                                \
	}
#define AGAIN(name, since, until, again)                                                           \
	static inline bool rme_has_##name(const struct rme_python *py)                             \
	{                                                                                          \
		return (py->version >= since && py->version < until) || py->version >= again;      \
	}
#include "cpython/facts.def"
#undef AGAIN
#undef FACT
#undef VALUE
#undef NEVER

enum rme_constant {
	RME_pool_size,
	RME_values_before,
	RME_shared_keys_max,
	RME_owned_by_generator,
	RME_owned_by_frame_object,
	RME_owned_by_cstack,
	RME_frame_executing,
	RME_frame_cleared
};

enum { RME_NO_VALUE = INT32_MIN };

static inline int32_t rme_constant(const struct rme_python *py, enum rme_constant name)
{
	int32_t found = RME_NO_VALUE;

#define AGAIN(name, since, until, again)
#define FACT(name, since, until)
#define VALUE(row, since, value)                                                                   \
	if (name == RME_##row && py->version >= since)                                             \
		found = value;
#include "cpython/facts.def"
#undef VALUE
#undef FACT
#undef AGAIN
	return found;
}

#endif
