/* One function per type that defines its own __sizeof__; the formulas are those of
 * the C file named at each, the same since 3.8 unless said otherwise. */
#include "cpython/size.h"
#include "cpython/dict.h"
#include "cpython/facts.h"
#include "cpython/numpy.h"
#include "cpython/object.h"
#include "cpython/stackref.h"

static uint64_t magnitude(int64_t n)
{
	return n < 0 ? -(uint64_t)n : (uint64_t)n;
}

/* object.__sizeof__ (Objects/typeobject.c) */
static uint64_t size_generic(const struct rme_python *py, const struct rme_type *t, rme_addr o)
{
	uint64_t size = t->basicsize;

	if ((int64_t)t->itemsize > 0) {
		size += rme_probe_items(o, magnitude(rme_i64(o + L(var_size))), t->itemsize);
	}
	return size;
}

/* int.__sizeof__ (Objects/longobject.c) */
static uint64_t size_int(const struct rme_python *py, const struct rme_type *t, rme_addr o)
{
	uint64_t digits;

	if (HAS(int_tag)) {
		digits = rme_u64(o + L(int_tag)) >> 3;
		return t->basicsize + rme_probe_items(o, digits ? digits : 1, 4);
	}
	digits = magnitude(rme_i64(o + L(var_size)));
	if (!digits && rme_has_int_zero_has_digit(py))
		digits = 1;
	return L(int_digits) + rme_probe_items(o, digits, 4);
}

/* bytearray.__sizeof__ (Objects/bytearrayobject.c): what the buffer has room for; since 3.15
 * that is a bytes object, with its head and its last zero. */
static uint64_t size_bytearray(const struct rme_python *py, rme_addr o)
{
	/* ob_bytes stands behind ob_alloc */
	uint64_t n = rme_probe_items(rme_ptr(o + L(bytearray_alloc) + 8),
	                             rme_u64(o + L(bytearray_alloc)), 1);

	return n && HAS(bytearray_object) ? L(bytes_data) + 1 + n : n;
}

/* str.__sizeof__ (Objects/unicodeobject.c) */
static uint64_t size_str(const struct rme_python *py, rme_addr o)
{
	uint32_t state = rme_u32(o + L(str_state));
	uint64_t kind = state >> 2 & 7, length = rme_u64(o + L(str_length)), size;
	bool compact = state >> 5 & 1, ascii = state >> 6 & 1;
	rme_addr data;

	if (compact && ascii) {
		data = o + L(str_ascii_size);
		size = L(str_ascii_size) + rme_probe_items(o, length + 1, 1);
	} else if (compact) {
		data = o + L(str_compact_size);
		size = L(str_compact_size) + rme_probe_items(o, length + 1, kind);
	} else {
		data = rme_ptr(o + L(str_data));
		size = L(str_full_size) + (data ? rme_probe_items(data, length + 1, kind) : 0);
	}
	if (HAS(str_wstr)) {
		rme_addr wstr = rme_ptr(o + L(str_wstr));
		bool ready = state >> 7 & 1;
		if (wstr && (!ready || wstr != data))
			size += rme_probe_items(
			    wstr, 1 + (compact && ascii ? length : rme_u64(o + L(str_wstr_length))),
			    4);
	}
	if (!(compact && ascii)) {
		rme_addr utf8 = rme_ptr(o + L(str_utf8));
		if (utf8 && utf8 != data)
			size += rme_probe_items(utf8, rme_u64(o + L(str_utf8_length)) + 1, 1);
	}
	return size;
}

/* _PyDict_KeysSize (Objects/dictobject.c) */
static uint64_t size_keys(const struct rme_python *py, rme_addr keys)
{
	struct rme_keys k;
	uint64_t size;

	if (!rme_keys_read(py, keys, &k))
		rme_fault();
	size = L(keys_header_size) + k.index_bytes + (k.size << 1) / 3 * k.entry_size;
	rme_probe(keys, size);
	return size;
}

/* dict.__sizeof__ (Objects/dictobject.c) */
static uint64_t size_dict(const struct rme_python *py, const struct rme_type *t, rme_addr o)
{
	rme_addr keys = rme_ptr(o + L(dict_keys));
	uint64_t size = t->basicsize;

	if (rme_ptr(o + L(dict_values))) {
		struct rme_keys k;
		if (!rme_keys_read(py, keys, &k))
			rme_fault();
		else
			size += 8 * (HAS(keys_kind) ? k.n_entries + k.n_usable : (k.size << 1) / 3);
	}
	if (rme_i64(keys + L(keys_refcnt)) == 1)
		size += size_keys(py, keys);
	return size;
}

