#include "cpython/type.h"

#include "cpython/dict.h"
#include "cpython/facts.h"
#include "cpython/kind.h"
#include "cpython/object.h"

enum { MAX_BASES = 1000, MAX_BASICSIZE = 1 << 24 };

bool rme_code_callable(const struct rme_python *py, rme_addr code)
{
	const struct rme_request *r = py->request;

	if (!code || r->flags & RME_LAYOUTS_ONLY)
		return false;
	if (!(r->flags & RME_CHECK_CODE))
		return true;
	const struct rme_range *ranges = (const void *)((const char *)r + r->code.offset);
	for (uint32_t i = 0; i < r->code.count; i++)
		if (code >= ranges[i].start && code < ranges[i].end)
			return true;
	return false;
}

bool rme_is_gc(const struct rme_python *py, const struct rme_type *t, rme_addr object)
{
	if (!t->gc || !t->is_gc)
		return t->gc;
	/* type's tp_is_gc: only heap types are tracked (Objects/typeobject.c). */
	if (t->is_type)
		return rme_u64(object + (uint64_t)py->layout->type_flags) & RME_FLAG_HEAPTYPE;
	/* code objects and ≤3.10 tuples have none; an extension's own is called. */
	if (rme_code_callable(py, t->is_gc))
		return ((int (*)(rme_addr))t->is_gc)(object) != 0;
	return true;
}

/* Does a type made by a class statement have this traverse or dealloc? */
static bool is_python_class(const struct rme_python *py, rme_addr type)
{
	const struct rme_layout *l = py->layout;
	const struct rme_types *types = py->types;

	if (!(rme_u64(type + (uint64_t)l->type_flags) & RME_FLAG_HEAPTYPE))
		return false;
	return rme_ptr(type + (uint64_t)l->type_traverse) == types->subtype_traverse ||
	       rme_ptr(type + (uint64_t)l->type_dealloc) == types->subtype_dealloc;
}

/* The first base, from the type itself on, that a class statement did not make. */
static rme_addr native_base(const struct rme_python *py, rme_addr type)
{
	rme_addr t = type;

	for (int i = 0; i < MAX_BASES && is_python_class(py, t); i++) {
		rme_addr base = rme_ptr(t + (uint64_t)py->layout->type_base);
		if (!base)
			break;
		t = base;
	}
	return t;
}

/* The kind of a native type or of the nearest of its native bases that is known. */
static enum rme_kind native_kind(struct rme_python *py, rme_addr native)
{
	rme_addr t = native;

	if (rme_type_is_structseq(py, native))
		return RME_KIND_STRUCTSEQ;
	for (int i = 0; t && i < MAX_BASES; i++) {
		enum rme_kind kind = rme_kind_of(py, t);
		if (kind == RME_KIND_OBJECT && t != native)
			return RME_KIND_OTHER; /* an own layout that only ends in object */
		if (kind != RME_KIND_OTHER)
			return kind;
		t = rme_ptr(t + (uint64_t)py->layout->type_base);
	}
	return RME_KIND_OTHER;
}

/* Finds the __sizeof__ that sys.getsizeof would call and who owns it. */
static void find_sizeof(struct rme_python *py, struct rme_type *t)
{
	const struct rme_layout *l = py->layout;
	rme_addr mro = rme_ptr(t->address + (uint64_t)l->type_mro);
	uint64_t n = mro ? rme_sequence_length(py, mro) : 0;

	t->size_by = RME_SIZEOF_OBJECT;
	for (uint64_t i = 0; i < n && i < MAX_BASES; i++) {
		rme_addr base = rme_tuple_item(py, mro, i), dict = rme_type_dict(py, base);
		rme_addr found = dict ? rme_dict_get_str(py, dict, "__sizeof__", 10) : 0;
		if (!found)
			continue;
		if (base == py->sym.object)
			return;
		if (rme_type_of(py, found) != py->sym.method_descriptor) {
			/* Cython's functions are of types of its own. */
			t->size_by = rme_type_of(py, found) == py->sym.function ? RME_SIZEOF_PYTHON
			                                                        : RME_SIZEOF_C;
			return;
		}
		enum rme_kind kind = rme_kind_of(py, base);
		t->size_kind = (uint8_t)kind;
		t->size_by = kind == RME_KIND_OTHER ? RME_SIZEOF_C : RME_SIZEOF_KIND;
		return;
	}
}

