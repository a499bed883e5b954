#include "cpython/readers.h"

#include "cpython/class.h"
#include "cpython/dict.h"
#include "cpython/facts.h"
#include "cpython/object.h"
#include "cpython/stackref.h"

enum { MAX_STACK = 1 << 20 };

/* dict_traverse (Objects/dictobject.c) */
void rme_refs_dict(struct rme_python *py, rme_addr dict, bool keys, const struct rme_sink *sink)
{
	rme_addr values = rme_ptr(dict + L(dict_values));
	struct rme_keys k;

	if (!rme_keys_read(py, rme_ptr(dict + L(dict_keys)), &k))
		return;
	rme_addr key = k.entries + (k.entry_size == 24 ? 8 : 0);
	if (keys || (!k.unicode && !values))
		sink->range(sink->arg, key, k.n_entries, k.entry_size);
	if (!values)
		sink->range(sink->arg, key + 8, k.n_entries, k.entry_size);
	else
		sink->range(sink->arg, values + (HAS(values_values) ? L(values_values) : 0),
		            k.n_entries, 8);
}

static void items(const struct rme_sink *sink, rme_addr first, uint64_t n)
{
	rme_probe(first, n < 1ull << 44 ? 8 * n : ~0ull);
	sink->range(sink->arg, first, n, 8);
}

void rme_refs_list(struct rme_python *py, rme_addr list, const struct rme_sink *sink)
{
	items(sink, rme_ptr(list + L(list_items)), rme_sequence_length(py, list));
}

void rme_refs_tuple(struct rme_python *py, rme_addr tuple, const struct rme_sink *sink)
{
	items(sink, tuple + L(tuple_items), rme_sequence_length(py, tuple));
}

/* set_traverse (Objects/setobject.c): a dummy entry has hash -1. */
void rme_refs_set(struct rme_python *py, rme_addr set, const struct rme_sink *sink)
{
	uint64_t mask = rme_u64(set + L(set_mask));
	rme_addr entry = rme_ptr(set + L(set_table));

	if (mask & (mask + 1))
		return;
	for (uint64_t i = 0; i <= mask; i++, entry += 16)
		if (rme_i64(entry + 8) != -1)
			rme_sink_visit(sink, rme_ptr(entry));
}

/* func_traverse (Objects/funcobject.c) without the globals and builtins. */
void rme_refs_function(struct rme_python *py, rme_addr f, const struct rme_sink *sink)
{
	const struct rme_layout *l = py->layout;

	rme_refs_field(sink, f, l->function_code);
	rme_refs_field(sink, f, l->function_module);
	rme_refs_field(sink, f, l->function_defaults);
	rme_refs_field(sink, f, l->function_kwdefaults);
	rme_refs_field(sink, f, l->function_doc);
	rme_refs_field(sink, f, l->function_name);
	rme_refs_field(sink, f, l->function_dict);
	rme_refs_field(sink, f, l->function_closure);
	rme_refs_field(sink, f, l->function_annotations);
	rme_refs_field(sink, f, l->function_qualname);
	rme_refs_field(sink, f, l->function_typeparams);
	rme_refs_field(sink, f, l->function_annotate);
}

/* The first `n` slots of a frame. */
static void refs_slots(struct rme_python *py, rme_addr f, int32_t n, const struct rme_sink *sink)
{
	rme_addr first = f + L(iframe_localsplus);

	if (!rme_has_stackrefs(py)) {
		sink->range(sink->arg, first, (uint64_t)n, 8);
		return;
	}
	for (uint64_t i = 0; i < (uint64_t)n; i++)
		rme_sink_visit(sink, rme_stackref(py, rme_ptr(first + 8 * i)));
}

void rme_refs_iframe_locals(struct rme_python *py, rme_addr f, const struct rme_sink *sink)
{
	rme_addr code = rme_stackref(py, rme_ptr(f + L(iframe_code)));
	int32_t n =
	    code && rme_type_of(py, code) == py->sym.code ? rme_i32(code + L(code_nlocalsplus)) : 0;

	if (n > 0 && n < MAX_STACK)
		refs_slots(py, f, n, sink);
}

