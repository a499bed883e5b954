/* The few exact builtin types that most objects of most programs are, sized and
 * followed in one go: what rme_size_of and rme_refs_of would do, without the calls.
 * They agree by test (tests/differential). */
#ifndef RME_CPYTHON_FAST_H
#define RME_CPYTHON_FAST_H

#include "cpython/dict.h"
#include "cpython/owned.h"
#include "cpython/refs.h"
#include "cpython/size.h"

/* Handles the object, or returns false and has done nothing. */
static inline __attribute__((always_inline)) bool rme_fast(struct rme_python *py,
                                                           struct rme_type *t, rme_addr o,
                                                           bool owned, const struct rme_sink *sink,
                                                           uint64_t *size)
{
	const struct rme_layout *l = py->layout;

	switch (t->fast) {
	case RME_FAST_FIXED:
		*size = t->basicsize + t->presize;
		return true;
	case RME_FAST_INT: {
		uint64_t digits = rme_u64(o + (uint64_t)l->int_tag) >> 3;
		*size = t->basicsize + rme_probe_items(o, digits ? digits : 1, 4);
		return true;
	}
	case RME_FAST_INSTANCE:
		*size = t->basicsize + t->presize;
		rme_guards_call(py->guards);
		((int (*)(rme_addr, int (*)(void *, void *), void *))t->traverse)(o, sink->visit,
		                                                                  sink->arg);
		if (owned)
			rme_refs_owned(py, t, o, sink);
		return true;
	case RME_FAST_STR: {
		uint32_t state = rme_u32(o + (uint64_t)l->str_state);
		/* compact, ascii, ready; before 3.12 without a wchar_t copy */
		if ((state & 0x60) != 0x60 ||
		    (l->str_wstr != RME_ABSENT && rme_ptr(o + (uint64_t)l->str_wstr)))
			return false;
		*size = (uint64_t)l->str_ascii_size + rme_u64(o + (uint64_t)l->str_length) + 1;
		rme_probe(o, *size);
		return true;
	}
	case RME_FAST_TUPLE: {
		uint64_t n = rme_u64(o + (uint64_t)l->var_size);
		rme_probe(o, n < 1ull << 44 ? 8 * n : ~0ull);
		*size = t->basicsize + 8 * n + t->presize;
		sink->range(sink->arg, o + (uint64_t)l->tuple_items, n, 8);
		return true;
	}
	case RME_FAST_LIST: {
		uint64_t n = rme_u64(o + (uint64_t)l->var_size);
		uint64_t room = rme_u64(o + (uint64_t)l->list_allocated);
		if (n > room) /* being resized or sorted */
			return false;
		rme_probe(rme_ptr(o + (uint64_t)l->list_items),
		          room < 1ull << 44 ? 8 * room : ~0ull);
		*size = t->basicsize + 8 * room + t->presize;
		sink->range(sink->arg, rme_ptr(o + (uint64_t)l->list_items), n, 8);
		return true;
	}
	case RME_FAST_DICT: {
		struct rme_keys k;
		rme_addr keys = rme_ptr(o + (uint64_t)l->dict_keys);
		if (rme_ptr(o + (uint64_t)l->dict_values) || !rme_keys_read(py, keys, &k))
			return false;
		*size = t->basicsize + t->presize;
		if (rme_i64(keys + (uint64_t)l->keys_refcnt) == 1) {
			uint64_t table = (uint64_t)l->keys_header_size + k.index_bytes +
			                 rme_keys_capacity(k.size) * k.entry_size;
			rme_probe(keys, table);
			*size += table;
		}
		rme_addr first = k.entries + (k.entry_size == 24 ? 8 : 0);
		if (k.entry_size == 16 && owned) {
			sink->range(sink->arg, first, 2 * k.n_entries, 8);
			return true;
		}
		if (owned || !k.unicode)
			sink->range(sink->arg, first, k.n_entries, k.entry_size);
		sink->range(sink->arg, first + 8, k.n_entries, k.entry_size);
		return true;
	}
	default:
		return false;
	}
}

#endif
