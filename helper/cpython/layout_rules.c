#include "cpython/layout_rules.h"

#include "cpython/attribute.h"
#include "cpython/conservative.h"
#include "cpython/facts.h"
#include "cpython/kind.h"
#include "cpython/object.h"
#include "cpython/readers.h"
#include "cpython/stackref.h"
#include "cpython/type_name.h"

enum {
	MAX_BLOCKS = 1 << 28,
	MAX_LINKS = 1 << 30,
	MAX_ITEMS = 1 << 30,
};

/* PyObject_VisitManagedDict and what came before it (Objects/dictobject.c). */
void rme_refs_managed(struct rme_python *py, rme_addr o, const struct rme_sink *sink)
{
	struct rme_instance in;
	struct rme_keys keys;

	rme_instance_read(py, o, &in);
	/* gh-130327: since 3.13.13 a dict is visited instead of the inline values that it
	 * shares, before that the values instead of the dict. */
	if (in.dict && (!in.values || !rme_has_inline_values(py) ||
	                rme_has_embedded_values_visited_by_dict(py))) {
		rme_sink_visit(sink, in.dict);
		if (rme_has_managed_dict_visited_alone(py))
			return;
	}
	if (!in.values)
		return;
	if (!rme_has_inline_values(py)) {
		if (!in.keys || !rme_keys_read(py, in.keys, &keys))
			return;
		if (keys.n_entries < in.n_values)
			in.n_values = keys.n_entries;
	}
	sink->range(sink->arg, in.values, in.n_values, 8);
}

/* dict_traverse (Objects/dictobject.c). Values embedded in an instance are visited
 * there up to 3.13.12, since then here. */
static void read_dict(struct rme_python *py, rme_addr o, const struct rme_sink *sink)
{
	rme_addr values = rme_ptr(o + L(dict_values));

	if (values && HAS(values_embedded) && !rme_has_embedded_values_visited_by_dict(py) &&
	    rme_u8(values + L(values_embedded)))
		return;
	rme_refs_dict(py, o, false, sink);
}

/* odict_traverse (Objects/odictobject.c): the keys of its list, then the dict. */
static void read_odict(struct rme_python *py, rme_addr o, const struct rme_sink *sink)
{
	rme_addr node = rme_ptr(o + L(odict_first));

	rme_refs_field(sink, o, py->layout->odict_inst_dict);
	for (uint64_t i = 0; node && i < MAX_LINKS; i++) {
		rme_refs_field(sink, node, py->layout->odictnode_key);
		node = rme_ptr(node + L(odictnode_next));
	}
	read_dict(py, o, sink);
}

/* deque_traverse (Modules/_collectionsmodule.c) */
static void read_deque(struct rme_python *py, rme_addr o, const struct rme_sink *sink)
{
	uint64_t length = (L(block_right) - L(block_data)) / 8;
	rme_addr block = rme_ptr(o + L(deque_leftblock)), last = rme_ptr(o + L(deque_rightblock));
	uint64_t first = rme_u64(o + L(deque_leftindex));

	for (uint64_t i = 0; block != last && first <= length && i < MAX_BLOCKS; i++) {
		sink->range(sink->arg, block + L(block_data) + 8 * first, length - first, 8);
		first = 0;
		block = rme_ptr(block + L(block_right));
	}
	/* In an empty one the right index is left of the left index. */
	int64_t n = rme_i64(o + L(deque_rightindex)) + 1 - (int64_t)first;
	if (n > 0 && (uint64_t)n <= length)
		sink->range(sink->arg, block + L(block_data) + 8 * first, (uint64_t)n, 8);
}

/* type_traverse (Objects/typeobject.c), for heap types only */
static void read_type(struct rme_python *py, rme_addr o, const struct rme_sink *sink)
{
	const struct rme_layout *l = py->layout;

	rme_refs_field(sink, o, l->type_dict);
	rme_refs_field(sink, o, l->type_cache);
	rme_refs_field(sink, o, l->type_mro);
	rme_refs_field(sink, o, l->type_bases);
	rme_refs_field(sink, o, l->type_base);
	rme_refs_field(sink, o, l->heaptype_module);
}

/* CDataType_traverse up to 3.12: tp_dict is a StgDict. CType_Type_traverse, 3.13: a
 * StgInfo follows the heap type, aligned to 16 (Modules/_ctypes/_ctypes.c). */