/* The entries of a dict, of which there are no more than its table has. */
static uint64_t used_of(const struct rme_python *py, rme_addr o)
{
	uint64_t used = rme_u64(o + L(dict_used));
	struct rme_keys k;

	if (!rme_keys_read(py, rme_ptr(o + L(dict_keys)), &k) || used > k.n_entries)
		rme_fault();
	return used;
}

/* OrderedDict.__sizeof__ (Objects/odictobject.c) */
static uint64_t size_odict(const struct rme_python *py, const struct rme_type *t, rme_addr o)
{
	uint64_t size =
	    size_dict(py, t, o) + rme_probe_items(rme_ptr(o + L(odict_fast_nodes)),
	                                          rme_u64(o + L(odict_fast_nodes_size)), 8);

	if (rme_ptr(o + L(odict_first)))
		size += L(odictnode_size) * used_of(py, o);
	return size;
}

/* type.__sizeof__ (Objects/typeobject.c): the metatype's own fields do not count. */
static uint64_t size_type(const struct rme_python *py, rme_addr o)
{
	if (!(rme_u64(o + L(type_flags)) & RME_FLAG_HEAPTYPE))
		return L(type_size);
	rme_addr keys = rme_ptr(o + L(heaptype_cached_keys));
	return L(heaptype_size) + (keys ? size_keys(py, keys) : 0);
}

/* _PyCodeObjectExtra (Objects/codeobject.c): ce_size, ce_extras[1] */
static uint64_t size_code_extra(const struct rme_python *py, rme_addr o)
{
	rme_addr extra = rme_ptr(o + L(code_extra));

	return extra ? 8 + rme_probe_items(extra, rme_u64(extra), 8) : 0;
}

/* code.__sizeof__ (Objects/codeobject.c) */
static uint64_t size_code(const struct rme_python *py, const struct rme_type *t, rme_addr o)
{
	uint64_t size = t->basicsize;

	if (HAS(code_adaptive))
		return ((size + rme_probe_items(o, rme_u64(o + L(var_size)), t->itemsize) + 7) &
		        ~7ull) +
		       size_code_extra(py, o);
	size += size_code_extra(py, o);
	if (rme_ptr(o + L(code_cell2arg)))
		size += 8 * rme_sequence_length(py, rme_ptr(o + L(code_cellvars)));
	if (HAS(code_opcache_map) && rme_ptr(o + L(code_opcache_map)))
		size += rme_u64(rme_ptr(o + L(code_code)) + L(var_size)) / 2;
	if (HAS(code_opcache) && rme_ptr(o + L(code_opcache)))
		size += L(opcache_entry_size) * (uint64_t)rme_u8(o + L(code_opcache_size));
	return size;
}

/* Room for the locals and the value stack of a frame of this code object. */
static uint64_t frame_slots(const struct rme_python *py, rme_addr code)
{
	uint64_t n = (uint64_t)rme_i32(code + L(code_stacksize));

	if (HAS(code_nlocalsplus))
		return n + (uint64_t)rme_i32(code + L(code_nlocalsplus));
	return n + (uint64_t)rme_i32(code + L(code_nlocals)) +
	       rme_sequence_length(py, rme_ptr(code + L(code_cellvars))) +
	       rme_sequence_length(py, rme_ptr(code + L(code_freevars)));
}

/* frame.__sizeof__ (Objects/frameobject.c) */
static uint64_t size_frame(const struct rme_python *py, rme_addr o)
{
	if (!HAS(frame_frame))
		return L(frame_size) +
		       rme_probe_items(o, frame_slots(py, rme_ptr(o + L(frame_code))), 8) - 8;
	rme_addr iframe = rme_ptr(o + L(frame_frame));
	return L(frame_data) + L(iframe_localsplus) +
	       rme_probe_items(
		   iframe, frame_slots(py, rme_stackref(py, rme_ptr(iframe + L(iframe_code)))), 8);
}

/* generator.__sizeof__ and its kin, 3.11+ (Objects/genobject.c) */
static uint64_t size_generator(const struct rme_python *py, rme_addr o)
{
	rme_addr code = HAS(gen_code)
	                    ? rme_ptr(o + L(gen_code))
	                    : rme_stackref(py, rme_ptr(o + L(gen_iframe) + L(iframe_code)));

	return L(gen_iframe) + L(iframe_localsplus) + rme_probe_items(o, frame_slots(py, code), 8);
}

