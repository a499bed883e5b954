#include "cpython/numpy.h"
#include "cpython/dict.h"
#include "cpython/object.h"
#include "cpython/type_name.h"

/* The fields are the same in numpy 1.x and 2.x. */
enum {
	ARRAY_DATA = 16,
	ARRAY_ND = 24,
	ARRAY_DIMENSIONS = 32,
	ARRAY_STRIDES = 40,
	ARRAY_BASE = 48,
	ARRAY_DESCR = 56,
	ARRAY_FLAGS = 64,
	ARRAY_MEM_HANDLER = 88, /* numpy 1.22 */
	ARRAY_SIZE_WITH_HANDLER = 96,
	FLAG_OWNDATA = 4,
	MAX_DIMENSIONS = 64,
	DESCR_TYPE_NUM = 28,
	DESCR_ELSIZE_1 = 32, /* 1.x: int */
	DESCR_ELSIZE_2 = 40, /* 2.x: npy_intp; 32 is the 64-bit flags */
	DESCR_FLAGS_1 = 27,  /* 1.x: char */
	DESCR_FLAGS_2 = 32,
	DESCR_FIELDS_1 = 48,
	DESCR_FIELDS_2 = 96,
	DESCR_TYPEOBJ = 16,
	DESCR_SUBARRAY_1 = 40,
	DESCR_SUBARRAY_2 = 88,
	DESCR_METADATA_1 = 72,
	DESCR_METADATA_2 = 56,
	TYPE_NUM_OBJECT = 17,
	TYPE_NUM_LEGACY = 24, /* below: the dtypes that numpy always had */
	TYPE_NUM_USER = 256,  /* from here to USER_END: old user-defined dtypes */
	TYPE_NUM_USER_END = 2048,
	BYTES_SIZE = 16, /* ob_size: numpy.bytes_ is a bytes */
	VOID_DESCR = 32, /* PyVoidScalarObject: obval, descr, flags, base */
	VOID_BASE = 48,
	ITEM_REFCOUNT = 1,     /* NPY_ITEM_REFCOUNT: the elements are or hold objects */
	FLATITER_ARRAY = 1320, /* PyArrayIterObject: ao, behind five fields of 32 dimensions */
	MAX_STRUCT_DEPTH = 4
};

/* numpy 2's PyArray_Descr begins with the same 28 bytes and has a dummy -1 hash at
 * another place; what tells them apart is 1.x's elsize and alignment, two ints at 32
 * of which the alignment is a small power of two. In 2.x the high half of the
 * flags word is zero. */
static bool descr_is_2(rme_addr descr)
{
	return rme_u32(descr + 36) == 0;
}

static uint64_t descr_elsize(rme_addr descr)
{
	return descr_is_2(descr) ? rme_u64(descr + DESCR_ELSIZE_2)
	                         : (uint64_t)rme_i32(descr + DESCR_ELSIZE_1);
}

static uint64_t descr_flags(rme_addr descr)
{
	return descr_is_2(descr) ? rme_u64(descr + DESCR_FLAGS_2) : rme_u8(descr + DESCR_FLAGS_1);
}

static int dimensions(rme_addr array)
{
	int nd = rme_i32(array + ARRAY_ND);

	return nd < 0 || nd > MAX_DIMENSIONS ? 0 : nd;
}

static uint64_t n_elements(rme_addr array)
{
	rme_addr dims = rme_ptr(array + ARRAY_DIMENSIONS);
	uint64_t n = 1;

	for (int i = 0, nd = dimensions(array); i < nd; i++)
		n *= rme_u64(dims + 8ull * (uint64_t)i);
	return n;
}

uint64_t rme_numpy_array_data(rme_addr array)
{
	if (!(rme_u32(array + ARRAY_FLAGS) & FLAG_OWNDATA))
		return 0;
	return n_elements(array) * descr_elsize(rme_ptr(array + ARRAY_DESCR));
}

