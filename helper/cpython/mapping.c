#include "cpython/mapping.h"

bool rme_mapping_read(const struct rme_python *py, rme_addr o, struct rme_mapping *ret)
{
	const struct rme_layout *l = py->layout;

	/* new_mmap_object and mmap_close_method (Modules/mmapmodule.c): no file is -1, and so
	 * is, from 3.13 on, a file whose descriptor was not to be kept. */
	ret->bytes = rme_u64(o + (uint64_t)l->mmap_size);
	ret->anonymous = rme_i32(o + (uint64_t)l->mmap_fd) == -1 &&
	                 (l->mmap_trackfd == RME_ABSENT || rme_u8(o + (uint64_t)l->mmap_trackfd));
	return rme_ptr(o + (uint64_t)l->mmap_data);
}