/* set.__sizeof__ (Objects/setobject.c) */
static uint64_t size_set(const struct rme_python *py, const struct rme_type *t, rme_addr o)
{
	uint64_t size = t->basicsize;

	if (rme_ptr(o + L(set_table)) != o + L(set_smalltable))
		size +=
		    rme_probe_items(rme_ptr(o + L(set_table)), rme_u64(o + L(set_mask)) + 1, 16);
	return size;
}

/* Faults when there are not `n` of them. */
static void count_blocks(const struct rme_python *py, rme_addr o, uint64_t n)
{
	rme_addr block = rme_ptr(o + L(deque_leftblock));

	while (--n)
		block = rme_ptr(block + L(block_right));
	if (block != rme_ptr(o + L(deque_rightblock)))
		rme_fault();
}

/* deque.__sizeof__ (Modules/_collectionsmodule.c) */
static uint64_t size_deque(const struct rme_python *py, const struct rme_type *t, rme_addr o)
{
	uint64_t per_block = (L(block_right) - L(block_data)) / 8;
	uint64_t n = rme_u64(o + L(deque_leftindex)) + rme_u64(o + L(var_size));

	n = (n + per_block - 1) / per_block;
	if (n > 1024)
		count_blocks(py, o, n);
	return t->basicsize + n * L(block_size);
}

enum { MAX_ITEMSIZE = 16 }; /* of array's type codes: 8 bytes at most */

/* array.__sizeof__ (Modules/arraymodule.c) asks the type code's description, which a core
 * without binaries may lack. */
static bool array_itemsize(const struct rme_python *py, rme_addr o, uint64_t *ret)
{
	struct rme_guard guard;
	volatile bool there = false;
	volatile uint64_t itemsize = 0;

	if (RME_GUARD(py->guards, &guard)) {
		itemsize = (uint64_t)rme_i32(rme_ptr(o + L(array_descr)) + L(arraydescr_itemsize));
		there = itemsize <= MAX_ITEMSIZE;
		rme_guard_pop(py->guards, &guard);
	}
	*ret = itemsize;
	return there;
}

/* Struct.__sizeof__ (Modules/_struct.c): the codes end with one without fmtdef. */
static uint64_t size_struct(const struct rme_python *py, const struct rme_type *t, rme_addr o)
{
	rme_addr codes = rme_ptr(o + L(struct_codes));
	uint64_t n = 0;

	while (codes && n < 1 << 20 &&
	       rme_ptr(codes + n * L(formatcode_size) + L(formatcode_fmtdef)))
		n++;
	return t->basicsize + (n + 1) * L(formatcode_size);
}

/* Decimal.__sizeof__ (Modules/_decimal/_decimal.c): MPD_DATAFLAGS is 0xe0. */
static uint64_t size_decimal(const struct rme_python *py, const struct rme_type *t, rme_addr o)
{
	bool own_data = !(rme_u8(o + L(decimal_flags)) & 0xe0);

	/* mpd_t: data stands behind alloc (mpdecimal.h) */
	return t->basicsize + (own_data ? rme_probe_items(rme_ptr(o + L(decimal_alloc) + 8),
	                                                  rme_u64(o + L(decimal_alloc)), 8)
	                                : 0);
}

static uint64_t size_object(struct rme_python *py, rme_addr o)
{
	struct rme_type *t = rme_type_get(py, rme_type_of(py, o));

	return t ? rme_size_of(py, t, o) : 0;
}

/* BytesIO.__sizeof__ (Modules/_io/bytesio.c): its buffer, unless it is shared. */
static uint64_t size_bytesio(struct rme_python *py, const struct rme_type *t, rme_addr o)
{
	rme_addr buf = rme_ptr(o + L(bytesio_buf));
	bool shared = buf && (int64_t)rme_refcount(py, buf) > 1;

	return t->basicsize + (buf && !shared ? size_object(py, buf) : 0);
}

/* BufferedReader.__sizeof__ and its kin (Modules/_io/bufferedio.c) */
static uint64_t size_buffered(const struct rme_python *py, const struct rme_type *t, rme_addr o)
{
	rme_addr buffer = rme_ptr(o + L(buffered_buffer));

	return t->basicsize +
	       (buffer ? rme_probe_items(buffer, rme_u64(o + L(buffered_buffer_size)), 1) : 0);
}

/* Element.__sizeof__ (Modules/_elementtree.c) */
static uint64_t size_element(const struct rme_python *py, const struct rme_type *t, rme_addr o)
{
	rme_addr extra = rme_ptr(o + L(element_extra));
	uint64_t size = t->basicsize;

	if (extra) {
		size += L(elementextra_size);
		if (rme_ptr(extra + L(elementextra_children)) != extra + L(elementextra_inline))
			size += rme_probe_items(rme_ptr(extra + L(elementextra_children)),
			                        rme_u64(extra + L(elementextra_allocated)), 8);
	}
	return size;
}

