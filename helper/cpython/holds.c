#include "cpython/holds.h"

#include "cpython/dict.h"
#include "cpython/facts.h"
#include "cpython/frame.h"
#include "cpython/label.h"
#include "cpython/readers.h"
#include "cpython/str.h"

enum {
	VISITS_TYPE = 1,
	VISITS_NO_TYPE = 2,
	MAX_LINKS = 1 << 30,
	MAX_ENTRIES = 1 << 20 /* looked at for one label */
};

struct probe {
	rme_addr type;
	bool found;
};

static int probe_visit(void *object, void *arg)
{
	struct probe *p = arg;

	p->found |= (rme_addr)object == p->type;
	return 0;
}

static void probe_range(void *arg, rme_addr first, uint64_t count, uint64_t stride)
{
	(void)arg, (void)first, (void)count, (void)stride;
}

/* An instance of a heap type holds it, but only from 3.9 on do C types say so in their
 * tp_traverse (bpo-40217), and not all of them. Asked of one instance of each type. */
static bool visits_type(struct rme_python *py, struct rme_type *t, rme_addr o)
{
	struct probe p = {t->address, false};
	struct rme_sink sink = {probe_visit, probe_range, &p};

	if (!t->holds_type) {
		if (!t->leaf)
			rme_refs_of(py, t, o, true, &sink);
		t->holds_type = p.found ? VISITS_TYPE : VISITS_NO_TYPE;
	}
	return t->holds_type == VISITS_TYPE;
}

/* What a type holds and its tp_traverse does not show: all of it, in a static one, whose
 * tp_traverse may not be called. */
static void holds_of_type(struct rme_python *py, rme_addr o, const struct rme_sink *sink)
{
	const struct rme_layout *l = py->layout;

	rme_sink_visit(sink, rme_type_subclasses(py, o));
	if (rme_u64(o + L(type_flags)) & RME_FLAG_HEAPTYPE)
		return;
	rme_sink_visit(sink, rme_type_dict(py, o));
	rme_refs_field(sink, o, l->type_bases);
	rme_refs_field(sink, o, l->type_mro);
	rme_refs_field(sink, o, l->type_cache);
	rme_refs_field(sink, o, l->type_base);
}

/* functools.lru_cache: a ring of links, which the wrapper owns like its dict does
 * (Modules/_functoolsmodule.c, lru_cache_append_link). */
static void holds_links(struct rme_python *py, rme_addr o, const struct rme_sink *sink)
{
	rme_addr root = o + L(lru_root), link = rme_ptr(root + L(lrulink_next));

	for (uint64_t n = 0; link && link != root && n < MAX_LINKS; n++) {
		rme_sink_visit(sink, link);
		link = rme_ptr(link + L(lrulink_next));
	}
}

void rme_holds(struct rme_python *py, struct rme_type *t, rme_addr o, const struct rme_sink *sink)
{
	const struct rme_layout *l = py->layout;

	if (t->exact && t->kind == RME_KIND_FRAME) {
		/* The variables of a frame that runs are the thread's, or a generator's. */
		rme_refs_frame(py, o, false, sink);
		rme_refs_field(sink, o, l->frame_globals);
		rme_refs_field(sink, o, l->frame_builtins);
		return;
	}
	if (!t->leaf)
		rme_refs_of(py, t, o, true, sink);
	if (t->flags & RME_FLAG_HEAPTYPE && !visits_type(py, t, o))
		rme_sink_visit(sink, t->address);
	switch (t->kind) {
	case RME_KIND_FUNCTION:
		rme_refs_field(sink, o, l->function_globals);
		rme_refs_field(sink, o, l->function_builtins);
		break;
	case RME_KIND_TYPE:
	case RME_KIND_CTYPE:
		holds_of_type(py, o, sink);
		break;
	case RME_KIND_MODULE:
		rme_refs_field(sink, o, l->module_name);
		break;
	case RME_KIND_LRU_CACHE:
		holds_links(py, o, sink);
		break;
	default:
		break;
	}
}

