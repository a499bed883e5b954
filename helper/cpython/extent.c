#include "cpython/extent.h"

#include "cpython/numpy.h"
#include "cpython/object.h"

static struct rme_extent block(rme_addr start, uint64_t n, uint64_t each)
{
	return (struct rme_extent){start, n >> 40 ? 0 : n * each};
}

struct rme_extent rme_extent_of(struct rme_python *py, const struct rme_type *t, rme_addr object,
                                uint64_t own_size)
{
	rme_addr o = object;

	switch (t->size_kind) {
	case RME_KIND_BYTEARRAY: /* ob_bytes stands behind ob_alloc */
		return block(rme_ptr(o + L(bytearray_alloc) + 8), rme_u64(o + L(bytearray_alloc)),
		             1);
	case RME_KIND_LIST:
		return block(rme_ptr(o + L(list_items)), rme_u64(o + L(list_allocated)), 8);
	case RME_KIND_SET:
		return block(rme_ptr(o + L(set_table)), rme_u64(o + L(set_mask)) + 1, 16);
	case RME_KIND_DICT:
	case RME_KIND_ODICT:
	case RME_KIND_DEFAULTDICT:
		return block(rme_ptr(o + L(dict_keys)), own_size - t->basicsize - t->presize, 1);
	case RME_KIND_NDARRAY:
		return block(rme_numpy_array_address(o), rme_numpy_array_data(o), 1);
	case RME_KIND_INT:
	case RME_KIND_STR:
		return block(o, own_size - t->presize, 1);
	default:
		/* With items, or of a size that is all its own: in the object. Where blocks are
		 * elsewhere (deque, array, …) nothing is said. */
		if (t->size_by == RME_SIZEOF_KIND && t->size_kind != RME_KIND_BYTES &&
		    t->size_kind != RME_KIND_TUPLE)
			return (struct rme_extent){0, 0};
		return block(o, own_size - t->presize, 1);
	}
}