/* Pickler and Unpickler moved inside 3.13: only of the size they have in the table are
 * their fields where it says. */
static bool is_as_in_table(const struct rme_python *py, const struct rme_type *t, int32_t size)
{
	return rme_u64(t->native + L(type_basicsize)) == (uint64_t)size;
}

/* Pickler.__sizeof__ (Modules/_pickle.c) */
static uint64_t size_pickler(struct rme_python *py, const struct rme_type *t, rme_addr o)
{
	rme_addr memo = rme_ptr(o + L(pickler_memo)), out = rme_ptr(o + L(pickler_output_buffer));
	uint64_t size = t->basicsize;

	if (memo)
		size += L(picklermemo_size) +
		        L(picklermemoentry_size) * rme_u64(memo + L(picklermemo_allocated));
	return size + (out ? size_object(py, out) : 0);
}

static uint64_t size_text(rme_addr text)
{
	return text ? rme_strlen((const char *)text) + 1 : 0;
}

/* Unpickler.__sizeof__ (Modules/_pickle.c) */
static uint64_t size_unpickler(const struct rme_python *py, const struct rme_type *t, rme_addr o)
{
	uint64_t size = t->basicsize;

	if (rme_ptr(o + L(unpickler_memo)))
		size += rme_probe_items(rme_ptr(o + L(unpickler_memo)),
		                        rme_u64(o + L(unpickler_memo_size)), 8);
	if (rme_ptr(o + L(unpickler_marks)))
		size += rme_probe_items(rme_ptr(o + L(unpickler_marks)),
		                        rme_u64(o + L(unpickler_marks_size)), 8);
	return size + size_text(rme_ptr(o + L(unpickler_input_line))) +
	       size_text(rme_ptr(o + L(unpickler_encoding))) +
	       size_text(rme_ptr(o + L(unpickler_errors)));
}

/* The common end of ctypes' type descriptions (Modules/_ctypes/stgdict.c, _ctypes.c):
 * format, shape, and the ffi elements with their terminator. */
static uint64_t size_ctypes(rme_addr format, uint64_t ndim, rme_addr elements, uint64_t length)
{
	return size_text(format) + 8 * ndim +
	       (elements ? rme_probe_items(elements, length + 1, 8) : 0);
}

static uint64_t size_stgdict(const struct rme_python *py, const struct rme_type *t, rme_addr o)
{
	/* The dict part already counts the basic size, and it is counted again
	 * (PyCStgDict_sizeof, Modules/_ctypes/stgdict.c). */
	return size_dict(py, t, o) + L(stgdict_size) - L(dict_size) +
	       size_ctypes(rme_ptr(o + L(stgdict_format)), (uint64_t)rme_i32(o + L(stgdict_ndim)),
	                   rme_ptr(o + L(stgdict_ffi_elements)), rme_u64(o + L(stgdict_length)));
}

/* CType_Type.__sizeof__, 3.13 (Modules/_ctypes/_ctypes.c): StgInfo follows the heap
 * type, aligned to 16. */
static uint64_t size_ctype(const struct rme_python *py, const struct rme_type *t, rme_addr o)
{
	rme_addr info = o + ((L(heaptype_size) + 15) & ~15ull);

	return t->basicsize + size_ctypes(rme_ptr(info + L(stginfo_format)),
	                                  (uint64_t)rme_i32(info + L(stginfo_ndim)),
	                                  rme_ptr(info + L(stginfo_ffi_elements)),
	                                  rme_u64(info + L(stginfo_length)));
}

/* Length of the tuple at `field` of the object. */
static uint64_t tuple_length(const struct rme_python *py, rme_addr o, int32_t field)
{
	return rme_sequence_length(py, rme_ptr(o + (uint64_t)field));
}

/* Does sys.getsizeof add the headers that the type asks for? They are those of the object,
 * not of its type, which static types do not have (Python/sysmodule.c,
 * _PySys_GetSizeOf): 3.11 and 3.12 add them all the same, and 3.13 leaves them out only
 * where the metatype is `type` itself. */
static bool has_headers(const struct rme_python *py, const struct rme_type *t, rme_addr o)
{
	if (!rme_has_headers_by_type(py))
		return rme_is_gc(py, t, o);
	if (!rme_has_headers_of_static_types_left_out(py) || t->address != py->sym.type)
		return true;
	return rme_u64(o + L(type_flags)) & RME_FLAG_HEAPTYPE;
}