/* The variable of a frame or generator whose slot holds the object itself: a cell. */
static bool variable_append(struct rme_python *py, rme_addr code, rme_addr slots, rme_addr object,
                            struct rme_buffer *out)
{
	rme_addr name;

	for (uint64_t i = 0; (name = rme_variable_name(py, code, i)); i++) {
		if (rme_ptr(slots + 8 * i) != object)
			continue;
		rme_buffer_text(out, "(cell of ");
		rme_str_append(py, name, 200, out);
		rme_buffer_char(out, ')');
		return true;
	}
	return false;
}

static bool in_frame(struct rme_python *py, rme_addr holder, rme_addr object,
                     struct rme_buffer *out)
{
	rme_addr frame = rme_type_of(py, holder) == py->sym.frame
	                     ? rme_frame_of_object(py, holder)
	                     : rme_frame_of_generator(py, holder);
	struct rme_frame f;

	return frame && rme_frame_read(py, frame, &f) &&
	       variable_append(py, f.code,
	                       frame +
	                           (HAS(iframe_size) ? L(iframe_localsplus) : L(frame_localsplus)),
	                       object, out);
}

static bool is_key(struct rme_python *py, rme_addr dict, rme_addr object)
{
	struct rme_dict_iter it = {0};

	for (uint64_t n = 0; n < MAX_ENTRIES && rme_dict_next(py, dict, &it); n++)
		if (it.key == object)
			return true;
	return false;
}

/* A link of an lru_cache: is the object its result, not its key? */
static bool is_result(struct rme_python *py, rme_addr o, rme_addr object)
{
	rme_addr root = o + L(lru_root), link = rme_ptr(root + L(lrulink_next));

	for (uint64_t n = 0; link && link != root && n < MAX_ENTRIES; n++) {
		if (rme_ptr(link + L(lrulink_result)) == object)
			return true;
		link = rme_ptr(link + L(lrulink_next));
	}
	return false;
}

static const char *words_for(struct rme_python *py, struct rme_type *t, rme_addr holder,
                             rme_addr object)
{
	if (object == t->address)
		return ".__class__";
	switch (t->kind) {
	case RME_KIND_FUNCTION:
		if (object == rme_ptr(holder + L(function_globals)))
			return ".__globals__";
		return HAS(function_builtins) && object == rme_ptr(holder + L(function_builtins))
		           ? "(builtins)"
		           : NULL;
	case RME_KIND_DICT:
	case RME_KIND_ODICT:
	case RME_KIND_DEFAULTDICT:
		return is_key(py, holder, object) ? "(key)" : NULL;
	case RME_KIND_SET:
		return "(element)";
	case RME_KIND_CODE:
		return "(constant or name)";
	case RME_KIND_LRU_CACHE:
		return is_result(py, holder, object) ? "(cached result)" : "(cached arguments)";
	case RME_KIND_NDARRAY:
		return "(element or base)";
	case RME_KIND_WEAKREF:
		return "(callback)";
	case RME_KIND_GENERATOR:
	case RME_KIND_FRAME:
		return "(value stack)";
	default:
		return NULL;
	}
}

static bool hold_append(struct rme_python *py, rme_addr holder, rme_addr object,
                        struct rme_buffer *out)
{
	struct rme_type *t = rme_type_get(py, rme_type_of(py, holder));
	const char *words;

	if (!t)
		return false;
	if ((t->kind == RME_KIND_FRAME || t->kind == RME_KIND_GENERATOR) &&
	    in_frame(py, holder, object, out))
		return true;
	words = words_for(py, t, holder, object);
	if (words)
		rme_buffer_text(out, words);
	return words;
}

bool rme_hold_append(struct rme_python *py, rme_addr holder, rme_addr object,
                     struct rme_buffer *out)
{
	struct rme_guard guard;
	size_t start = out->size;

	if (rme_label_append(py, holder, object, MAX_ENTRIES, out))
		return true;
	if (RME_GUARD(py->guards, &guard)) {
		bool found = hold_append(py, holder, object, out);
		rme_guard_pop(py->guards, &guard);
		if (found)
			return true;
	}
	out->size = start;
	return false;
}
