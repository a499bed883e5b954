#include "cpython/class.h"

#include "cpython/dict.h"
#include "cpython/facts.h"
#include "cpython/object.h"
#include "cpython/str.h"

enum { MAX_BASES = 1000, MAX_MEMBERS = 4096 };

static bool has_flag(const struct rme_python *py, rme_addr type, uint64_t flag)
{
	return rme_u64(type + (uint64_t)py->layout->type_flags) & flag;
}

/* Objects/typeobject.c, static_builtin_state_get (3.12) and
 * managed_static_type_state_get (3.13): tp_subclasses is the index plus one. */
static rme_addr static_type_field(const struct rme_python *py, rme_addr type, int32_t field)
{
	/* _Py_MAX_STATIC_BUILTIN_TYPES, _Py_MAX_MANAGED_STATIC_EXT_TYPES */
	enum { MAX_BUILTINS = 200, MAX_EXTENSIONS = 10 };
	const struct rme_layout *l = py->layout;
	uint64_t index = rme_u64(type + (uint64_t)l->type_subclasses) - 1;
	uint64_t size = (uint64_t)l->statictype_size;
	rme_addr state;

	if (index < MAX_BUILTINS) {
		state = py->interp + (uint64_t)l->interp_static_types_builtins + index * size;
		if (rme_ptr(state + (uint64_t)l->statictype_type) == type)
			return rme_ptr(state + (uint64_t)field);
	}
	if (index < MAX_EXTENSIONS && l->interp_static_types_extensions != RME_ABSENT) {
		state = py->interp + (uint64_t)l->interp_static_types_extensions + index * size;
		if (rme_ptr(state + (uint64_t)l->statictype_type) == type)
			return rme_ptr(state + (uint64_t)field);
	}
	return 0;
}

static bool is_per_interpreter(const struct rme_python *py, rme_addr type)
{
	return py->layout->interp_static_types_builtins != RME_ABSENT &&
	       has_flag(py, type, RME_FLAG_STATIC_BUILTIN);
}

rme_addr rme_type_dict(const struct rme_python *py, rme_addr type)
{
	const struct rme_layout *l = py->layout;

	return is_per_interpreter(py, type) ? static_type_field(py, type, l->statictype_dict)
	                                    : rme_ptr(type + (uint64_t)l->type_dict);
}

rme_addr rme_type_subclasses(const struct rme_python *py, rme_addr type)
{
	const struct rme_layout *l = py->layout;

	return is_per_interpreter(py, type) ? static_type_field(py, type, l->statictype_subclasses)
	                                    : rme_ptr(type + (uint64_t)l->type_subclasses);
}

rme_addr rme_type_lookup(const struct rme_python *py, rme_addr type, const void *utf8, size_t n)
{
	const struct rme_layout *l = py->layout;
	rme_addr mro = rme_ptr(type + (uint64_t)l->type_mro), dict, found;

	if (!mro || !rme_is_a(py, mro, RME_TUPLE_SUBCLASS)) {
		/* A class that is being made: what it has so far. */
		for (int i = 0; type && i < MAX_BASES; i++) {
			dict = rme_type_dict(py, type);
			found = dict ? rme_dict_get_str(py, dict, utf8, n) : 0;
			if (found)
				return found;
			type = rme_ptr(type + (uint64_t)l->type_base);
		}
		return 0;
	}
	uint64_t n_mro = rme_sequence_length(py, mro);
	for (uint64_t i = 0; i < n_mro && i < MAX_BASES; i++) {
		rme_addr base = rme_tuple_item(py, mro, i);
		if (!base || !rme_is_a(py, base, RME_TYPE_SUBCLASS))
			continue;
		dict = rme_type_dict(py, base);
		found = dict ? rme_dict_get_str(py, dict, utf8, n) : 0;
		if (found)
			return found;
	}
	return 0;
}

