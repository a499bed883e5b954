/* Where a tp_name cannot be read: the name that a type in C must have by where it is
 * found. A heap type has it as a str, a static one is the value of a key in a module. */
#include "cpython/type_name.h"

#include "cpython/class.h"
#include "cpython/dict.h"
#include "cpython/discover.h"
#include "cpython/facts.h"
#include "cpython/known.h"
#include "cpython/str.h"

/* Names that were found for types whose tp_name cannot be read: open addressing by
 * address, in the arena. */
struct rme_names {
	struct name {
		rme_addr type;
		char *text; /* NULL: nobody knows */
		bool sure;  /* it is the tp_name of a type that the helper knows */
	} * slots;
	uint64_t n_slots, n_used;
	bool searched; /* every module was looked through */
};

enum { MAX_NAME = 256, MAX_PART = 512, MAX_BASES = 1000, FIRST_SLOTS = 1024 };

bool rme_type_names_init(struct rme_python *py)
{
	py->names = rme_arena_alloc(py->arena, sizeof *py->names);
	return py->names != NULL;
}

static struct name *name_slot(struct rme_names *names, rme_addr type)
{
	uint64_t mask = names->n_slots - 1, i = rme_type_hash(type) >> 32 & mask;

	while (names->slots[i].type && names->slots[i].type != type)
		i = (i + 1) & mask;
	return &names->slots[i];
}

static bool room_for_one(const struct rme_python *py, struct rme_names *names)
{
	struct name *old = names->slots;
	uint64_t n = names->n_slots;

	if (names->n_used * 2 < n)
		return true;
	names->n_slots = n ? n * 2 : FIRST_SLOTS;
	names->slots = rme_arena_alloc(py->arena, names->n_slots * sizeof *old);
	if (!names->slots) {
		names->slots = old;
		names->n_slots = n;
		return false;
	}
	for (uint64_t i = 0; i < n; i++)
		if (old[i].type)
			*name_slot(names, old[i].type) = old[i];
	return true;
}

/* Would the name lead to a rule? */
static bool is_sure(const struct rme_python *py, rme_addr type, const char *name)
{
	struct rme_direct direct;
	struct rme_rule rule;

	return rme_kind_named(name) != RME_KIND_OTHER || rme_rule_named(py, name, &rule) ||
	       rme_owned_named(name) ||
	       rme_direct_rule(py->layout, name, rme_u64(type + L(type_basicsize)), &direct);
}

static void keep(const struct rme_python *py, struct rme_names *names, rme_addr type,
                 const char *text, bool sure)
{
	if (!room_for_one(py, names))
		return;
	struct name *n = name_slot(names, type);
	/* "datetime.timezone" is better than "_datetime.timezone". */
	bool better =
	    n->type && !n->sure && (sure || (n->text[0] == '_' && rme_streq(n->text + 1, text)));
	if (n->type && !better)
		return;
	size_t size = rme_strlen(text) + 1;
	char *copy = rme_arena_alloc(py->arena, size);
	if (!copy)
		return;
	memcpy(copy, text, size);
	names->n_used += !n->type;
	*n = (struct name){type, copy, sure};
}

/* The tp_name that a type probably has that is `key` in the namespace of `module`: most
 * modules in C call themselves in it as the module in Python that imports them. */
static void consider(const struct rme_python *py, struct rme_names *names, rme_addr type,
                     rme_addr module, rme_addr key)
{
	char text[2 * MAX_NAME];
	struct rme_buffer out = {text, sizeof text - 1, 0, false};

	if (!rme_str_append(py, module, MAX_NAME / 4, &out))
		return;
	rme_buffer_char(&out, '.');
	size_t dot = out.size;
	if (!rme_str_append(py, key, MAX_NAME / 4, &out) || out.overflow)
		return;
	text[out.size] = 0;
	/* _collections_abc calls the builtin iterators by their own names. */
	bool builtin = rme_bytes_are(text, dot, "builtins.");
	bool own_name = builtin || rme_bytes_are(text, dot, "_collections_abc.");
	const char *in_module = own_name ? text + dot : text;
	const char *candidates[] = {in_module, text[0] == '_' ? text + 1 : text, text + dot};
	for (int i = 0; i < 3; i++)
		if (is_sure(py, type, candidates[i])) {
			keep(py, names, type, candidates[i], true);
			return;
		}
	keep(py, names, type, in_module, builtin);
}

/* A class of the module, or one of the kind of sys.version_info, which only its one
 * instance leads to. */
static void search_value(const struct rme_python *py, struct rme_names *names, rme_addr module,
                         const struct rme_dict_iter *it)
{
	rme_addr type = rme_type_of(py, it->value);

	if (rme_is_static_type(py, it->value))
		consider(py, names, it->value, module, it->key);
	else if (rme_is_static_type(py, type) && rme_type_is_structseq(py, type))
		consider(py, names, type, module, it->key);
}

