#include "cpython/conservative.h"

#include "cpython/type.h"

enum {
	/* An immortal object's count is below 2^32 (3.12+), and so many references would take
	 * 32 GiB; a freed block begins with the address of the next (Objects/obmalloc.c), and
	 * two fields of 32 bits are above. */
	REFCOUNT_MAX_BITS = 32
};

static bool is_live_object(struct rme_python *py, rme_addr word)
{
	if (!rme_is_object(py, word))
		return false;
	int64_t refcount = (int64_t)rme_refcount(py, word);
	return refcount > 0 && !(refcount >> REFCOUNT_MAX_BITS);
}

uint64_t rme_refs_guess(struct rme_python *py, rme_addr from, rme_addr to, rme_addr not_this,
                        const struct rme_sink *sink)
{
	uint64_t n = 0;

	for (rme_addr at = from; at + 8 <= to; at += 8) {
		rme_addr word = rme_ptr(at);
		if (at != not_this && is_live_object(py, word)) {
			rme_sink_visit(sink, word);
			n++;
		}
	}
	return n;
}