rme_addr rme_numpy_array_address(rme_addr array)
{
	return rme_ptr(array + ARRAY_DATA);
}

uint64_t rme_numpy_array_size(struct rme_python *py, const struct rme_type *t, rme_addr array)
{
	(void)py;
	return t->basicsize + 16ull * (uint64_t)dimensions(array) + rme_numpy_array_data(array);
}

/* The bytes of one element, by the name of the scalar type: 0 when it is not told. */
static uint64_t scalar_elsize(rme_addr scalar, const char *name)
{
	uint64_t bits = 0;

#define IS(s) rme_streq(name, "numpy." s)
	if (IS("void"))
		return descr_elsize(rme_ptr(scalar + VOID_DESCR));
	if (IS("bytes_"))
		return rme_u64(scalar + BYTES_SIZE);
	if (IS("bool_") || IS("bool"))
		return 1;
	if (IS("intc") || IS("uintc"))
		return 4;
	if (IS("long") || IS("ulong") || IS("longlong") || IS("ulonglong"))
		return 8;
	if (IS("longdouble"))
		return 16;
	if (IS("clongdouble"))
		return 32;
#undef IS
	/* int8, float64, complex256, datetime64: bits at the end */
	if (!rme_bytes_are(name, 6, "numpy."))
		return 0;
	for (; *name; name++)
		bits = *name >= '0' && *name <= '9' ? bits * 10 + (uint64_t)(*name - '0') : 0;
	return bits / 8;
}

/* gentype_sizeof (numpy/core/src/multiarray/scalartypes.c.src) */
bool rme_numpy_scalar_size(struct rme_python *py, const struct rme_type *t, rme_addr scalar,
                           uint64_t *ret)
{
	const char *name = rme_type_c_name(py, t->native);
	uint64_t elsize = name ? scalar_elsize(scalar, name) : 0;

	if (!elsize)
		return false;
	*ret = t->basicsize + elsize;
	if ((int64_t)t->itemsize > 0)
		*ret += t->itemsize * rme_u64(scalar + (uint64_t)py->layout->var_size);
	return true;
}

void rme_numpy_scalar_references(rme_addr scalar, const struct rme_type *t,
                                 const struct rme_sink *sink)
{
	if (t->basicsize < VOID_BASE + 8)
		return;
	rme_sink_visit(sink, rme_ptr(scalar + VOID_DESCR));
	rme_sink_visit(sink, rme_ptr(scalar + VOID_BASE));
}

/* PyArray_Descr and, in 2.x, _PyArray_LegacyDescr. */
void rme_numpy_dtype_references(rme_addr descr, const struct rme_sink *sink)
{
	bool is_2 = descr_is_2(descr);
	int type_num = rme_i32(descr + DESCR_TYPE_NUM);

	rme_sink_visit(sink, rme_ptr(descr + DESCR_TYPEOBJ));
	rme_sink_visit(sink, rme_ptr(descr + (is_2 ? DESCR_METADATA_2 : DESCR_METADATA_1)));
	if (type_num < 0 || (type_num >= TYPE_NUM_LEGACY && type_num < TYPE_NUM_USER) ||
	    type_num >= TYPE_NUM_USER_END)
		return; /* a dtype of numpy 2's own kind */
	rme_addr subarray = rme_ptr(descr + (is_2 ? DESCR_SUBARRAY_2 : DESCR_SUBARRAY_1));
	uint64_t fields = is_2 ? DESCR_FIELDS_2 : DESCR_FIELDS_1;
	rme_sink_visit(sink, rme_ptr(descr + fields));
	rme_sink_visit(sink, rme_ptr(descr + fields + 8)); /* names */
	if (subarray) {
		rme_sink_visit(sink, rme_ptr(subarray)); /* base, shape */
		rme_sink_visit(sink, rme_ptr(subarray + 8));
	}
}

