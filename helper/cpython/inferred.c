#include "cpython/inferred.h"

#include "cpython/attribute.h"
#include "cpython/conservative.h"
#include "cpython/facts.h"
#include "cpython/layout_rules.h"

enum { MAX_BASES = 1000, MAX_SLOTS = 4096, MAX_ITEMS = 1 << 30 };

static rme_addr traverse_of(const struct rme_python *py, rme_addr type)
{
	return rme_ptr(type + L(type_traverse));
}

static rme_addr base_of(const struct rme_python *py, rme_addr type)
{
	return rme_ptr(type + L(type_base));
}

static bool has_flag(const struct rme_python *py, rme_addr type, uint64_t flag)
{
	return rme_u64(type + L(type_flags)) & flag;
}

/* The highest base that the type has its tp_traverse from. */
static rme_addr traverse_owner(const struct rme_python *py, rme_addr type)
{
	rme_addr base;

	for (int i = 0; i < MAX_BASES; i++, type = base) {
		base = base_of(py, type);
		if (!base || traverse_of(py, base) != traverse_of(py, type))
			break;
	}
	return type;
}

/* The rule of a native type: that of the type whose function it has. Of one that is not
 * known, the nearest base that is gives what it visits, and what is beyond its fields
 * is guessed. */
static void native_rule(struct rme_python *py, rme_addr type, struct rme_rule *ret)
{
	rme_addr known = traverse_owner(py, type);
	bool found = rme_rule_find(py, known, ret);

	if (!found)
		known = type;
	for (int i = 0; !found && known && traverse_of(py, known) && i < MAX_BASES; i++) {
		found = rme_rule_find(py, known, ret);
		if (!found)
			known = base_of(py, known);
	}
	if (!found)
		*ret = (struct rme_rule){.reader = RME_READ_WORDS};
	if (!traverse_of(py, type) || (found && traverse_of(py, known) == traverse_of(py, type)))
		return;
	bool items_known = found && rme_u64(known + L(type_itemsize));
	ret->guessed = true;
	ret->visits_type |= rme_has_visited_heap_types(py) && has_flag(py, type, RME_FLAG_HEAPTYPE);
	ret->managed |= rme_has_managed_dict(py) && has_flag(py, type, RME_FLAG_MANAGED_DICT);
	ret->scan_from = found ? rme_u64(known + L(type_basicsize)) : L(object_size);
	ret->scan_to = rme_u64(type + L(type_basicsize));
	ret->scan_not = rme_u64(type + L(type_weaklistoffset));
	ret->item_size = items_known ? 0 : rme_u64(type + L(type_itemsize));
}

#define AFTER_ITEMS (1ull << 63) /* of an offset in rme_inferred.slots */

struct slots {
	struct rme_python *py;
	rme_addr native;   /* the slots of the classes above it */
	uint64_t *offsets; /* NULL: only count */
	uint32_t n;
};

static int on_member(void *arg, const struct rme_member *m)
{
	struct slots *s = arg;

	if (m->owner == s->native || !rme_type_is(s->py, m->owner, s->native))
		return 1;
	if (m->kind == RME_MEMBER_OBJECT_EX && s->n < MAX_SLOTS) {
		if (s->offsets)
			s->offsets[s->n] = m->offset | (m->after_items ? AFTER_ITEMS : 0);
		s->n++;
	}
	return 0;
}

static void find_slots(struct rme_python *py, rme_addr type, rme_addr native,
                       struct rme_inferred *ret)
{
	struct slots slots = {py, native, NULL, 0};

	rme_members_each(py, type, on_member, &slots);
	slots.offsets = rme_arena_alloc(py->arena, slots.n * sizeof *slots.offsets);
	if (!slots.n || !slots.offsets)
		return;
	slots.n = 0;
	rme_members_each(py, type, on_member, &slots);
	ret->slots = slots.offsets;
	ret->n_slots = slots.n;
}

