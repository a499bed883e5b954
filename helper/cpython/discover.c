#include "cpython/discover.h"

#include "cpython/class.h"
#include "cpython/dict.h"
#include "cpython/facts.h"

enum {
	MAX_INTERPRETERS = 10000,
	MAX_IMAGES = 65536,
	MAX_TYPES = 1 << 16,
	MAX_TAIL = 1 << 26,    /* of zeroed data behind a file's last mapping */
	MAX_UNREADABLE = 1024, /* pages between a file's mappings */
	MAX_FAULTS = 1 << 16,  /* candidates that lead nowhere */
	PAGE = 4096,
	COOKIE_SINCE = 0x030d0000
};

/* Bytes of an image: where its end is wrong, terabytes of reserved memory may lie before it. */
#define MAX_SEARCHED (1ull << 30)

static bool is_pointer(rme_addr a)
{
	return rme_is_address(a);
}

/* Include/internal/pycore_debug_offsets.h */
uint32_t rme_discover_version(rme_addr runtime)
{
	static const char cookie[] = "xdebugpy";
	uint64_t version;

	if (memcmp((const void *)runtime, cookie, sizeof cookie - 1))
		return 0;
	version = rme_u64(runtime + sizeof cookie - 1);
	return version >= COOKIE_SINCE && version < 0x04000000 ? (uint32_t)version : 0;
}

bool rme_discover_free_threaded(rme_addr runtime)
{
	return rme_u64(runtime + 16) == 1; /* after cookie and version */
}

/* Is it a _PyRuntime of that layout, as far as can be told at once: with a main interpreter in its
 * list, which points back (3.9+), and whose first thread state points back? */
static bool is_runtime(const struct rme_layout *l, rme_addr a)
{
	rme_addr interp = rme_ptr(a + (uint64_t)l->runtime_interpreters_main);
	rme_addr other = rme_ptr(a + (uint64_t)l->runtime_interpreters_head), thread;

	if (rme_i32(a + (uint64_t)l->runtime_initialized) != 1)
		return false;
	if (!is_pointer(interp) || !is_pointer(other))
		return false;
	if (l->interp_runtime != RME_ABSENT && rme_ptr(interp + (uint64_t)l->interp_runtime) != a)
		return false;
	thread = rme_ptr(interp + (uint64_t)l->interp_threads_head);
	if (!is_pointer(thread) || rme_ptr(thread + (uint64_t)l->thread_interp) != interp)
		return false;
	for (int i = 0; other != interp; i++) {
		if (!is_pointer(other) || i == MAX_INTERPRETERS)
			return false;
		other = rme_ptr(other + (uint64_t)l->interp_next);
	}
	return true;
}

/* Where the search is: it changes inside a guard. */
struct search {
	volatile rme_addr at;
	volatile unsigned layout;
	rme_addr end;
	unsigned n_unreadable; /* pages that a core should have had */
	unsigned n_faults;
};

static bool search_on(struct search *s)
{
	const struct rme_layout *l;

	for (; s->at < s->end; s->at += 8, s->layout = 0) {
		if (!s->layout && rme_discover_version(s->at))
			return true;
		for (; (l = rme_layout_at(s->layout)) && l->version < COOKIE_SINCE; s->layout++)
			if (is_runtime(l, s->at))
				return true;
	}
	return false;
}

/* The end of the memory at `a` that the core lacks, or 0. */
static rme_addr missing_until(const struct rme_request *r, rme_addr a)
{
	const struct rme_range *missing = (const void *)((const char *)r + r->missing.offset);

	for (uint32_t i = 0; i < r->missing.count; i++)
		if (a >= missing[i].start && a < missing[i].end)
			return missing[i].end;
	return 0;
}

/* Goes on with the search to its end. False when a load faulted, at *ret_fault. */
static bool search_until_fault(struct rme_python *py, struct search *s, bool *ret_found,
                               rme_addr *ret_fault)
{
	struct rme_guard guard;

	if (RME_GUARD(py->guards, &guard)) {
		*ret_found = search_on(s);
		rme_guard_pop(py->guards, &guard);
		return true;
	}
	*ret_fault = guard.fault_address;
	return false;
}

/* The first runtime of any layout in the image and the zeroed data behind it, or 0; what
 * cannot be read is passed over. */
static rme_addr search(struct rme_python *py, const struct rme_image *image)
{
	rme_addr end =
	    image->end - image->base < MAX_SEARCHED ? image->end : image->base + MAX_SEARCHED;
	struct search s = {(image->base + 7) & ~7ull, 0, end + MAX_TAIL, 0, 0};
	bool found = false;
	rme_addr fault;

	while (s.at < s.end && !found) {
		if (search_until_fault(py, &s, &found, &fault))
			continue;
		if ((fault ^ s.at) >= PAGE) {
			/* a candidate whose pointers lead nowhere */
			s.layout++;
			if (++s.n_faults > MAX_FAULTS)
				break;
		} else {
			rme_addr until = missing_until(py->request, s.at);
			if (s.at >= end || (!until && ++s.n_unreadable > MAX_UNREADABLE))
				break;
			s.at = until ? until : (s.at + PAGE) & ~(rme_addr)(PAGE - 1);
			s.layout = 0;
		}
	}
	return found ? s.at : 0;
}