static void read_ctype(struct rme_python *py, rme_addr o, const struct rme_sink *sink)
{
	const struct rme_layout *l = py->layout;

	if (HAS(stginfo_proto)) {
		rme_addr info = o + ((L(heaptype_size) + 15) & ~15ull);
		rme_refs_field(sink, info, l->stginfo_proto);
		rme_refs_field(sink, info, l->stginfo_argtypes);
		rme_refs_field(sink, info, l->stginfo_converters);
		rme_refs_field(sink, info, l->stginfo_restype);
		rme_refs_field(sink, info, l->stginfo_checker);
		rme_refs_field(sink, info, l->stginfo_pointer_type);
		rme_refs_field(sink, info, l->stginfo_module);
	} else {
		rme_addr dict = rme_ptr(o + L(type_dict));
		if (dict && rme_u64(rme_type_of(py, dict) + L(type_basicsize)) == L(stgdict_size))
			rme_refs_field(sink, dict, l->stgdict_proto);
	}
	read_type(py, o, sink);
}

/* meth_traverse (Objects/methodobject.c) asks METH_METHOD, which the instances of
 * builtin_method have; only they have room for the class. */
static void read_cfunction(struct rme_python *py, struct rme_type *t, rme_addr o,
                           const struct rme_sink *sink)
{
	rme_refs_field(sink, o, py->layout->cfunction_self);
	rme_refs_field(sink, o, py->layout->cfunction_module);
	if (HAS(cmethod_class) && t->basicsize > L(cmethod_class))
		rme_refs_field(sink, o, py->layout->cmethod_class);
}

/* gen_traverse, async_gen_traverse (Objects/genobject.c), 3.11+ */
static void read_generator(struct rme_python *py, rme_addr o, const struct rme_sink *sink)
{
	const struct rme_layout *l = py->layout;

	rme_refs_field(sink, o, l->gen_name);
	rme_refs_field(sink, o, l->gen_qualname);
	rme_refs_field(sink, o, l->gen_code);
	rme_refs_field(sink, o, l->gen_exc_value);
	if (rme_type_of(py, o) == py->sym.async_generator)
		rme_refs_field(sink, o, l->asyncgen_finalizer);
	if (rme_i8(o + L(gen_frame_state)) < rme_constant(py, RME_frame_cleared))
		rme_refs_iframe(py, o + L(gen_iframe), false, sink);
	else if (rme_has_cleared_frame_code(py))
		rme_sink_visit(sink, rme_stackref(py, rme_ptr(o + L(gen_iframe) + L(iframe_code))));
}

/* module_traverse (Objects/moduleobject.c): what a module's own m_traverse visits in
 * its state is guessed. True when it was. */
static bool read_module(struct rme_python *py, rme_addr o, const struct rme_sink *sink)
{
	rme_addr state = rme_ptr(o + L(module_state)), at = o;
	int32_t traverse = py->layout->module_state_traverse;
	int32_t state_size = py->layout->module_state_size;

	rme_refs_field(sink, o, py->layout->module_dict);
	if (traverse == RME_ABSENT) { /* up to 3.14 its definition has them */
		at = rme_ptr(o + L(module_def));
		traverse = py->layout->moduledef_traverse;
		state_size = py->layout->moduledef_size;
	}
	if (!at || !state || !rme_ptr(at + (uint64_t)traverse))
		return false;
	int64_t size = rme_i64(at + (uint64_t)state_size);
	if (size > 0)
		rme_refs_guess(py, state, state + (uint64_t)size, 0, sink);
	return true;
}

/* lru_cache_tp_traverse (Modules/_functoolsmodule.c). Its links are not tracked by the
 * collector, so the cache visits their fields, and since 3.10 their type. */
static void read_lru_cache(struct rme_python *py, rme_addr o, const struct rme_sink *sink)
{
	const struct rme_layout *l = py->layout;
	rme_addr root = o + L(lru_root), link = rme_ptr(root + L(lrulink_next));

	for (uint64_t i = 0; link && link != root && i < MAX_LINKS; i++) {
		rme_refs_field(sink, link, l->lrulink_key);
		rme_refs_field(sink, link, l->lrulink_result);
		if (HAS(lru_link_type))
			rme_sink_visit(sink, rme_type_of(py, link));
		link = rme_ptr(link + L(lrulink_next));
	}
	rme_refs_field(sink, o, l->lru_func);
	rme_refs_field(sink, o, l->lru_cache);
	rme_refs_field(sink, o, l->lru_kwd_mark);
	rme_refs_field(sink, o, l->lru_link_type);
	rme_refs_field(sink, o, l->lru_info_type);
	rme_refs_field(sink, o, l->lru_dict);
}