void rme_refs_iframe(struct rme_python *py, rme_addr f, bool all, const struct rme_sink *sink)
{
	const struct rme_layout *l = py->layout;
	rme_addr code = rme_stackref(py, rme_ptr(f + L(iframe_code)));
	rme_addr locals = rme_ptr(f + L(iframe_locals));
	int32_t top = rme_iframe_top(py, f);

	rme_refs_field(sink, f, l->iframe_frame_obj);
	if (locals != rme_ptr(f + L(iframe_globals)))
		rme_sink_visit(sink, locals);
	rme_sink_visit(sink, rme_stackref(py, rme_ptr(f + L(iframe_func))));
	rme_sink_visit(sink, code);
	if (top < 0 && all)
		rme_refs_iframe_locals(py, f, sink);
	else if (top > 0 && top < MAX_STACK)
		refs_slots(py, f, top, sink);
}

/* frame_traverse (Objects/frameobject.c) up to 3.10: the frame is the object. */
static void refs_frame_object(struct rme_python *py, rme_addr f, const struct rme_sink *sink)
{
	const struct rme_layout *l = py->layout;
	rme_addr code = rme_ptr(f + L(frame_code)), locals = rme_ptr(f + L(frame_locals));
	rme_addr bottom = rme_ptr(f + L(frame_valuestack));
	uint64_t depth = 0;

	rme_refs_field(sink, f, l->frame_back);
	rme_sink_visit(sink, code);
	if (locals != rme_ptr(f + L(frame_globals)))
		rme_sink_visit(sink, locals);
	rme_refs_field(sink, f, l->frame_trace);
	sink->range(sink->arg, f + L(frame_localsplus), (bottom - f - L(frame_localsplus)) / 8, 8);
	if (HAS(frame_stacktop)) {
		rme_addr top = rme_ptr(f + L(frame_stacktop));
		depth = top > bottom ? (top - bottom) / 8 : 0;
	} else if (rme_i32(f + L(frame_stackdepth)) > 0) {
		depth = (uint64_t)rme_i32(f + L(frame_stackdepth));
	}
	if (depth < MAX_STACK)
		sink->range(sink->arg, bottom, depth, 8);
}

void rme_refs_frame(struct rme_python *py, rme_addr f, bool owned, const struct rme_sink *sink)
{
	const struct rme_layout *l = py->layout;

	if (!HAS(frame_frame)) {
		refs_frame_object(py, f, sink);
		return;
	}
	rme_addr iframe = rme_ptr(f + L(frame_frame));
	rme_refs_field(sink, f, l->frame_back);
	rme_refs_field(sink, f, l->frame_trace);
	rme_refs_field(sink, f, l->frame_extra_locals);
	rme_refs_field(sink, f, l->frame_locals_cache);
	rme_refs_field(sink, f, l->frame_overwritten_locals);
	if (iframe && (owned || rme_u8(iframe + L(iframe_owner)) ==
	                            rme_constant(py, RME_owned_by_frame_object)))
		rme_refs_iframe(py, iframe, owned, sink);
}

/* structseq_traverse (Objects/structseq.c): hidden fields follow the visible ones. */
void rme_refs_structseq(struct rme_python *py, struct rme_type *t, rme_addr o,
                        const struct rme_sink *sink)
{
	rme_addr dict = rme_type_dict(py, t->address), n_fields = 0;
	int64_t n = 0;

	if (dict)
		n_fields = rme_dict_get_str(py, dict, "n_fields", 8);
	if (!n_fields || !rme_int_value(py, n_fields, &n) || n < 0 || n > MAX_STACK)
		n = (int64_t)rme_sequence_length(py, o);
	if (rme_has_visited_heap_types(py) && t->flags & RME_FLAG_HEAPTYPE)
		rme_sink_visit(sink, t->address);
	sink->range(sink->arg, o + L(tuple_items), (uint64_t)n, 8);
}

bool rme_bytesio_shares(const struct rme_python *py, rme_addr o)
{
	rme_addr buf = rme_ptr(o + L(bytesio_buf));

	return buf && (int64_t)rme_refcount(py, buf) > 1;
}
