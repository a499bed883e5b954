/* `object[key]` as Python would find it, without running any code: dict, list, tuple,
 * collections.deque, what derives from them, and a view of a dict (mappingproxy). */
#ifndef RME_CPYTHON_SUBSCRIPT_H
#define RME_CPYTHON_SUBSCRIPT_H

#include "cpython/python.h"

/* A key as the user typed it. */
struct rme_key {
	uint32_t kind;    /* RME_STEP_KEY_* */
	const void *data; /* of a str or bytes */
	size_t n;
	int64_t integer;
};

enum rme_container { RME_NO_CONTAINER, RME_MAPPING, RME_SEQUENCE };

struct rme_item {
	enum rme_container container;
	rme_addr value;  /* 0: no such key */
	rme_addr dict;   /* of a mapping */
	uint64_t length; /* of a sequence */
};

/* Looks the key up. May fault. */
void rme_item_get(const struct rme_python *py, rme_addr object, const struct rme_key *key,
                  struct rme_item *ret);

#endif
