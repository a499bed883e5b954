#include "cpython/lookup.h"

#include "cpython/attribute.h"
#include "cpython/class.h"
#include "cpython/dict.h"
#include "cpython/facts.h"
#include "cpython/object.h"
#include "cpython/type.h"
#include "cpython/type_name.h"

/* A getter whose result is a field of the object. `type` is the symbol of the type
 * that defines it, BASE_EXCEPTION for the one whose symbol is a pointer. */
struct computed {
	char name[16];
	uint16_t type, field;
};

enum { BASE_EXCEPTION = 0xffff };

#define TYPE(member)  offsetof(struct rme_symbols, member)
#define FIELD(member) offsetof(struct rme_layout, member)
static const struct computed table[] = {
    {"__code__", TYPE(function), FIELD(function_code)},
    {"__defaults__", TYPE(function), FIELD(function_defaults)},
    {"__kwdefaults__", TYPE(function), FIELD(function_kwdefaults)},
    {"__annotations__", TYPE(function), FIELD(function_annotations)},
    {"__self__", TYPE(cfunction), FIELD(cfunction_self)},
    {"cell_contents", TYPE(cell), FIELD(cell_ref)},
    {"tb_next", TYPE(traceback), FIELD(traceback_next)},
    {"__mro__", TYPE(type), FIELD(type_mro)}, /* members until 3.11 */
    {"__bases__", TYPE(type), FIELD(type_bases)},
    {"args", BASE_EXCEPTION, FIELD(exc_args)},
    {"__traceback__", BASE_EXCEPTION, FIELD(exc_traceback)},
    {"__context__", BASE_EXCEPTION, FIELD(exc_context)},
    {"__cause__", BASE_EXCEPTION, FIELD(exc_cause)},
};
#undef TYPE
#undef FIELD
enum { N_COMPUTED = sizeof table / sizeof table[0] };

static int32_t field_offset(const struct rme_python *py, const struct computed *c)
{
	int32_t offset;

	memcpy(&offset, (const char *)py->layout + c->field, sizeof offset);
	return offset;
}

/* Does `type` define the row's getter? */
static bool defines(const struct rme_python *py, const struct computed *c, rme_addr type)
{
	rme_addr symbol;

	if (c->type == BASE_EXCEPTION)
		return rme_u64(type + (uint64_t)py->layout->type_flags) & RME_EXC_SUBCLASS &&
		       rme_type_is_named(py, type, "BaseException");
	memcpy(&symbol, (const char *)&py->sym + c->type, sizeof symbol);
	return symbol && rme_type_is(py, type, symbol);
}

int rme_computed_each(const struct rme_python *py, rme_addr object, rme_computed_fn fn, void *arg)
{
	rme_addr type = rme_type_of(py, object);

	for (unsigned i = 0; i < N_COMPUTED; i++) {
		int32_t offset = field_offset(py, &table[i]);
		if (offset == RME_ABSENT || !defines(py, &table[i], type))
			continue;
		rme_addr value = rme_ptr(object + (uint64_t)offset);
		int stop = value ? fn(arg, table[i].name, value) : 0;
		if (stop)
			return stop;
	}
	return 0;
}

/* A getset_descriptor: __class__, __dict__ and the table; the rest is code. */
static enum rme_lookup read_getset(struct rme_python *py, rme_addr object, rme_addr descriptor,
                                   const void *name, size_t n, rme_addr *ret)
{
	rme_addr owner = rme_ptr(descriptor + (uint64_t)py->layout->descr_type);

	if (rme_bytes_are(name, n, "__class__")) {
		*ret = rme_type_of(py, object);
		return RME_LOOKUP_FOUND;
	}
	if (rme_bytes_are(name, n, "__dict__")) {
		rme_addr dict = rme_instance_dict(py, object);
		if (dict)
			*ret = dict;
		return dict ? RME_LOOKUP_FOUND : RME_LOOKUP_CODE;
	}
	for (unsigned i = 0; i < N_COMPUTED; i++) {
		int32_t offset = field_offset(py, &table[i]);
		if (offset == RME_ABSENT || !rme_bytes_are(name, n, table[i].name) ||
		    !defines(py, &table[i], owner))
			continue;
		*ret = rme_ptr(object + (uint64_t)offset);
		if (!*ret)
			*ret = py->sym.none;
		return RME_LOOKUP_FOUND;
	}
	return RME_LOOKUP_CODE;
}

