/* Which native type is it? Exported types by their symbol, the others by tp_name.
 * A class statement cannot fake a row: its types are excluded by the caller. */
#include "cpython/type.h"
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
	if (IS(dict))
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

enum rme_kind rme_kind_named(const char *name)
{
#define IS(s) rme_streq(name, s)
	if (IS("collections.deque"))
		return RME_KIND_DEQUE;
	if (IS("collections.defaultdict"))
		return RME_KIND_DEFAULTDICT;
	if (IS("longrange_iterator"))
		return RME_KIND_RANGE_ITERATOR;
	if (IS("_io.BytesIO"))
		return RME_KIND_BYTESIO;
	if (IS("_io.BufferedReader") || IS("_io.BufferedWriter") || IS("_io.BufferedRandom"))
		return RME_KIND_BUFFERED;
	if (IS("array.array"))
		return RME_KIND_ARRAY;
	if (IS("Struct") || IS("_struct.Struct"))
		return RME_KIND_STRUCT;
	if (IS("decimal.Decimal"))
		return RME_KIND_DECIMAL;
	if (IS("xml.etree.ElementTree.Element"))
		return RME_KIND_ELEMENT;
	if (IS("_pickle.Pickler"))
		return RME_KIND_PICKLER;
	if (IS("_pickle.Unpickler"))
		return RME_KIND_UNPICKLER;
	if (IS("itertools.product"))
		return RME_KIND_PRODUCT;
	if (IS("itertools.combinations"))
		return RME_KIND_COMBINATIONS;
	if (IS("itertools.combinations_with_replacement"))
		return RME_KIND_CWR;
	if (IS("itertools.permutations"))
		return RME_KIND_PERMUTATIONS;
	if (IS("StgDict") || IS("_ctypes.StgDict"))
		return RME_KIND_STGDICT;
	if (IS("_ctypes.CType_Type"))
		return RME_KIND_CTYPE;
	if (IS("datetime.datetime"))
		return RME_KIND_DATETIME;
	if (IS("datetime.time"))
		return RME_KIND_TIME;
	if (IS("numpy.ndarray"))
		return RME_KIND_NDARRAY;
	if (IS("numpy.generic"))
		return RME_KIND_NPSCALAR;
	if (IS("numpy.void"))
		return RME_KIND_NPVOID;
	if (IS("numpy.dtype"))
		return RME_KIND_NPDTYPE;
	if (IS("numpy.flatiter"))
		return RME_KIND_NPFLATITER;
	if (IS("mmap.mmap"))
		return RME_KIND_MMAP;
	if (IS("functools.partial"))
		return RME_KIND_PARTIAL;
	if (IS("functools._lru_cache_wrapper"))
		return RME_KIND_LRU_CACHE;
	if (IS("functools._lru_list_elem"))
		return RME_KIND_LRU_LINK;
	if (IS("BaseException"))
		return RME_KIND_EXCEPTION;
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
