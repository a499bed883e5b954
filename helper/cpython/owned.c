#include "cpython/owned.h"

#include "cpython/attribute.h"
#include "cpython/conservative.h"
#include "cpython/dict.h"
#include "cpython/facts.h"
#include "cpython/numpy.h"
#include "cpython/readers.h"
#include "cpython/stackref.h"

/* The keys of a key table. */
static void owned_keys(struct rme_python *py, rme_addr keys, const struct rme_sink *sink)
{
	struct rme_keys k;

	if (keys && rme_keys_read(py, keys, &k))
		sink->range(sink->arg, k.entries + (k.entry_size == 24 ? 8 : 0), k.n_entries,
		            k.entry_size);
}

/* The keys that dict_traverse leaves out: those of tables of str keys, and of shared
 * tables. Up to 3.13.12 it also leaves out values that are embedded in an instance
 * (gh-130327). */
static void owned_dict(struct rme_python *py, rme_addr o, const struct rme_sink *sink)
{
	rme_addr keys = rme_ptr(o + L(dict_keys)), values = rme_ptr(o + L(dict_values));
	struct rme_keys k;

	if (!rme_keys_read(py, keys, &k))
		return;
	if (k.unicode || values)
		owned_keys(py, keys, sink);
	if (values && HAS(values_embedded) && !rme_has_embedded_values_visited_by_dict(py) &&
	    rme_u8(values + L(values_embedded)))
		sink->range(sink->arg, values + L(values_values), k.n_entries, 8);
}

/* code_dealloc (Objects/codeobject.c) says what a code object owns. */
static void owned_code(struct rme_python *py, rme_addr o, const struct rme_sink *sink)
{
	const struct rme_layout *l = py->layout;

	rme_refs_field(sink, o, l->code_code);
	rme_refs_field(sink, o, l->code_consts);
	rme_refs_field(sink, o, l->code_names);
	rme_refs_field(sink, o, l->code_varnames);
	rme_refs_field(sink, o, l->code_freevars);
	rme_refs_field(sink, o, l->code_cellvars);
	rme_refs_field(sink, o, l->code_exceptiontable);
	rme_refs_field(sink, o, l->code_localsplusnames);
	rme_refs_field(sink, o, l->code_localspluskinds);
	rme_refs_field(sink, o, l->code_filename);
	rme_refs_field(sink, o, l->code_name);
	rme_refs_field(sink, o, l->code_qualname);
	rme_refs_field(sink, o, l->code_lnotab);
	rme_refs_field(sink, o, l->code_linetable);
	rme_refs_field(sink, o, l->code_cached_code);
	if (HAS(code_cached)) {
		/* _PyCoCached (3.12+): four objects made on demand. */
		rme_addr cached = rme_ptr(o + L(code_cached));
		if (cached)
			sink->range(sink->arg, cached, L(code_cached_size) / 8, 8);
	}
}

static void owned_type(struct rme_python *py, rme_addr o, const struct rme_sink *sink)
{
	const struct rme_layout *l = py->layout;

	if (!(rme_u64(o + L(type_flags)) & RME_FLAG_HEAPTYPE))
		return;
	rme_refs_field(sink, o, l->heaptype_name);
	rme_refs_field(sink, o, l->heaptype_qualname);
	rme_refs_field(sink, o, l->heaptype_slots);
	owned_keys(py, rme_ptr(o + L(heaptype_cached_keys)), sink);
}

static void owned_generator(struct rme_python *py, struct rme_type *t, rme_addr o,
                            const struct rme_sink *sink)
{
	const struct rme_layout *l = py->layout;

	if (t->native == py->sym.coroutine)
		rme_refs_field(sink, o, l->coro_origin);
	/* One that runs right now shows no locals to its tp_traverse up to 3.13. */
	if (HAS(gen_frame_state) &&
	    rme_i8(o + L(gen_frame_state)) == rme_constant(py, RME_frame_executing) &&
	    rme_iframe_top(py, o + L(gen_iframe)) < 0)
		rme_refs_iframe_locals(py, o + L(gen_iframe), sink);
}