/* element_gc_traverse (Modules/_elementtree.c): the low bit of text and tail marks a
 * list of strings that are not joined yet. */
static void read_element(struct rme_python *py, rme_addr o, const struct rme_sink *sink)
{
	rme_addr extra = rme_ptr(o + L(element_extra));

	rme_refs_field(sink, o, py->layout->element_tag);
	rme_sink_visit(sink, rme_ptr(o + L(element_text)) & ~1ull);
	rme_sink_visit(sink, rme_ptr(o + L(element_tail)) & ~1ull);
	if (!extra)
		return;
	rme_refs_field(sink, extra, py->layout->elementextra_attrib);
	int64_t n = rme_i64(extra + L(elementextra_length));
	if (n > 0 && n <= rme_i64(extra + L(elementextra_allocated)))
		sink->range(sink->arg, rme_ptr(extra + L(elementextra_children)), (uint64_t)n, 8);
}

/* teedataobject_traverse (Modules/itertoolsmodule.c) */
static void read_tee(struct rme_python *py, struct rme_type *t, rme_addr o,
                     const struct rme_sink *sink)
{
	int32_t n = rme_i32(o + L(tee_numread));

	rme_refs_field(sink, o, py->layout->tee_it);
	rme_refs_field(sink, o, py->layout->tee_next);
	if (n > 0 && (uint64_t)n <= (t->basicsize - L(tee_values)) / 8)
		sink->range(sink->arg, o + L(tee_values), (uint64_t)n, 8);
}

/* simplequeue_traverse (Modules/_queuemodule.c), 3.13: a ring */
static void read_queue(struct rme_python *py, rme_addr o, const struct rme_sink *sink)
{
	rme_addr items = rme_ptr(o + L(simplequeue_items));
	uint64_t first = rme_u64(o + L(simplequeue_first)), n = rme_u64(o + L(simplequeue_used));
	uint64_t capacity = rme_u64(o + L(simplequeue_capacity));

	if (first >= capacity || n > capacity)
		return;
	uint64_t to_end = n < capacity - first ? n : capacity - first;
	sink->range(sink->arg, items + 8 * first, to_end, 8);
	sink->range(sink->arg, items, n - to_end, 8);
}

/* As many as ob_size says. */
static void read_items(struct rme_python *py, rme_addr o, rme_addr first, uint64_t stride,
                       const struct rme_sink *sink)
{
	int64_t n = rme_i64(o + L(var_size));

	if (n > 0 && n < MAX_ITEMS)
		sink->range(sink->arg, first, (uint64_t)n, stride);
}

/* template_traverse (Modules/_sre/sre.c): an item is an index and a literal. */
static void read_template(struct rme_python *py, rme_addr o, const struct rme_sink *sink)
{
	rme_refs_field(sink, o, py->layout->template_literal);
	read_items(py, o, o + L(template_items) + 8, 16, sink);
}

bool rme_rule_read(struct rme_python *py, struct rme_type *t, const struct rme_rule *rule,
                   rme_addr o, const struct rme_sink *sink)
{
	switch (rule->reader) {
	case RME_READ_WORDS:
		return false;
	case RME_READ_LIST:
		rme_refs_list(py, o, sink);
		return false;
	case RME_READ_TUPLE:
		rme_refs_tuple(py, o, sink);
		return false;
	case RME_READ_STRUCTSEQ:
		rme_refs_structseq(py, t, o, sink);
		return false;
	case RME_READ_DICT:
		read_dict(py, o, sink);
		return false;
	case RME_READ_ODICT:
		read_odict(py, o, sink);
		return false;
	case RME_READ_SET:
		rme_refs_set(py, o, sink);
		return false;
	case RME_READ_DEQUE:
		read_deque(py, o, sink);
		return false;
	case RME_READ_TYPE:
		read_type(py, o, sink);
		return false;
	case RME_READ_CTYPE:
		read_ctype(py, o, sink);
		return false;
	case RME_READ_FUNCTION:
		rme_refs_function(py, o, sink);
		return false;
	case RME_READ_CFUNCTION:
		read_cfunction(py, t, o, sink);
		return false;
	case RME_READ_GENERATOR:
		read_generator(py, o, sink);
		return false;
	case RME_READ_FRAME:
		rme_refs_frame(py, o, false, sink);
		return false;
	case RME_READ_MODULE:
		return read_module(py, o, sink);
	case RME_READ_LRU_CACHE:
		read_lru_cache(py, o, sink);
		return false;
	case RME_READ_ELEMENT:
		read_element(py, o, sink);
		return false;
	case RME_READ_TEE:
		read_tee(py, t, o, sink);
		return false;
	case RME_READ_QUEUE:
		read_queue(py, o, sink);
		return false;
	case RME_READ_TEMPLATE:
		read_template(py, o, sink);
		return false;
	case RME_READ_ITEMS:
		read_items(py, o, o + t->basicsize, 8, sink);
		return false;
	case RME_READ_CAPSULE:
		/* What its owner's function visits (Objects/capsule.c) nobody can tell. */
		return HAS(capsule_traverse) && rme_ptr(o + L(capsule_traverse));
	}
	return false;
}