static void search_module(const struct rme_python *py, struct rme_names *names, rme_addr name,
                          rme_addr module)
{
	struct rme_dict_iter it = {0};
	struct rme_guard guard;

	if (RME_GUARD(py->guards, &guard)) {
		if (rme_type_is(py, rme_type_of(py, module), py->sym.module))
			while (rme_dict_next(py, rme_ptr(module + L(module_dict)), &it))
				search_value(py, names, name, &it);
		rme_guard_pop(py->guards, &guard);
	}
}

static void take_stgdict(void *arg, rme_addr type)
{
	const struct rme_python *py = arg;

	if (rme_u64(type + L(type_basicsize)) == L(stgdict_size))
		keep(py, py->names, type, "StgDict", true);
}

static void search_modules(const struct rme_python *py, struct rme_names *names)
{
	struct rme_dict_iter it = {0};
	rme_addr builtins = rme_ptr(py->interp + L(interp_builtins)), found;
	const char *tp_name;

	names->searched = true;
	for (unsigned i = 0; rme_discover_known(py, i, &found, &tp_name); i++)
		if (found)
			keep(py, names, found, tp_name, true);
	if (py->sym.cmethod)
		keep(py, names, py->sym.cmethod, "builtin_method", true);
	if (py->sym.none)
		keep(py, names, rme_type_of(py, py->sym.none), "NoneType", true);
	if ((found = rme_dict_get_str(py, builtins, "Ellipsis", 8)))
		keep(py, names, rme_type_of(py, found), "ellipsis", true);
	if ((found = rme_dict_get_str(py, builtins, "NotImplemented", 14)))
		keep(py, names, rme_type_of(py, found), "NotImplementedType", true);
	/* ctypes' type dict, which is in no module. */
	if (HAS(stgdict_size))
		rme_static_subclasses_each(py, py->sym.dict, take_stgdict, (void *)py);
	while (rme_dict_next(py, rme_ptr(py->interp + L(interp_modules)), &it))
		search_module(py, names, it.key, it.value);
}

/* A heap type has its name as a str, and its module in its dict. */
static void name_heap_type(const struct rme_python *py, struct rme_names *names, rme_addr type)
{
	char text[2 * MAX_NAME];
	struct rme_buffer out = {text, sizeof text - 1, 0, false};
	rme_addr dict = rme_type_dict(py, type);
	rme_addr module = dict ? rme_dict_get_str(py, dict, "__module__", 10) : 0;

	if (module && !rme_str_equals(py, module, "builtins", 8) &&
	    rme_str_append(py, module, MAX_NAME / 4, &out))
		rme_buffer_char(&out, '.');
	if (rme_str_append(py, rme_ptr(type + L(heaptype_qualname)), MAX_NAME / 4, &out) &&
	    !out.overflow) {
		text[out.size] = 0;
		keep(py, names, type, text, true);
	}
}

static const char *discovered_name(const struct rme_python *py, rme_addr type)
{
	struct rme_names *names = py->names;

	if (!room_for_one(py, names))
		return NULL;
	if (rme_u64(type + L(type_flags)) & RME_FLAG_HEAPTYPE) {
		if (!name_slot(names, type)->type)
			name_heap_type(py, names, type);
	} else if (!names->searched) {
		search_modules(py, names);
	}
	return name_slot(names, type)->text;
}

const char *rme_type_c_name(const struct rme_python *py, rme_addr type)
{
	rme_addr name = rme_ptr(type + L(type_name));

	return rme_is_text(py, name) ? (const char *)name : discovered_name(py, type);
}

/* Objects/typeobject.c, type_module and type_qualname: a heap type keeps its module
 * in its dict, a static type before the last dot of tp_name. */
void rme_type_name_append(const struct rme_python *py, rme_addr type, struct rme_buffer *out)
{
	static const char builtins[] = "builtins.", module_key[] = "__module__";
	const struct rme_layout *l = py->layout;
	size_t start = out->size;

	if (rme_u64(type + L(type_flags)) & RME_FLAG_HEAPTYPE) {
		rme_addr dict = rme_type_dict(py, type);
		rme_addr module =
		    dict ? rme_dict_get_str(py, dict, module_key, sizeof module_key - 1) : 0;
		if (module && !rme_str_equals(py, module, builtins, sizeof builtins - 2) &&
		    rme_str_append(py, module, MAX_PART, out))
			rme_buffer_char(out, '.');
		if (rme_str_append(py, rme_ptr(type + (uint64_t)l->heaptype_qualname), MAX_PART,
		                   out))
			return;
		out->size = start;
	}
	const char *name = rme_type_c_name(py, type);
	if (name) {
		size_t n = 0;
		while (n < sizeof builtins - 1 && name[n] == builtins[n])
			n++;
		rme_buffer_text(out, n == sizeof builtins - 1 ? name + n : name);
		return;
	}
	rme_buffer_text(out, "<type at ");
	rme_buffer_hex(out, type);
	rme_buffer_char(out, '>');
}

bool rme_type_is_named(const struct rme_python *py, rme_addr type, const char *tp_name)
{
	for (int i = 0; type && i < MAX_BASES; i++) {
		const char *name = rme_type_c_name(py, type);
		if (name && rme_streq(name, tp_name))
			return true;
		type = rme_ptr(type + (uint64_t)py->layout->type_base);
	}
	return false;
}