/* Instances of classes whose materialised __dict__ stands beside their inline
 * values: up to 3.13.12 tp_traverse visits the values and not the dict (gh-130327). */
static void owned_instance(struct rme_python *py, struct rme_type *t, rme_addr o,
                           const struct rme_sink *sink)
{
	struct rme_instance in;

	if (!HAS(values_valid) || rme_has_embedded_values_visited_by_dict(py) ||
	    ~t->flags & (RME_FLAG_INLINE_VALUES | RME_FLAG_MANAGED_DICT))
		return;
	rme_instance_read(py, o, &in);
	if (in.values)
		rme_sink_visit(sink, in.dict);
}

/* datetime and time without a tzinfo are allocated without that field. */
static void owned_tzinfo(const struct rme_python *py, rme_addr o, int32_t field,
                         const struct rme_sink *sink)
{
	if (rme_u8(o + L(datetime_hastzinfo)))
		rme_refs_field(sink, o, field);
}

void rme_refs_owned(struct rme_python *py, struct rme_type *t, rme_addr o,
                    const struct rme_sink *sink)
{
	const struct rme_layout *l = py->layout;

	if (t->is_python)
		owned_instance(py, t, o, sink);
	/* Extension modules may move their fields in a patch release: look first. */
	for (unsigned i = 0; i < t->n_owned; i++)
		if (rme_is_object(py, rme_ptr(o + t->owned[i])))
			rme_sink_visit(sink, rme_ptr(o + t->owned[i]));
	if (t->guess_owned &&
	    rme_refs_guess(py, o + L(object_size), o + rme_u64(t->native + L(type_basicsize)),
	                   o + rme_u64(t->native + L(type_weaklistoffset)), sink)) {
		t->n_inferred++;
		t->example = o;
	}
	switch (t->kind) {
	case RME_KIND_ODICT:
		/* odict_traverse visits the keys of its list (Objects/odictobject.c). */
		break;
	case RME_KIND_DICT:
	case RME_KIND_DEFAULTDICT:
	case RME_KIND_STGDICT:
		owned_dict(py, o, sink);
		break;
	case RME_KIND_CODE:
		owned_code(py, o, sink);
		break;
	case RME_KIND_TYPE:
	case RME_KIND_CTYPE:
		owned_type(py, o, sink);
		break;
	case RME_KIND_GENERATOR:
		owned_generator(py, t, o, sink);
		break;
	case RME_KIND_DESCRIPTOR:
		rme_refs_field(sink, o, l->descr_name);
		rme_refs_field(sink, o, l->descr_qualname);
		break;
	case RME_KIND_RANGE:
		rme_refs_field(sink, o, l->range_start);
		rme_refs_field(sink, o, l->range_stop);
		rme_refs_field(sink, o, l->range_step);
		rme_refs_field(sink, o, l->range_length);
		break;
	case RME_KIND_BYTESIO:
		/* A buffer that nobody shares is in the object's own size already;
		 * bytesio_traverse visits it since 3.12 (refs.c). */
		if (!rme_has_bytesio_visits_buffer(py) && rme_bytesio_shares(py, o))
			rme_refs_field(sink, o, l->bytesio_buf);
		break;
	case RME_KIND_MODULE:
		rme_refs_field(sink, o, l->module_name);
		break;
	case RME_KIND_DATETIME:
		owned_tzinfo(py, o, l->datetime_tzinfo, sink);
		break;
	case RME_KIND_TIME:
		owned_tzinfo(py, o, l->time_tzinfo, sink);
		break;
	case RME_KIND_NDARRAY:
		rme_numpy_array_references(py, o, true, sink);
		break;
	case RME_KIND_NPVOID:
		rme_numpy_scalar_references(o, t, sink);
		break;
	case RME_KIND_NPDTYPE:
		rme_numpy_dtype_references(o, sink);
		break;
	case RME_KIND_NPFLATITER:
		rme_numpy_flatiter_references(o, t, sink);
		break;
	default:
		break;
	}
}