/* The native types that have a reader, or words that need no table. */
static bool rule_of_kind(struct rme_python *py, rme_addr type, struct rme_rule *ret)
{
	const struct rme_layout *l = py->layout;

	switch (rme_kind_of(py, type)) {
	case RME_KIND_LIST:
		ret->reader = RME_READ_LIST;
		return true;
	case RME_KIND_TUPLE:
		ret->reader = RME_READ_TUPLE;
		return true;
	case RME_KIND_DICT:
	case RME_KIND_STGDICT:
		ret->reader = RME_READ_DICT;
		return true;
	case RME_KIND_DEFAULTDICT:
		ret->reader = RME_READ_DICT;
		ret->words = rme_word_bit(l->defaultdict_factory);
		return true;
	case RME_KIND_ODICT:
		ret->reader = RME_READ_ODICT;
		return true;
	case RME_KIND_SET:
		ret->reader = RME_READ_SET;
		return true;
	case RME_KIND_DEQUE:
		ret->reader = RME_READ_DEQUE;
		return true;
	case RME_KIND_TYPE:
		ret->reader = RME_READ_TYPE;
		return true;
	case RME_KIND_FUNCTION:
		ret->reader = RME_READ_FUNCTION;
		return true;
	case RME_KIND_METHOD:
		ret->words = rme_word_bit(l->method_func) | rme_word_bit(l->method_self);
		return true;
	case RME_KIND_CFUNCTION:
		ret->reader = RME_READ_CFUNCTION;
		return true;
	case RME_KIND_CELL:
		ret->words = rme_word_bit(l->cell_ref);
		return true;
	case RME_KIND_FRAME:
		ret->reader = RME_READ_FRAME;
		return true;
	case RME_KIND_GENERATOR:
		ret->reader = RME_READ_GENERATOR;
		return HAS(gen_iframe);
	case RME_KIND_MODULE:
		ret->reader = RME_READ_MODULE;
		return true;
	case RME_KIND_LRU_CACHE:
		ret->reader = RME_READ_LRU_CACHE;
		return true;
	case RME_KIND_ELEMENT:
		ret->reader = RME_READ_ELEMENT;
		return true;
	case RME_KIND_WEAKREF:
		ret->words = rme_word_bit(l->weakref_callback);
		return true;
	default:
		return false;
	}
}

static bool rule_of_table(struct rme_python *py, rme_addr type, const char *name,
                          struct rme_rule *ret)
{
	bool heap = rme_u64(type + L(type_flags)) & RME_FLAG_HEAPTYPE;
	struct rme_direct direct;

	if (!rme_direct_rule(py->layout, name, rme_u64(type + L(type_basicsize)), &direct) ||
	    direct.heap_type != heap)
		return false;
	ret->words = direct.words;
	ret->visits_type = direct.visits_type;
	return true;
}

bool rme_rule_find(struct rme_python *py, rme_addr type, struct rme_rule *ret)
{
	uint64_t flags = rme_u64(type + L(type_flags));
	const char *name;

	*ret = (struct rme_rule){.reader = RME_READ_WORDS};
	ret->managed = rme_has_managed_dict(py) && flags & RME_FLAG_MANAGED_DICT;
	name = rme_type_c_name(py, type);
	if (name && rule_of_table(py, type, name, ret))
		return true;
	if (rme_type_is_structseq(py, type)) {
		/* Its reader visits the type where structseq_traverse does. */
		ret->reader = RME_READ_STRUCTSEQ;
		return true;
	}
	/* Since 3.9 the tp_traverse of a heap type visits it. */
	ret->visits_type = rme_has_visited_heap_types(py) && flags & RME_FLAG_HEAPTYPE;
	return rule_of_kind(py, type, ret) || (name && rme_rule_named(py, name, ret));
}
