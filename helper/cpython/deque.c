#include "cpython/deque.h"

#include "cpython/type_name.h"

bool rme_is_deque(const struct rme_python *py, rme_addr object)
{
	return rme_type_is_named(py, rme_type_of(py, object), "collections.deque");
}

/* Modules/_collectionsmodule.c: blocks of BLOCKLEN pointers, from leftindex of the
 * leftmost to rightindex of the rightmost. */
int rme_deque_each(const struct rme_python *py, rme_addr deque, rme_item_fn fn, void *arg)
{
	const struct rme_layout *l = py->layout;
	uint64_t length = (uint64_t)(l->block_right - l->block_data) / 8;
	rme_addr block = rme_ptr(deque + (uint64_t)l->deque_leftblock);
	uint64_t at = rme_u64(deque + (uint64_t)l->deque_leftindex);
	int64_t n = rme_i64(deque + (uint64_t)l->var_size);

	if (l->deque_leftblock == RME_ABSENT || at > length)
		return 0;
	for (uint64_t i = 0; n > 0 && i < (uint64_t)n; i++, at++) {
		if (at == length) {
			block = rme_ptr(block + (uint64_t)l->block_right);
			at = 0;
		}
		int stop = fn(arg, i, rme_ptr(block + (uint64_t)l->block_data + 8 * at));
		if (stop)
			return stop;
	}
	return 0;
}