static void describe(struct rme_python *py, struct rme_type *t)
{
	const struct rme_layout *l = py->layout;
	rme_addr a = t->address;

	t->itemsize = rme_u64(a + (uint64_t)l->type_itemsize);
	t->flags = rme_u64(a + (uint64_t)l->type_flags);
	t->gc = t->flags & RME_FLAG_HAVE_GC;
	t->is_type = t->flags & RME_TYPE_SUBCLASS;
	t->is_gc = rme_ptr(a + (uint64_t)l->type_is_gc);
	t->presize = t->gc ? (uint64_t)l->gc_head_size : 0;
	if ((rme_has_managed_dict(py) && t->flags & RME_FLAG_MANAGED_DICT) ||
	    (rme_has_managed_weakref(py) && t->flags & RME_FLAG_MANAGED_WEAKREF))
		t->presize += 16;
	if (rme_has_managed_dict(py) && t->flags & RME_FLAG_MANAGED_DICT)
		t->values_before = (uint8_t)rme_constant(py, RME_values_before);
	t->native = native_base(py, a);
	t->is_python = t->native != a;
	t->kind = (uint8_t)native_kind(py, t->native);
	t->exact = !t->is_python &&
	           (t->kind == RME_KIND_STRUCTSEQ || rme_kind_of(py, a) != RME_KIND_OTHER);
	rme_addr traverse = t->gc ? rme_ptr(a + (uint64_t)l->type_traverse) : 0;
	/* The traverse of a class made by a class statement calls its native base's. */
	rme_addr native = t->is_python ? rme_ptr(t->native + (uint64_t)l->type_traverse) : 0;
	t->traverse = rme_code_callable(py, traverse) && (!native || rme_code_callable(py, native))
	                  ? traverse
	                  : 0;
	t->no_code = traverse && !t->traverse;
	/* Up to 3.10 whether an object has the collector's header is asked of itself:
	 * true of these. */
	if (a == py->sym.int_ && l->int_tag != RME_ABSENT)
		t->fast = RME_FAST_INT;
	else if (a == py->sym.float_)
		t->fast = RME_FAST_FIXED;
	else if (a == py->sym.str)
		t->fast = RME_FAST_STR;
	else if (a == py->sym.tuple)
		t->fast = RME_FAST_TUPLE;
	else if (a == py->sym.list)
		t->fast = RME_FAST_LIST;
	else if (a == py->sym.dict)
		t->fast = RME_FAST_DICT;
	t->leaf = !traverse && (t->kind == RME_KIND_INT || t->kind == RME_KIND_STR ||
	                        t->kind == RME_KIND_BYTES || a == py->sym.float_);
	find_sizeof(py, t);
	if (!rme_owned_fields(py, t->native, t->owned, &t->n_owned))
		t->guess_owned = t->kind == RME_KIND_OTHER &&
		                 !(rme_u64(t->native + (uint64_t)l->type_flags) & RME_FLAG_HAVE_GC);
	if (t->is_python && t->kind == RME_KIND_OBJECT && t->size_by == RME_SIZEOF_OBJECT &&
	    !t->itemsize && t->traverse && !t->is_gc)
		t->fast = RME_FAST_INSTANCE;
}

/* Is it a type: aligned, readable, of a metatype that says so of its instances,
 * with a name and a basic size? */
static bool looks_like_type(const struct rme_python *py, rme_addr a, uint64_t *basicsize)
{
	const struct rme_layout *l = py->layout;

	if (!rme_is_address(a))
		return false;
	rme_addr meta = rme_type_of(py, a);
	if (!rme_is_address(meta))
		return false;
	if (meta != py->sym.type && !(rme_u64(meta + (uint64_t)l->type_flags) & RME_TYPE_SUBCLASS))
		return false;
	/* A metatype is itself a type: its own metatype says so too. */
	rme_addr metameta = rme_type_of(py, meta);
	if (!rme_is_address(metameta) ||
	    !(rme_u64(metameta + (uint64_t)l->type_flags) & RME_TYPE_SUBCLASS))
		return false;
	*basicsize = rme_u64(a + (uint64_t)l->type_basicsize);
	return *basicsize >= (uint64_t)l->object_size && *basicsize <= MAX_BASICSIZE &&
	       rme_ptr(a + (uint64_t)l->type_name) >= 4096;
}

