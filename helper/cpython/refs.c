#include "cpython/refs.h"

#include "cpython/facts.h"
#include "cpython/inferred.h"
#include "cpython/numpy.h"
#include "cpython/object.h"
#include "cpython/owned.h"
#include "cpython/readers.h"

/* The builtin types whose references are read by layout in either measure: faster
 * than a call per reference, or, for functions and frames, with the namespaces left
 * out. True when it was one. */
static bool refs_builtin(struct rme_python *py, struct rme_type *t, rme_addr o, bool owned,
                         const struct rme_sink *sink)
{
	switch (t->kind) {
	case RME_KIND_LIST:
		/* More items than room: damaged, or in the middle of a change. */
		if (rme_u64(o + L(var_size)) > rme_u64(o + L(list_allocated))) {
			t->n_faults++;
			t->example = o;
		}
		rme_refs_list(py, o, sink);
		return true;
	case RME_KIND_TUPLE:
		rme_refs_tuple(py, o, sink);
		return true;
	case RME_KIND_DICT:
		/* Split tables and inline values differ by patch release: its own code. */
		if (rme_ptr(o + L(dict_values)))
			return false;
		rme_refs_dict(py, o, owned, sink);
		return true;
	case RME_KIND_SET:
		rme_refs_set(py, o, sink);
		return true;
	case RME_KIND_FUNCTION:
		rme_refs_function(py, o, sink);
		return true;
	case RME_KIND_FRAME:
		rme_refs_frame(py, o, owned, sink);
		return true;
	case RME_KIND_STRUCTSEQ:
		/* Up to 3.12 its code asks the thread state, which may be none. */
		if (rme_has_structseq_traverse_alone(py))
			return false;
		rme_refs_structseq(py, t, o, sink);
		return true;
	default:
		return false;
	}
}

/* Passes on every reference but one. */
struct filter {
	const struct rme_sink *sink;
	rme_addr left_out;
};

static int visit_filtered(void *object, void *arg)
{
	const struct filter *f = arg;

	return (rme_addr)object == f->left_out ? 0 : f->sink->visit(object, f->sink->arg);
}

static void range_unfiltered(void *arg, rme_addr first, uint64_t count, uint64_t stride)
{
	const struct filter *f = arg;

	f->sink->range(f->sink->arg, first, count, stride);
}

/* What tp_traverse visits, or would if its code were here. */
static void refs_traversed(struct rme_python *py, struct rme_type *t, rme_addr o,
                           const struct rme_sink *sink)
{
	if (t->slow)
		rme_guards_raise(py->guards, RME_GUARD_SLOW);
	rme_guards_call(py->guards);
	if (t->no_code)
		rme_refs_inferred(py, t, o, sink);
	else if (t->traverse && rme_is_gc(py, t, o))
		((int (*)(rme_addr, int (*)(void *, void *), void *))t->traverse)(o, sink->visit,
		                                                                  sink->arg);
}

void rme_refs_of(struct rme_python *py, struct rme_type *t, rme_addr o, bool owned,
                 const struct rme_sink *sink)
{
	if (t->exact && refs_builtin(py, t, o, owned, sink))
		return;
	if (owned && t->kind == RME_KIND_BYTESIO && !rme_bytesio_shares(py, o)) {
		/* Its own size counts the buffer: not twice. */
		struct filter f = {sink, rme_ptr(o + L(bytesio_buf))};
		struct rme_sink filtered = {visit_filtered, range_unfiltered, &f};
		refs_traversed(py, t, o, &filtered);
	} else {
		refs_traversed(py, t, o, sink);
	}
	if (owned)
		rme_refs_owned(py, t, o, sink);
	else if (t->kind == RME_KIND_NDARRAY)
		rme_numpy_array_references(py, o, false, sink);
}
