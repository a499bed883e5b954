/* One CPython process: its version, its layout, the types it exports, its
 * interpreters. Every other file of cpython/ takes a struct rme_python. Knows no
 * query and no graph. */
#ifndef RME_CPYTHON_PYTHON_H
#define RME_CPYTHON_PYTHON_H

#include "cpython/layout.h"
#include "rememberme.h"
#include "runtime/arena.h"
#include "runtime/error.h"
#include "runtime/guard.h"
#include "runtime/memory.h"

struct rme_symbols {
#define SYMBOL(member, name) rme_addr member;
#include "cpython/symbols.def"
#undef SYMBOL
};

struct rme_types; /* cpython/type.h */
struct rme_names; /* cpython/type_name.c */

struct rme_python {
	const struct rme_layout *layout;
	struct rme_symbols sym;
	const struct rme_request *request; /* images, code ranges, threads, flags */
	struct rme_arena *arena;
	struct rme_guards *guards;
	uint32_t version;  /* as PY_VERSION_HEX: 0x030c01f0 is 3.12.1 */
	bool has_symbols;  /* sym is from a binary; else from memory: discover.h */
	rme_addr interp;   /* the main interpreter */
	rme_addr lookdict; /* rme_dict_find_lookdict's (dict.h); 0: not known */
	bool no_pymalloc;  /* rme_allocated_init's (allocated.h) */
	struct rme_types *types;
	struct rme_names *names; /* of types whose tp_name is not there */
};

/* Appends a version (PY_VERSION_HEX) as people write it: "3.12.1". */
void rme_version_append(uint32_t version, struct rme_buffer *out);

/* An object's reference count. Since 3.14 it has 32 bits; the 16 above them are zero, which a
 * block that is free need not have there, and the rest are flags (Include/object.h). */
static inline uint64_t rme_refcount(const struct rme_python *py, rme_addr object)
{
	rme_addr at = object + (uint64_t)py->layout->object_refcnt;

	return py->layout->object_flags == RME_ABSENT ? rme_u64(at) : rme_u64(at) << 16 >> 16;
}

/* The type of an object, without any check. */
static inline rme_addr rme_type_of(const struct rme_python *py, rme_addr object)
{
	return rme_ptr(object + (uint64_t)py->layout->object_type);
}

/* Is the object an instance of one of the classes with a type flag
 * (Py_TPFLAGS_*_SUBCLASS, Include/object.h)? */
enum {
	RME_LONG_SUBCLASS = 1u << 24,
	RME_LIST_SUBCLASS = 1u << 25,
	RME_TUPLE_SUBCLASS = 1u << 26,
	RME_BYTES_SUBCLASS = 1u << 27,
	RME_STR_SUBCLASS = 1u << 28,
	RME_DICT_SUBCLASS = 1u << 29,
	RME_EXC_SUBCLASS = 1u << 30,
	RME_TYPE_SUBCLASS = 1u << 31
};
static inline bool rme_is_a(const struct rme_python *py, rme_addr object, uint32_t flag)
{
	rme_addr type = rme_type_of(py, object);
	return rme_u64(type + (uint64_t)py->layout->type_flags) & flag;
}

#endif