/* subtype_traverse (Objects/typeobject.c): the members of the Python classes, their
 * dict, the class, then what the native base's function visits. */
static void python_rule(struct rme_python *py, rme_addr type, rme_addr native,
                        struct rme_inferred *ret)
{
	bool native_traverses = traverse_of(py, native);

	find_slots(py, type, native, ret);
	if (rme_has_managed_dict(py) && has_flag(py, type, RME_FLAG_MANAGED_DICT))
		ret->python_managed = true;
	else
		ret->python_dict =
		    rme_u64(type + L(type_dictoffset)) != rme_u64(native + L(type_dictoffset));
	/* Since 3.9 only where no heap type below does it. */
	ret->python_type = !rme_has_visited_heap_types(py) || !native_traverses ||
	                   !has_flag(py, native, RME_FLAG_HEAPTYPE);
}

static void make(struct rme_python *py, rme_addr type, struct rme_inferred *ret)
{
	rme_addr native = type;

	for (int i = 0; i < MAX_BASES && base_of(py, native) &&
	                traverse_of(py, native) == py->types->subtype_traverse;
	     i++)
		native = base_of(py, native);
	if (native != type)
		python_rule(py, type, native, ret);
	native_rule(py, native, &ret->native);
}

static const struct rme_inferred *inferred(struct rme_python *py, struct rme_type *t)
{
	struct rme_guard guard;
	struct rme_inferred *r;

	if (t->inferred)
		return t->inferred;
	r = rme_arena_alloc(py->arena, sizeof *r);
	if (!r)
		return NULL;
	if (RME_GUARD(py->guards, &guard)) {
		make(py, t->address, r);
		rme_guard_pop(py->guards, &guard);
	} else {
		/* A base that cannot be read. */
		*r = (struct rme_inferred){.native = {.reader = RME_READ_WORDS, .guessed = true}};
		r->native.scan_from = L(object_size);
		r->native.scan_to = t->basicsize;
	}
	t->inferred = r;
	return r;
}

static void guess(struct rme_python *py, const struct rme_rule *rule, rme_addr o,
                  const struct rme_sink *sink)
{
	uint64_t end = rule->scan_to;

	if (rule->item_size && rule->item_size % 8 == 0) {
		int64_t n = rme_i64(o + L(var_size));
		if (n > 0 && n < MAX_ITEMS)
			end += (uint64_t)n * rule->item_size;
	}
	rme_refs_guess(py, o + rule->scan_from, o + end, rule->scan_not ? o + rule->scan_not : 0,
	               sink);
}

void rme_refs_inferred(struct rme_python *py, struct rme_type *t, rme_addr o,
                       const struct rme_sink *sink)
{
	const struct rme_inferred *r;
	struct rme_instance in;

	if (!rme_is_gc(py, t, o))
		return;
	r = inferred(py, t);
	if (!r)
		return;
	for (uint32_t i = 0; i < r->n_slots; i++)
		rme_sink_visit(sink, rme_ptr(rme_member_at(py, o, r->slots[i] & ~AFTER_ITEMS,
		                                           r->slots[i] & AFTER_ITEMS)));
	if (r->python_managed || r->native.managed)
		rme_refs_managed(py, o, sink);
	if (r->python_dict) {
		rme_instance_read(py, o, &in);
		rme_sink_visit(sink, in.dict);
	}
	if (r->python_type)
		rme_sink_visit(sink, t->address);
	if (r->native.visits_type)
		rme_sink_visit(sink, t->address);
	for (uint64_t words = r->native.words; words; words &= words - 1)
		rme_sink_visit(sink, rme_ptr(o + 8 * (uint64_t)__builtin_ctzll(words)));
	bool inexact = rme_rule_read(py, t, &r->native, o, sink);
	if (r->native.guessed)
		guess(py, &r->native, o, sink);
	if (inexact || r->native.guessed) {
		t->n_inferred++;
		t->example = o;
	}
}
