/* What the helper knows of each type that it meets, worked out once per type: how
 * its instances are sized, how their references are found, how far that is exact.
 * Knows no query and no graph. */
#ifndef RME_CPYTHON_TYPE_H
#define RME_CPYTHON_TYPE_H

#include "cpython/class.h"
#include "cpython/known.h"
#include "cpython/owned_fields.h"

/* Exact builtin types with a short way of their own (fast.h). */
enum rme_fast {
	RME_FAST_NONE,
	RME_FAST_FIXED, /* a fixed size and no references */
	RME_FAST_INT,
	RME_FAST_INSTANCE, /* of a class statement's class, of fixed size */
	RME_FAST_STR,
	RME_FAST_TUPLE,
	RME_FAST_LIST,
	RME_FAST_DICT
};

/* Who defines the __sizeof__ that sys.getsizeof would call. */
enum rme_sizeof {
	RME_SIZEOF_OBJECT, /* object.__sizeof__: basic size and items */
	RME_SIZEOF_KIND,   /* a native type that size.c knows: size_kind */
	RME_SIZEOF_C,      /* C code of an extension module */
	RME_SIZEOF_PYTHON  /* a Python function, which is not run */
};

struct rme_type {
	rme_addr address;
	uint64_t basicsize;
	uint64_t itemsize;
	uint64_t flags;
	uint64_t presize;              /* what getsizeof adds for headers; types aside */
	rme_addr traverse;             /* to call; 0: none, or its code may not run */
	rme_addr is_gc;                /* tp_is_gc, or 0 */
	uint8_t kind;                  /* enum rme_kind */
	uint8_t size_kind;             /* whose size rule, with RME_SIZEOF_KIND */
	uint8_t size_by;               /* enum rme_sizeof */
	bool gc;                       /* has Py_TPFLAGS_HAVE_GC */
	bool is_type;                  /* instances are classes */
	bool is_python;                /* tp_traverse is CPython's subtype_traverse: made by a class
	                                  statement */
	bool exact;                    /* the type of `kind` itself, not a subclass of it */
	uint8_t values_before;         /* a pointer to the attributes stands so far before the
	                                  object (3.11, 3.12); 0: none */
	uint8_t fast;                  /* enum rme_fast */
	bool leaf;                     /* instances have no references in either measure */
	bool no_code;                  /* it has a tp_traverse that may not be called */
	bool guess_owned;              /* no tp_traverse, and no name to look up what it owns by */
	struct rme_inferred *inferred; /* inferred.h: how its references are read then */
	rme_addr native;               /* the type that `kind` was read from */
	uint8_t n_owned;               /* rows of owned.def: offsets of what it owns unseen */
	uint16_t owned[RME_MAX_OWNED];
	uint64_t n_estimated;        /* instances whose own size is an estimate, this walk */
	uint64_t n_inferred;         /* instances whose references were inferred */
	uint64_t n_faults;           /* instances that faulted */
	bool slow;                   /* the code of one took too long: none is asked again */
	bool calls;                  /* the code of one made a system call */
	rme_addr example;            /* one of those */
	uint64_t n_objects, n_bytes; /* a tally of the instances, where a query keeps one */
	void *tally;                 /* and what else it keeps */
	uint32_t number;             /* how many types were met before it */
	uint8_t holds_type;          /* holds.c: whether instances show their reference to it */
};

struct rme_types {
	struct rme_type **slots; /* open addressing by address */
	uint64_t n_slots, n_used;
	rme_addr subtype_traverse; /* CPython's own, static in typeobject.c */
	rme_addr subtype_dealloc;
};

bool rme_types_init(struct rme_python *py);

/* The entry of a type, made when it is met first. NULL when the address is no
 * type. Never faults, but for out of arena (NULL as well). */
struct rme_type *rme_type_slow(struct rme_python *py, rme_addr type);

static inline struct rme_type *rme_type_get(struct rme_python *py, rme_addr type)
{
	struct rme_types *types = py->types;
	uint64_t mask = types->n_slots - 1, i = rme_type_hash(type) >> 32 & mask;

	for (; types->slots[i]; i = (i + 1) & mask)
		if (types->slots[i]->address == type)
			return types->slots[i]->basicsize ? types->slots[i] : NULL;
	return rme_type_slow(py, type);
}

/* Calls fn for every type met so far. */
void rme_types_each(struct rme_python *py, void (*fn)(void *, struct rme_type *), void *arg);

/* May the code at this address be called? (RME_CHECK_CODE, RME_LAYOUTS_ONLY) */
bool rme_code_callable(const struct rme_python *py, rme_addr code);

/* Does `object` look like one: aligned, readable, its type a type? Never faults. */
bool rme_is_object(struct rme_python *py, rme_addr object);

/* Is the object a gc object, as PyObject_IS_GC says? */
bool rme_is_gc(const struct rme_python *py, const struct rme_type *t, rme_addr object);

#endif