static bool grow(struct rme_python *py)
{
	struct rme_types *types = py->types;
	uint64_t n = types->n_slots * 2;
	struct rme_type **slots = rme_arena_alloc(py->arena, n * sizeof *slots);

	if (!slots)
		return false;
	for (uint64_t i = 0; i < types->n_slots; i++) {
		struct rme_type *t = types->slots[i];
		if (!t)
			continue;
		uint64_t k = rme_type_hash(t->address) >> 32 & (n - 1);
		while (slots[k])
			k = (k + 1) & (n - 1);
		slots[k] = t;
	}
	types->slots = slots;
	types->n_slots = n;
	return true;
}

/* Not kept when it is no type: memory that is looked through for objects is full of
 * such addresses. */
static bool is_type(struct rme_python *py, rme_addr type, uint64_t *basicsize)
{
	struct rme_guard guard;
	volatile bool is = false;

	if (RME_GUARD(py->guards, &guard)) {
		is = looks_like_type(py, type, basicsize);
		rme_guard_pop(py->guards, &guard);
	}
	return is;
}

static void describe_guarded(struct rme_python *py, struct rme_type *t)
{
	struct rme_guard guard;

	if (RME_GUARD(py->guards, &guard)) {
		describe(py, t);
		rme_guard_pop(py->guards, &guard);
	} else {
		/* A type of no known kind. */
		t->traverse = 0;
		t->no_code = true;
	}
}

struct rme_type *rme_type_slow(struct rme_python *py, rme_addr type)
{
	struct rme_types *types = py->types;
	uint64_t i, basicsize;

	if (!is_type(py, type, &basicsize))
		return NULL;
	if (types->n_used * 2 >= types->n_slots && !grow(py))
		return NULL;
	struct rme_type *t = rme_arena_alloc(py->arena, sizeof *t);
	if (!t)
		return NULL;
	t->address = type;
	t->basicsize = basicsize;
	describe_guarded(py, t);
	for (i = rme_type_hash(type) >> 32 & (types->n_slots - 1); types->slots[i];)
		i = (i + 1) & (types->n_slots - 1);
	types->slots[i] = t;
	t->number = (uint32_t)types->n_used++;
	return t;
}

void rme_types_each(struct rme_python *py, void (*fn)(void *, struct rme_type *), void *arg)
{
	for (uint64_t i = 0; i < py->types->n_slots; i++)
		if (py->types->slots[i] && py->types->slots[i]->basicsize)
			fn(arg, py->types->slots[i]);
}

/* CPython's subtype_traverse is static, so it is read from a class that every
 * interpreter has: importlib's ModuleSpec, the type of builtins.__spec__. */
static void find_subtype(struct rme_python *py)
{
	const struct rme_layout *l = py->layout;
	rme_addr builtins = rme_ptr(py->interp + (uint64_t)l->interp_builtins);
	rme_addr spec = rme_dict_get_str(py, builtins, "__spec__", 8);

	/* Not rme_type_get: it would take the class for one in C before this is known. */
	rme_addr type = spec ? rme_type_of(py, spec) : 0;
	if (!type || !rme_is_a(py, type, RME_TYPE_SUBCLASS) ||
	    !(rme_u64(type + (uint64_t)l->type_flags) & RME_FLAG_HEAPTYPE))
		return;
	py->types->subtype_traverse = rme_ptr(type + (uint64_t)l->type_traverse);
	py->types->subtype_dealloc = rme_ptr(type + (uint64_t)l->type_dealloc);
}

bool rme_types_init(struct rme_python *py)
{
	struct rme_types *types = rme_arena_alloc(py->arena, sizeof *types);
	struct rme_guard guard;

	if (!types)
		return false;
	types->n_slots = 4096;
	types->slots = rme_arena_alloc(py->arena, types->n_slots * sizeof *types->slots);
	py->types = types;
	if (!types->slots)
		return false;
	if (RME_GUARD(py->guards, &guard)) {
		find_subtype(py);
		rme_guard_pop(py->guards, &guard);
	}
	return true;
}

bool rme_is_object(struct rme_python *py, rme_addr object)
{
	struct rme_guard guard;
	volatile bool is = false;

	if (!rme_is_address(object))
		return false;
	if (RME_GUARD(py->guards, &guard)) {
		is = rme_type_get(py, rme_type_of(py, object)) != NULL;
		rme_guard_pop(py->guards, &guard);
	}
	return is;
}
