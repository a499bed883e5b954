#include "cpython/known.h"

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
	if (IS("_queue.SimpleQueue"))
		return RME_KIND_SIMPLEQUEUE;
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

/* ctypes (Modules/_ctypes/_ctypes.c). Its instances are of static types without a
 * collector flag up to 3.12, so direct.inc has them only from 3.13. */
static bool rule_of_ctypes(const struct rme_python *py, const char *name, struct rme_rule *ret)
{
	const struct rme_layout *l = py->layout;
	bool function;

#define IS(s) rme_streq(name, s)
	if (IS("_ctypes.PyCStructType") || IS("_ctypes.UnionType") ||
	    IS("_ctypes.PyCPointerType") || IS("_ctypes.PyCArrayType") ||
	    IS("_ctypes.PyCSimpleType") || IS("_ctypes.PyCFuncPtrType") ||
	    IS("_ctypes.CType_Type")) {
		ret->reader = RME_READ_CTYPE;
		return true;
	}
	function = IS("_ctypes.PyCFuncPtr") || IS("_ctypes.CFuncPtr");
	if (!function && !IS("_ctypes._CData") && !IS("_ctypes.Structure") &&
	    !IS("_ctypes.Union") && !IS("_ctypes.Array") && !IS("_ctypes._Pointer") &&
	    !IS("_ctypes._SimpleCData"))
		return false;
	ret->words = rme_word_bit(l->cdata_base) | rme_word_bit(l->cdata_objects);
	for (int32_t at = l->cfuncptr_first; function && at <= l->cfuncptr_last; at += 8)
		ret->words |= rme_word_bit(at);
	return l->cdata_base != RME_ABSENT;
}

bool rme_rule_named(const struct rme_python *py, const char *name, struct rme_rule *ret)
{
	if (IS("itertools._tee_dataobject")) {
		ret->reader = RME_READ_TEE;
		return HAS(tee_values);
	}
	if (IS("_queue.SimpleQueue") && HAS(simplequeue_items)) {
		ret->reader = RME_READ_QUEUE;
		return true;
	}
	if (IS("_sre.SRE_Template") && HAS(template_items)) {
		ret->reader = RME_READ_TEMPLATE;
		return true;
	}
	/* Objects/hamt.c */
	if (IS("hamt_bitmap_node") || IS("hamt_collision_node")) {
		ret->reader = RME_READ_ITEMS;
		return true;
	}
	if (IS("PyCapsule")) {
		ret->reader = RME_READ_CAPSULE;
		return true;
	}
#undef IS
	return rule_of_ctypes(py, name, ret);
}

bool rme_owned_named(const char *name)
{
#define OWNED(tp_name, ...)                                                                        \
	if (rme_streq(name, tp_name))                                                              \
		return true;
#include "cpython/owned.def"
#undef OWNED
	return false;
}
