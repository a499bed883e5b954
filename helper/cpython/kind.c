#include "cpython/kind.h"

#include "cpython/type_name.h"

static enum rme_kind kind_by_symbol(const struct rme_python *py, rme_addr t)
{
	const struct rme_symbols *s = &py->sym;

#define IS(member) (t == s->member)
	if (IS(object))
		return RME_KIND_OBJECT;
	if (IS(int_) || IS(bool_))
		return RME_KIND_INT;
	if (IS(str))
		return RME_KIND_STR;
	if (IS(bytes))
		return RME_KIND_BYTES;
	if (IS(bytearray))
		return RME_KIND_BYTEARRAY;
	if (IS(list))
		return RME_KIND_LIST;
	if (IS(tuple))
		return RME_KIND_TUPLE;
	if (IS(odict))
		return RME_KIND_ODICT;
	if (IS(dict) || (s->frozendict && IS(frozendict)))
		return RME_KIND_DICT;
	if (IS(set) || IS(frozenset))
		return RME_KIND_SET;
	if (IS(type))
		return RME_KIND_TYPE;
	if (IS(function))
		return RME_KIND_FUNCTION;
	if (IS(method))
		return RME_KIND_METHOD;
	if (IS(cfunction) || (s->cmethod && IS(cmethod)))
		return RME_KIND_CFUNCTION;
	if (IS(cell))
		return RME_KIND_CELL;
	if (IS(code))
		return RME_KIND_CODE;
	if (IS(frame))
		return RME_KIND_FRAME;
	if (IS(generator) || IS(coroutine) || IS(async_generator))
		return RME_KIND_GENERATOR;
	if (IS(traceback))
		return RME_KIND_TRACEBACK;
	if (IS(module))
		return RME_KIND_MODULE;
	if (IS(method_descriptor) || IS(classmethod_descriptor) || IS(member_descriptor) ||
	    IS(getset_descriptor) || IS(wrapper_descriptor))
		return RME_KIND_DESCRIPTOR;
	if (IS(range))
		return RME_KIND_RANGE;
	if (IS(weakref) || IS(weakref_proxy))
		return RME_KIND_WEAKREF;
	if (IS(property))
		return RME_KIND_PROPERTY;
#undef IS
	return RME_KIND_OTHER;
}

enum rme_kind rme_kind_of(struct rme_python *py, rme_addr type)
{
	enum rme_kind kind = kind_by_symbol(py, type);

	if (kind != RME_KIND_OTHER)
		return kind;
	const char *name = rme_type_c_name(py, type);
	return name ? rme_kind_named(name) : RME_KIND_OTHER;
}