rme_addr rme_discover_runtime(struct rme_python *py)
{
	const struct rme_request *r = py->request;
	const struct rme_image *images = (const void *)((const char *)r + r->images.offset);

	for (uint32_t i = 0; i < r->images.count && i < MAX_IMAGES; i++) {
		rme_addr found = images[i].end < RME_ADDRESS_END ? search(py, &images[i]) : 0;
		if (found)
			return found;
	}
	return 0;
}

/* How the types that symbols name are found. */
enum route {
	ITEM,      /* it is the value of `key` in module `at` */
	TYPE_OF,   /* it is the type of that value */
	ATTRIBUTE, /* it is the type of the value of `key` in the builtin class `at` */
	KEYS       /* it is the static class, derived from object, that has `at` and `key` */
};

struct known {
	uint16_t member; /* of struct rme_symbols */
	uint8_t route;
	char name[28]; /* tp_name */
	char at[18];
	char key[20];
	char old_name[12]; /* tp_name in 3.8 and 3.9, if another */
};

#define OLD(member, route, name, at, key, old)                                                     \
	{                                                                                          \
		offsetof(struct rme_symbols, member), route, name, at, key, old                    \
	}
#define ROW(member, route, name, at, key) OLD(member, route, name, at, key, "")
#define BUILTIN(member, name)             ROW(member, ITEM, name, "builtins", name)
static const struct known known[] = {
    BUILTIN(object, "object"),
    BUILTIN(type, "type"),
    BUILTIN(int_, "int"),
    BUILTIN(bool_, "bool"),
    BUILTIN(float_, "float"),
    BUILTIN(str, "str"),
    BUILTIN(bytes, "bytes"),
    BUILTIN(bytearray, "bytearray"),
    BUILTIN(list, "list"),
    BUILTIN(tuple, "tuple"),
    BUILTIN(dict, "dict"),
    BUILTIN(frozendict, "frozendict"),
    BUILTIN(set, "set"),
    BUILTIN(frozenset, "frozenset"),
    BUILTIN(property, "property"),
    BUILTIN(classmethod, "classmethod"),
    BUILTIN(staticmethod, "staticmethod"),
    BUILTIN(memoryview, "memoryview"),
    BUILTIN(range, "range"),
    BUILTIN(slice, "slice"),
    ROW(cfunction, TYPE_OF, "builtin_function_or_method", "builtins", "len"),
    ROW(method_descriptor, ATTRIBUTE, "method_descriptor", "list", "append"),
    ROW(classmethod_descriptor, ATTRIBUTE, "classmethod_descriptor", "dict", "fromkeys"),
    ROW(member_descriptor, ATTRIBUTE, "member_descriptor", "slice", "start"),
    ROW(getset_descriptor, ATTRIBUTE, "getset_descriptor", "object", "__class__"),
    ROW(wrapper_descriptor, ATTRIBUTE, "wrapper_descriptor", "object", "__init__"),
    ROW(function, KEYS, "function", "__kwdefaults__", "__globals__"),
    ROW(method, KEYS, "method", "__func__", "__self__"),
    ROW(method_wrapper, KEYS, "method-wrapper", "__self__", "__objclass__"),
    ROW(cell, KEYS, "cell", "cell_contents", "cell_contents"),
    ROW(code, KEYS, "code", "co_consts", "co_names"),
    ROW(frame, KEYS, "frame", "f_back", "f_lineno"),
    ROW(generator, KEYS, "generator", "gi_frame", "gi_code"),
    ROW(coroutine, KEYS, "coroutine", "cr_frame", "cr_code"),
    ROW(async_generator, KEYS, "async_generator", "ag_frame", "ag_code"),
    ROW(async_generator, ITEM, "async_generator", "_collections_abc", "async_generator"),
    ROW(traceback, KEYS, "traceback", "tb_next", "tb_frame"),
    ROW(odict, ITEM, "collections.OrderedDict", "_collections", "OrderedDict"),
    ROW(mappingproxy, ITEM, "mappingproxy", "_collections_abc", "mappingproxy"),
    OLD(weakref, ITEM, "weakref.ReferenceType", "_weakref", "ref", "weakref"),
    OLD(weakref_proxy, ITEM, "weakref.ProxyType", "_weakref", "ProxyType", "weakproxy"),
    ROW(capsule, TYPE_OF, "PyCapsule", "datetime", "datetime_CAPI"),
    ROW(capsule, TYPE_OF, "PyCapsule", "_datetime", "datetime_CAPI"),
    ROW(capsule, TYPE_OF, "PyCapsule", "_socket", "CAPI"),
    OLD(context, ITEM, "_contextvars.Context", "_contextvars", "Context", "Context"),
    OLD(contextvar, ITEM, "_contextvars.ContextVar", "_contextvars", "ContextVar", "ContextVar"),
};
#undef BUILTIN
#undef ROW
#undef OLD