void rme_numpy_flatiter_references(rme_addr it, const struct rme_type *t,
                                   const struct rme_sink *sink)
{
	if (t->basicsize >= FLATITER_ARRAY + 8)
		rme_sink_visit(sink, rme_ptr(it + FLATITER_ARRAY));
}

/* Hands out the object elements of one run of the innermost dimension. */
struct run {
	struct rme_python *py;
	const struct rme_sink *sink;
	rme_addr array;
};

/* The object fields of a structured dtype: a dict of name -> (dtype, offset, …). */
static void element_references(const struct run *r, rme_addr descr, rme_addr first, uint64_t n,
                               int64_t stride, int depth)
{
	if (rme_i32(descr + DESCR_TYPE_NUM) == TYPE_NUM_OBJECT) {
		if (stride > 0 && stride <= 0xffffffffll) {
			r->sink->range(r->sink->arg, first, n, (uint64_t)stride);
			return;
		}
		for (uint64_t i = 0; i < n; i++)
			rme_sink_visit(r->sink, rme_ptr(first + i * (uint64_t)stride));
		return;
	}
	rme_addr fields = rme_ptr(descr + (descr_is_2(descr) ? DESCR_FIELDS_2 : DESCR_FIELDS_1));
	if (!fields || depth == MAX_STRUCT_DEPTH || !rme_is_a(r->py, fields, RME_DICT_SUBCLASS))
		return;
	struct rme_dict_iter it = {0};
	while (rme_dict_next(r->py, fields, &it)) {
		int64_t offset;
		if (!rme_is_a(r->py, it.value, RME_TUPLE_SUBCLASS) ||
		    !rme_int_value(r->py, rme_tuple_item(r->py, it.value, 1), &offset))
			continue;
		rme_addr field = rme_tuple_item(r->py, it.value, 0);
		if (descr_flags(field) & ITEM_REFCOUNT)
			element_references(r, field, first + (uint64_t)offset, n, stride,
			                   depth + 1);
	}
}

/* Walks all but the innermost dimension like an odometer. */
static void all_elements(const struct run *r, rme_addr descr)
{
	rme_addr dims = rme_ptr(r->array + ARRAY_DIMENSIONS);
	rme_addr strides = rme_ptr(r->array + ARRAY_STRIDES), at = rme_ptr(r->array + ARRAY_DATA);
	uint64_t index[MAX_DIMENSIONS] = {0};
	int nd = dimensions(r->array), d;

	if (!n_elements(r->array))
		return;
	if (nd == 0) {
		element_references(r, descr, at, 1, 8, 0);
		return;
	}
	uint64_t last = 8ull * (uint64_t)(nd - 1);
	for (;;) {
		element_references(r, descr, at, rme_u64(dims + last), rme_i64(strides + last), 0);
		for (d = nd - 2; d >= 0; d--) {
			uint64_t slot = 8ull * (uint64_t)d;
			at += rme_u64(strides + slot);
			if (++index[d] < rme_u64(dims + slot))
				break;
			at -= rme_u64(strides + slot) * index[d];
			index[d] = 0;
		}
		if (d < 0)
			return;
	}
}

void rme_numpy_array_references(struct rme_python *py, rme_addr array, bool all,
                                const struct rme_sink *sink)
{
	struct run r = {py, sink, array};
	rme_addr descr = rme_ptr(array + ARRAY_DESCR);

	rme_sink_visit(sink, rme_ptr(array + ARRAY_BASE));
	if (!all)
		return;
	rme_sink_visit(sink, descr);
	if (rme_u64(rme_type_of(py, array) + (uint64_t)py->layout->type_basicsize) >=
	    ARRAY_SIZE_WITH_HANDLER)
		rme_sink_visit(sink, rme_ptr(array + ARRAY_MEM_HANDLER));
	/* A view's elements are its base's. */
	if (descr_flags(descr) & ITEM_REFCOUNT && rme_u32(array + ARRAY_FLAGS) & FLAG_OWNDATA)
		all_elements(&r, descr);
}
