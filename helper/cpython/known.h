/* The native types that the helper has rules for, by tp_name. Names that are guessed
 * (type_name.c) are tried against these, so they know nothing but names. */
#ifndef RME_CPYTHON_KNOWN_H
#define RME_CPYTHON_KNOWN_H

#include "cpython/python.h"
#include "cpython/rule.h"

/* The native type that an instance's layout comes from: itself or a base. To add
 * one: a row in kind.c, its size rule in size.c, its references in refs.c. */
enum rme_kind {
	RME_KIND_OTHER,
	RME_KIND_OBJECT,
	RME_KIND_INT,
	RME_KIND_STR,
	RME_KIND_BYTES,
	RME_KIND_BYTEARRAY,
	RME_KIND_LIST,
	RME_KIND_TUPLE,
	RME_KIND_STRUCTSEQ,
	RME_KIND_DICT,
	RME_KIND_ODICT,
	RME_KIND_DEFAULTDICT,
	RME_KIND_SET,
	RME_KIND_DEQUE,
	RME_KIND_TYPE,
	RME_KIND_FUNCTION,
	RME_KIND_METHOD,
	RME_KIND_CFUNCTION,
	RME_KIND_CELL,
	RME_KIND_CODE,
	RME_KIND_FRAME,
	RME_KIND_GENERATOR, /* and coroutine, async generator */
	RME_KIND_TRACEBACK,
	RME_KIND_MODULE,
	RME_KIND_DESCRIPTOR,
	RME_KIND_RANGE,
	RME_KIND_RANGE_ITERATOR, /* of more than a C long */
	RME_KIND_BYTESIO,
	RME_KIND_BUFFERED,
	RME_KIND_ARRAY,
	RME_KIND_SIMPLEQUEUE,
	RME_KIND_STRUCT,
	RME_KIND_DECIMAL,
	RME_KIND_ELEMENT,
	RME_KIND_PICKLER,
	RME_KIND_UNPICKLER,
	RME_KIND_PRODUCT,
	RME_KIND_COMBINATIONS,
	RME_KIND_CWR,
	RME_KIND_PERMUTATIONS,
	RME_KIND_STGDICT, /* ctypes' type dict, up to 3.12 */
	RME_KIND_CTYPE,   /* ctypes' metatype, 3.13 */
	RME_KIND_DATETIME,
	RME_KIND_TIME,
	RME_KIND_NDARRAY,
	RME_KIND_NPSCALAR,
	RME_KIND_NPVOID,
	RME_KIND_NPDTYPE,
	RME_KIND_NPFLATITER,
	RME_KIND_MMAP,
	RME_KIND_EXCEPTION,
	RME_KIND_PARTIAL,
	RME_KIND_LRU_CACHE,
	RME_KIND_LRU_LINK,
	RME_KIND_WEAKREF,
	RME_KIND_PROPERTY,
	RME_KIND_N
};

/* The kind of a native type of that name, RME_KIND_OTHER if unknown. */
enum rme_kind rme_kind_named(const char *tp_name);

/* Is there a rule for native types of that name alone? Then it sets the reader and the
 * words of *ret. */
bool rme_rule_named(const struct rme_python *py, const char *tp_name, struct rme_rule *ret);

/* Does owned.def say anything of native types of that name? */
bool rme_owned_named(const char *tp_name);

#endif