bool rme_is_static_type(const struct rme_python *py, rme_addr a)
{
	return is_pointer(a) && is_pointer(rme_type_of(py, a)) &&
	       rme_is_a(py, a, RME_TYPE_SUBCLASS) &&
	       !(rme_u64(a + L(type_flags)) & RME_FLAG_HEAPTYPE);
}

static rme_addr get(const struct rme_python *py, rme_addr dict, const char *key)
{
	return dict ? rme_dict_get_str(py, dict, key, rme_strlen(key)) : 0;
}

static rme_addr builtins(const struct rme_python *py)
{
	return rme_ptr(py->interp + L(interp_builtins));
}

/* The namespace of a module of sys.modules, 0 when it is not loaded. */
static rme_addr namespace_of(const struct rme_python *py, const char *name)
{
	rme_addr module;

	if (rme_streq(name, "builtins"))
		return builtins(py);
	module = get(py, rme_ptr(py->interp + L(interp_modules)), name);
	if (!module || !rme_type_is(py, rme_type_of(py, module), py->sym.module))
		return 0;
	return rme_ptr(module + L(module_dict));
}

void rme_static_subclasses_each(const struct rme_python *py, rme_addr type,
                                void (*fn)(void *, rme_addr), void *arg)
{
	struct rme_dict_iter it = {0};
	rme_addr dict = rme_type_subclasses(py, type);

	for (int i = 0; i < MAX_TYPES && rme_dict_next(py, dict, &it); i++) {
		rme_addr found = rme_ptr(it.value + L(weakref_object));
		if (rme_is_static_type(py, found))
			fn(arg, found);
	}
}

static rme_addr *slot_of(struct rme_python *py, const struct known *k)
{
	return (rme_addr *)((char *)&py->sym + k->member);
}

/* Is it one of the types that are known by the keys of their dicts? */
static void take_if_known(void *arg, rme_addr type)
{
	struct rme_python *py = arg;
	rme_addr dict = rme_type_dict(py, type);

	for (unsigned i = 0; i < sizeof known / sizeof *known; i++)
		if (known[i].route == KEYS && !*slot_of(py, &known[i]) &&
		    get(py, dict, known[i].at) && get(py, dict, known[i].key))
			*slot_of(py, &known[i]) = type;
}

static void take(void *arg, rme_addr type)
{
	*(rme_addr *)arg = type;
}

static void find(struct rme_python *py, const struct known *k)
{
	rme_addr found = 0, *slot = slot_of(py, k);

	if (*slot || k->route == KEYS)
		return;
	if (k->route == ATTRIBUTE) {
		rme_addr type = get(py, builtins(py), k->at);
		if (type && rme_is_static_type(py, type))
			found = get(py, rme_type_dict(py, type), k->key);
	} else {
		found = get(py, namespace_of(py, k->at), k->key);
	}
	if (found && k->route != ITEM)
		found = rme_type_of(py, found);
	if (found && rme_is_static_type(py, found))
		*slot = found;
}

/* The module type is that of most values of sys.modules. */
static rme_addr find_module_type(const struct rme_python *py)
{
	rme_addr sys = get(py, rme_ptr(py->interp + L(interp_modules)), "sys");

	return sys && rme_is_static_type(py, rme_type_of(py, sys)) ? rme_type_of(py, sys) : 0;
}

bool rme_discover_symbols(struct rme_python *py)
{
	rme_addr runtime = py->sym.runtime;

	if (!is_runtime(py->layout, runtime))
		return false;
	py->sym = (struct rme_symbols){.runtime = runtime};
	py->interp = rme_ptr(runtime + L(runtime_interpreters_main));
	if (!is_pointer(builtins(py)))
		return false;
	py->sym.dict = rme_type_of(py, builtins(py));
	if (!rme_is_static_type(py, py->sym.dict) ||
	    rme_u64(py->sym.dict + L(type_basicsize)) != L(dict_size))
		return false;
	py->sym.module = find_module_type(py);
	for (unsigned i = 0; i < sizeof known / sizeof *known; i++)
		find(py, &known[i]);
	if (!py->sym.object || !py->sym.type || !py->sym.str)
		return false;
	rme_static_subclasses_each(py, py->sym.object, take_if_known, py);
	/* PyCMethod_Type (3.9+) is the only class derived from the functions'. */
	if (py->sym.cfunction && HAS(cmethod_class))
		rme_static_subclasses_each(py, py->sym.cfunction, take, &py->sym.cmethod);
	py->sym.none = get(py, builtins(py), "None");
	py->sym.true_ = get(py, builtins(py), "True");
	return py->sym.code && py->sym.function && py->sym.module;
}

bool rme_discover_known(const struct rme_python *py, unsigned i, rme_addr *type,
                        const char **tp_name)
{
	if (i >= sizeof known / sizeof *known)
		return false;
	bool old = known[i].old_name[0] && !rme_has_new_names_of_types(py);
	*type = *(const rme_addr *)((const char *)&py->sym + known[i].member);
	*tp_name = old ? known[i].old_name : known[i].name;
	return true;
}