uint64_t rme_size_of(struct rme_python *py, struct rme_type *t, rme_addr o)
{
	uint64_t size;

	if (t->size_by != RME_SIZEOF_KIND) {
		size = size_generic(py, t, o);
		if (t->size_by != RME_SIZEOF_OBJECT) {
			t->n_estimated++;
			t->example = o;
		}
	} else {
		switch (t->size_kind) {
		case RME_KIND_INT:
			size = size_int(py, t, o);
			break;
		case RME_KIND_STR:
			size = size_str(py, o);
			break;
		case RME_KIND_BYTEARRAY:
			size = t->basicsize + size_bytearray(py, o);
			break;
		case RME_KIND_LIST:
			size = t->basicsize + rme_probe_items(rme_ptr(o + L(list_items)),
			                                      rme_u64(o + L(list_allocated)), 8);
			break;
		case RME_KIND_DICT:
		case RME_KIND_DEFAULTDICT:
			size = size_dict(py, t, o);
			break;
		case RME_KIND_ODICT:
			size = size_odict(py, t, o);
			break;
		case RME_KIND_SET:
			size = size_set(py, t, o);
			break;
		case RME_KIND_TYPE:
			size = size_type(py, o);
			break;
		case RME_KIND_CODE:
			size = size_code(py, t, o);
			break;
		case RME_KIND_FRAME:
			size = size_frame(py, o);
			break;
		case RME_KIND_GENERATOR:
			size = size_generator(py, o);
			break;
		case RME_KIND_DEQUE:
			size = size_deque(py, t, o);
			break;
		case RME_KIND_ARRAY: {
			uint64_t itemsize;
			if (!array_itemsize(py, o, &itemsize))
				goto unknown;
			/* ob_item stands before allocated (Modules/arraymodule.c) */
			size = t->basicsize + rme_probe_items(rme_ptr(o + L(array_allocated) - 8),
			                                      rme_u64(o + L(array_allocated)),
			                                      itemsize);
			break;
		}
		case RME_KIND_SIMPLEQUEUE: /* 3.15+ (Modules/_queuemodule.c): the C structure */
			size = rme_u64(t->native + L(type_basicsize)) +
			       8 * rme_u64(o + L(simplequeue_capacity));
			break;
		case RME_KIND_STRUCT:
			size = size_struct(py, t, o);
			break;
		case RME_KIND_DECIMAL:
			size = size_decimal(py, t, o);
			break;
		case RME_KIND_BYTESIO:
			size = size_bytesio(py, t, o);
			break;
		case RME_KIND_BUFFERED:
			size = size_buffered(py, t, o);
			break;
		case RME_KIND_ELEMENT:
			size = size_element(py, t, o);
			break;
		case RME_KIND_PICKLER:
			if (!is_as_in_table(py, t, py->layout->pickler_size))
				goto unknown;
			size = size_pickler(py, t, o);
			break;
		case RME_KIND_UNPICKLER:
			if (!is_as_in_table(py, t, py->layout->unpickler_size))
				goto unknown;
			size = size_unpickler(py, t, o);
			break;
		case RME_KIND_PRODUCT:
			size = t->basicsize + 8 * tuple_length(py, o, py->layout->product_pools);
			break;
		case RME_KIND_COMBINATIONS:
			size = t->basicsize + 8 * rme_u64(o + L(combinations_r));
			break;
		case RME_KIND_CWR:
			size = t->basicsize + 8 * rme_u64(o + L(cwr_r));
			break;
		case RME_KIND_PERMUTATIONS:
			size = t->basicsize +
			       8 * tuple_length(py, o, py->layout->permutations_pool) +
			       8 * rme_u64(o + L(permutations_r));
			break;
		case RME_KIND_STGDICT:
			size = size_stgdict(py, t, o);
			break;
		case RME_KIND_CTYPE:
			size = size_ctype(py, t, o);
			break;
		case RME_KIND_NDARRAY:
			size = rme_numpy_array_size(py, t, o);
			rme_probe(rme_numpy_array_address(o), rme_numpy_array_data(o));
			break;
		case RME_KIND_NPSCALAR:
			if (!rme_numpy_scalar_size(py, t, o, &size))
				goto unknown;
			break;
		default:
		unknown:
			size = size_generic(py, t, o);
			t->n_estimated++;
			t->example = o;
		}
	}
	if (size >> RME_ADDRESS_BITS)
		rme_fault();
	return size + (has_headers(py, t, o) ? t->presize : 0);
}