/* A member_descriptor: Python/structmember.c, PyMember_GetOne. */
static enum rme_lookup read_member(const struct rme_python *py, rme_addr object,
                                   rme_addr descriptor, rme_addr *ret)
{
	const struct rme_layout *l = py->layout;
	rme_addr member = rme_ptr(descriptor + (uint64_t)l->memberdescr_member);
	int32_t kind = rme_i32(member + (uint64_t)l->memberdef_type);

	if (kind != RME_MEMBER_OBJECT && kind != RME_MEMBER_OBJECT_EX)
		return RME_LOOKUP_NUMBER;
	bool after_items = rme_i32(member + (uint64_t)l->memberdef_flags) & RME_MEMBER_AFTER_ITEMS;
	rme_addr value = rme_ptr(rme_member_at(
	    py, object, rme_u64(member + (uint64_t)l->memberdef_offset), after_items));
	if (!value && kind == RME_MEMBER_OBJECT_EX)
		return RME_LOOKUP_ABSENT;
	*ret = value ? value : py->sym.none;
	return RME_LOOKUP_FOUND;
}

/* collections._tuplegetter, the descriptor of a namedtuple's field. */
static bool is_tuplegetter(const struct rme_python *py, rme_addr descriptor)
{
	rme_addr type = rme_type_of(py, descriptor);

	return py->layout->tuplegetter_index != RME_ABSENT &&
	       (rme_type_is_named(py, type, "_collections._tuplegetter") ||
	        rme_type_is_named(py, type, "collections._tuplegetter")); /* 3.12+ */
}

static enum rme_lookup read_tuplegetter(const struct rme_python *py, rme_addr object,
                                        rme_addr descriptor, rme_addr *ret)
{
	uint64_t index = rme_u64(descriptor + (uint64_t)py->layout->tuplegetter_index);

	if (!rme_is_a(py, object, RME_TUPLE_SUBCLASS) || index >= rme_sequence_length(py, object))
		return RME_LOOKUP_ABSENT;
	*ret = rme_tuple_item(py, object, index);
	return *ret ? RME_LOOKUP_FOUND : RME_LOOKUP_ABSENT;
}

static bool type_has(struct rme_python *py, rme_addr object, const char *name)
{
	return rme_type_lookup(py, rme_type_of(py, object), name, rme_strlen(name)) != 0;
}

/* Would getting this class attribute through an instance run code? Functions and
 * their like only bind: they count as found. */
static bool runs_code(struct rme_python *py, rme_addr attribute)
{
	rme_addr type = rme_type_of(py, attribute);

	if (rme_u64(type + (uint64_t)py->layout->type_flags) & RME_FLAG_HEAPTYPE)
		return type_has(py, attribute, "__get__");
	return rme_type_is(py, type, py->sym.property) || type == py->sym.getset_descriptor;
}

/* object.__getattribute__ (Objects/object.c, _PyObject_GenericGetAttrWithDict). In a
 * class's own attributes there is one step more: what its bases have. */
enum rme_lookup rme_attribute_get(struct rme_python *py, rme_addr object, const void *name,
                                  size_t n, rme_addr *ret)
{
	bool is_class = rme_is_a(py, object, RME_TYPE_SUBCLASS);
	rme_addr attribute = rme_type_lookup(py, rme_type_of(py, object), name, n);
	rme_addr kind = attribute ? rme_type_of(py, attribute) : 0, value;

	if (rme_type_is(py, rme_type_of(py, object), py->sym.module)) {
		/* What a module defines is what the user means, also where a getter of its
		 * class comes first (__annotations__). */
		*ret = rme_instance_get(py, object, name, n);
		if (*ret)
			return RME_LOOKUP_FOUND;
	}
	*ret = attribute;
	if (attribute && kind == py->sym.member_descriptor)
		return read_member(py, object, attribute, ret);
	if (attribute && kind == py->sym.getset_descriptor)
		return read_getset(py, object, attribute, name, n, ret);
	if (attribute && is_tuplegetter(py, attribute))
		return read_tuplegetter(py, object, attribute, ret);
	if (attribute && rme_type_is(py, kind, py->sym.property))
		return RME_LOOKUP_CODE;
	/* A data descriptor written in Python (an ORM's column) comes before the instance's
	 * dict, and nearly always reads its value from there under the same name. */
	value =
	    is_class ? rme_type_lookup(py, object, name, n) : rme_instance_get(py, object, name, n);
	if (value) {
		*ret = value;
		return RME_LOOKUP_FOUND;
	}
	if (!attribute)
		return RME_LOOKUP_ABSENT;
	return runs_code(py, attribute) ? RME_LOOKUP_CODE : RME_LOOKUP_FOUND;
}

rme_addr rme_namedtuple_field(struct rme_python *py, rme_addr type, uint64_t index)
{
	rme_addr dict = type == py->sym.tuple ? 0 : rme_type_dict(py, type);
	struct rme_dict_iter it = {0};

	while (rme_dict_next(py, dict, &it))
		if (rme_is_object(py, it.value) && is_tuplegetter(py, it.value) &&
		    rme_u64(it.value + (uint64_t)py->layout->tuplegetter_index) == index)
			return it.key;
	return 0;
}