bool rme_type_is(const struct rme_python *py, rme_addr type, rme_addr base)
{
	for (int i = 0; type && i < MAX_BASES; i++) {
		if (type == base)
			return true;
		type = rme_ptr(type + (uint64_t)py->layout->type_base);
	}
	return false;
}

/* A structseq type is a tuple with n_sequence_fields in its dict
 * (Objects/structseq.c); its instances may hide fields behind ob_size. */
bool rme_type_is_structseq(const struct rme_python *py, rme_addr type)
{
	const struct rme_layout *l = py->layout;
	rme_addr dict;

	if (rme_ptr(type + (uint64_t)l->type_base) != py->sym.tuple)
		return false;
	dict = rme_type_dict(py, type);
	return dict && rme_dict_get_str(py, dict, "n_sequence_fields", 17);
}

/* The name of a member, which lies in the binary for a type in C: where that is missing,
 * its descriptor in the type's dict has the name as an ASCII str. NULL: not known. */
static const char *member_name(const struct rme_python *py, rme_addr type, rme_addr row)
{
	const struct rme_layout *l = py->layout;
	rme_addr name = rme_ptr(row + (uint64_t)l->memberdef_name);
	struct rme_dict_iter it = {0};

	if (!(py->request->flags & (RME_CHECK_CODE | RME_LAYOUTS_ONLY)) || rme_is_text(py, name))
		return (const char *)name;
	while (rme_dict_next(py, rme_type_dict(py, type), &it))
		if (rme_type_of(py, it.value) == py->sym.member_descriptor &&
		    rme_ptr(it.value + (uint64_t)l->memberdescr_member) == row)
			return (const char *)(rme_ptr(it.value + (uint64_t)l->descr_name) +
			                      (uint64_t)l->str_ascii_size);
	return NULL;
}

rme_addr rme_member_at(const struct rme_python *py, rme_addr object, uint64_t offset,
                       bool after_items)
{
	const struct rme_layout *l = py->layout;

	if (!after_items)
		return object + offset;
	return object + offset +
	       rme_u64(object + (uint64_t)l->var_size) *
	           rme_u64(rme_type_of(py, object) + (uint64_t)l->type_itemsize);
}

/* A heap type's table has ob_size rows; a static type's ends at a row without a
 * name. type_new and PyType_FromSpec both leave tp_members pointing at it. */
static int own_members(const struct rme_python *py, rme_addr type, rme_member_fn fn, void *arg)
{
	const struct rme_layout *l = py->layout;
	rme_addr table = rme_ptr(type + (uint64_t)l->type_members);
	bool heap = has_flag(py, type, RME_FLAG_HEAPTYPE);
	uint64_t n = MAX_MEMBERS;

	if (!table)
		return 0;
	if (heap && rme_u64(type + (uint64_t)l->var_size) < n)
		n = rme_u64(type + (uint64_t)l->var_size);
	for (uint64_t i = 0; i < n; i++, table += (uint64_t)l->memberdef_size) {
		if (!rme_ptr(table + (uint64_t)l->memberdef_name))
			break;
		struct rme_member member = {
		    .owner = type,
		    .name = member_name(py, type, table),
		    .offset = rme_u64(table + (uint64_t)l->memberdef_offset),
		    .kind = rme_i32(table + (uint64_t)l->memberdef_type),
		    .slot = heap && rme_ptr(type + (uint64_t)l->heaptype_slots),
		    .after_items =
			rme_i32(table + (uint64_t)l->memberdef_flags) & RME_MEMBER_AFTER_ITEMS,
		};
		int stop = fn(arg, &member);
		if (stop)
			return stop;
	}
	return 0;
}

int rme_members_each(const struct rme_python *py, rme_addr type, rme_member_fn fn, void *arg)
{
	for (int i = 0; type && i < MAX_BASES; i++) {
		int stop = own_members(py, type, fn, arg);
		if (stop)
			return stop;
		type = rme_ptr(type + (uint64_t)py->layout->type_base);
	}
	return 0;
}
