#include "cpython/allocated.h"

#include "cpython/attribute.h"
#include "cpython/dict.h"
#include "cpython/facts.h"
#include "cpython/numpy.h"
#include "cpython/object.h"
#include "cpython/size.h"

enum {
	SMALL_MAX = 512,        /* SMALL_REQUEST_THRESHOLD, Objects/obmalloc.c */
	CHUNK_MIN = 32,         /* MINSIZE, glibc's malloc.c */
	MMAP_FROM = 128 * 1024, /* DEFAULT_MMAP_THRESHOLD */
	PAGE = 4096,
	PYOBJECT_HEADER = 16,
	POOL_FREEBLOCK = 8,
	POOL_SZIDX = 36, /* struct pool_header, Objects/obmalloc.c: the same since 3.8 */
	POOL_NEXTOFFSET = 40,
	POOL_MAXNEXTOFFSET = 44,
	POOL_HEADER = 48
};

/* A block of malloc. glibc keeps its size in the word before it, flags in the low bits;
 * where that word cannot be one (another malloc), what glibc would give. */
static uint64_t malloc_block(rme_addr at, uint64_t n)
{
	uint64_t size = (n + 8 + 15) & ~15ull;

	/* Never across a page: the one before may not be there. */
	if (at && !(at & 15) && (at & (PAGE - 1))) {
		uint64_t told = rme_u64(at - 8) & ~7ull;
		if (!(told & 15) && told >= n + 8 && told <= n + n / 4 + 2 * PAGE)
			return told;
	}
	if (n >= MMAP_FROM)
		return (n + 16 + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	return size < CHUNK_MIN ? CHUNK_MIN : size;
}

/* A block of PyObject_Malloc or PyMem_Malloc; 0 bytes: none. `at` may be 0: not known. */
static uint64_t block(const struct rme_python *py, rme_addr at, uint64_t n)
{
	if (!n)
		return 0;
	return n <= SMALL_MAX && !py->no_pymalloc ? (n + 15) & ~15ull : malloc_block(at, n);
}

/* What pymalloc gave for a block of at least n bytes, by the head of its pool, whose blocks are
 * all of one size; 0: it is in no pool. For objects that may have been larger when
 * they were made. */
static uint64_t read_pool_block(const struct rme_python *py, rme_addr at, uint64_t n)
{
	const uint64_t pool_size = (uint64_t)rme_constant(py, RME_pool_size);
	rme_addr pool = at & ~(pool_size - 1);

	if (at - pool < POOL_HEADER)
		return 0;
	uint64_t size = (rme_u32(pool + POOL_SZIDX) + 1ull) * 16;
	return size >= n && size <= SMALL_MAX && (at - pool - POOL_HEADER) % size == 0 &&
	               rme_u32(pool + POOL_MAXNEXTOFFSET) == pool_size - size
	           ? size
	           : 0;
}

static uint64_t pool_block(const struct rme_python *py, rme_addr at, uint64_t n)
{
	volatile uint64_t told = 0;
	struct rme_guard guard;

	if (RME_GUARD(py->guards, &guard)) {
		told = read_pool_block(py, at, n);
		rme_guard_pop(py->guards, &guard);
	}
	return told;
}

bool rme_is_kept_block(const struct rme_python *py, rme_addr at)
{
	const uint64_t pool_size = (uint64_t)rme_constant(py, RME_pool_size);
	rme_addr pool = at & ~(pool_size - 1);
	volatile bool kept = false;
	struct rme_guard guard;

	if (!pool_block(py, at, 1) || !RME_GUARD(py->guards, &guard))
		return false;
	uint64_t most = pool_size / 16;
	rme_addr block = rme_ptr(pool + POOL_FREEBLOCK);
	while (block && block != at && most--)
		block = rme_ptr(block);
	/* Behind nextoffset no block was given out yet. */
	kept = !block && at < pool + rme_u32(pool + POOL_NEXTOFFSET);
	rme_guard_pop(py->guards, &guard);
	return kept;
}

/* _PyInlineValuesSize (3.13, pycore_object.h): head, values, insertion order. */
static uint64_t inline_values(const struct rme_python *py, const struct rme_type *t, rme_addr o)
{
	if (!HAS(values_capacity) || ~t->flags & (RME_FLAG_INLINE_VALUES | RME_FLAG_MANAGED_DICT))
		return 0;
	uint64_t n = rme_u8(o + t->basicsize + L(values_capacity));
	return ((n + 7) & ~7ull) + 8 * (n + 1);
}

/* new_values (3.11, 3.12, Objects/dictobject.c): a prefix, whose size is its last byte,
 * then the values. How many was decided when the instance was made: by now the keys
 * may have room for fewer. */
static uint64_t separate_values(const struct rme_python *py, const struct rme_type *t, rme_addr o)
{
	struct rme_instance in;
	struct rme_keys k;

	if (!t->values_before)
		return 0;
	rme_instance_read(py, o, &in);
	if (!in.values || !rme_keys_read(py, in.keys, &k))
		return 0;
	uint64_t prefix = rme_u8(in.values - 1), n = k.n_entries + k.n_usable;
	if (((n + 2 + 7) & ~7ull) != prefix)
		n = prefix - 2;
	return block(py, in.values - prefix, prefix + 8 * n);
}

static uint64_t str_blocks(const struct rme_python *py, rme_addr o, uint64_t headers,
                           uint64_t basicsize, uint64_t own_size)
{
	uint32_t state = rme_u32(o + L(str_state));
	uint64_t kind = state >> 2 & 7, length = rme_u64(o + L(str_length)), main, data = 0;
	bool compact = state >> 5 & 1, ascii = state >> 6 & 1;

	if (compact && ascii)
		main = L(str_ascii_size) + length + 1;
	else if (compact)
		main = L(str_compact_size) + (length + 1) * kind;
	else
		main = L(str_full_size);
	own_size -= headers;
	if (!compact && rme_ptr(o + L(str_data)))
		data = (length + 1) * kind;
	/* What is left of the own size is a UTF-8 or wchar_t copy. */
	uint64_t copies = own_size > main + data ? own_size - main - data : 0;
	if (!compact)
		main = headers + basicsize; /* a subclass: its fields are not in its own size */
	return block(py, o - headers, main) +
	       (data ? block(py, rme_ptr(o + L(str_data)), data) : 0) + block(py, 0, copies);
}

/* The values of a split table apart from any instance: what getsizeof counts for them are
 * the pointers alone. */
static uint64_t split_values(const struct rme_python *py, rme_addr values, uint64_t size)
{
	if (HAS(values_capacity)) { /* 3.13: head, values, insertion order */
		uint64_t n = rme_u8(values + L(values_capacity));
		return block(py, values, ((n + 7) & ~7ull) + 8 * (n + 1));
	}
	if (HAS(keys_kind)) { /* 3.11, 3.12: see separate_values */
		uint64_t prefix = rme_u8(values - 1);
		return block(py, values - prefix, prefix + size);
	}
	return block(py, values, size);
}

static uint64_t dict_blocks(const struct rme_python *py, rme_addr o, uint64_t side)
{
	rme_addr keys = rme_ptr(o + L(dict_keys)), values = rme_ptr(o + L(dict_values));
	struct rme_keys k;
	uint64_t size = 0, in_keys = 0;

	if (!rme_keys_read(py, keys, &k))
		return 0;
	if (rme_i64(keys + L(keys_refcnt)) == 1) {
		in_keys =
		    L(keys_header_size) + k.index_bytes + rme_keys_capacity(k.size) * k.entry_size;
		size = block(py, keys, in_keys);
	}
	/* Values that are embedded in an instance are in that one's block (3.13). */
	if (values && side > in_keys &&
	    !(HAS(values_embedded) && rme_u8(values + L(values_embedded))))
		size += split_values(py, values, side - in_keys);
	return size;
}

/* od_fast_nodes, and a node per entry (Objects/odictobject.c) */
static uint64_t odict_blocks(const struct rme_python *py, rme_addr o, uint64_t side)
{
	uint64_t fast = 8 * rme_u64(o + L(odict_fast_nodes_size)), nodes = 0;

	if (rme_ptr(o + L(odict_first)))
		nodes = rme_u64(o + L(dict_used));
	return dict_blocks(py, o, side - fast - nodes * L(odictnode_size)) +
	       block(py, rme_ptr(o + L(odict_fast_nodes)), fast) +
	       nodes * block(py, 0, L(odictnode_size));
}

/* What the bases of a class keep for it in their tp_subclasses (add_subclass in
 * Objects/typeobject.c): one weak reference, and its address as the key of each. Nothing
 * else leads there. A reference that others hold too is counted where they lead to it. */
static uint64_t subclass_entries(const struct rme_python *py, rme_addr o)
{
	rme_addr bases = rme_ptr(o + L(type_bases)), ref = rme_ptr(o + L(type_weaklist));
	uint64_t n = bases ? rme_sequence_length(py, bases) : 0;

	if (!ref || rme_type_of(py, ref) != py->sym.weakref || rme_ptr(ref + L(weakref_callback)) ||
	    rme_refcount(py, ref) != n)
		return 0;
	return block(py, 0, L(gc_head_size) + L(weakref_size)) +
	       n * block(py, 0, L(int_digits) + 8);
}

/* A heap type's member table follows it, with room for one more row
 * (PyType_GenericAlloc), and tp_doc is a copy. Static types are in no block. */
static uint64_t type_blocks(const struct rme_python *py, const struct rme_type *t, rme_addr o,
                            uint64_t own_size)
{
	struct rme_keys k;
	rme_addr keys, doc = rme_ptr(o + L(type_doc));
	uint64_t size;

	if (!(rme_u64(o + L(type_flags)) & RME_FLAG_HEAPTYPE))
		return own_size;
	size = block(py, o - t->presize,
	             t->presize + t->basicsize + t->itemsize * (rme_u64(o + L(var_size)) + 1));
	keys = rme_ptr(o + L(heaptype_cached_keys));
	if (keys && rme_keys_read(py, keys, &k))
		size += block(py, keys,
		              L(keys_header_size) + k.index_bytes +
		                  rme_keys_capacity(k.size) * k.entry_size);
	if (doc)
		size += block(py, doc, rme_strlen((const char *)doc) + 1);
	return size + subclass_entries(py, o);
}

/* Up to 3.9 a code object keeps the frame of its last call (zombie frame) for the next. */
static uint64_t zombie_frame(struct rme_python *py, rme_addr code)
{
	rme_addr frame = HAS(code_zombieframe) ? rme_ptr(code + L(code_zombieframe)) : 0;
	struct rme_type *t = frame ? rme_type_get(py, rme_type_of(py, frame)) : NULL;

	return t ? block(py, frame - t->presize, rme_size_of(py, t, frame)) : 0;
}

static uint64_t element_blocks(const struct rme_python *py, rme_addr o, uint64_t side)
{
	rme_addr extra = rme_ptr(o + L(element_extra));

	return extra ? block(py, extra, L(elementextra_size)) +
	                   block(py, rme_ptr(extra + L(elementextra_children)),
	                         side - L(elementextra_size))
	             : 0;
}

/* The blocks besides the object's own, of types that have a __sizeof__; `side` is what
 * that counts for them. */
static uint64_t side_blocks(struct rme_python *py, const struct rme_type *t, rme_addr o,
                            uint64_t side)
{
	switch (t->size_kind) {
	case RME_KIND_LIST:
		return block(py, rme_ptr(o + L(list_items)), side);
	case RME_KIND_SET:
		return block(py, rme_ptr(o + L(set_table)), side);
	case RME_KIND_DICT:
	case RME_KIND_DEFAULTDICT:
		return dict_blocks(py, o, side);
	case RME_KIND_ODICT:
		return odict_blocks(py, o, side);
	case RME_KIND_DEQUE:
		return side / L(block_size) *
		       block(py, rme_ptr(o + L(deque_leftblock)), L(block_size));
	case RME_KIND_ELEMENT:
		return element_blocks(py, o, side);
	case RME_KIND_NDARRAY: {
		uint64_t data = rme_numpy_array_data(o);
		return block(py, 0, side - data) +
		       (data ? malloc_block(rme_numpy_array_address(o), data) : 0);
	}
	case RME_KIND_BYTESIO:
		return block(py, rme_ptr(o + L(bytesio_buf)), side);
	default:
		return block(py, 0, side);
	}
}

/* long_subtype_new (Objects/longobject.c): an item more than there are digits. */
static uint64_t int_subclass(const struct rme_python *py, const struct rme_type *t,
                             uint64_t own_size)
{
	uint64_t fixed = t->presize + (HAS(int_tag) ? t->basicsize : L(int_digits));
	uint64_t digits = own_size > fixed ? (own_size - fixed) / t->itemsize : 1;

	return t->presize + ((t->basicsize + t->itemsize * (digits + 1) + 7) & ~7ull);
}

uint64_t rme_allocated_of(struct rme_python *py, const struct rme_type *t, rme_addr o,
                          uint64_t own_size)
{
	uint64_t headers = t->presize, main = own_size;

	if (t->is_type)
		return type_blocks(py, t, o, own_size);
	if (own_size < headers + PYOBJECT_HEADER)
		headers = 0; /* not tracked: a ≤3.10 object whose tp_is_gc says no */
	if (t->size_by != RME_SIZEOF_KIND) {
		/* Room for one more item than it has (PyType_GenericAlloc). */
		if (t->is_python && (int64_t)t->itemsize > 0)
			main = ((main + 7) & ~7ull) + t->itemsize;
		return block(py, o - headers, main + inline_values(py, t, o)) +
		       separate_values(py, t, o);
	}
	switch (t->size_kind) {
	case RME_KIND_STR:
		return str_blocks(py, o, headers, t->basicsize, own_size) +
		       separate_values(py, t, o);
	case RME_KIND_CODE:
		return block(py, o, own_size) + zombie_frame(py, o);
	case RME_KIND_INT: {
		/* A sum has a digit less than there was room for (x_add), a difference many. */
		uint64_t told = pool_block(py, o - headers, own_size);
		if (told)
			return told + separate_values(py, t, o);
		if (t->is_python)
			main = int_subclass(py, t, own_size);
		break;
	}
	case RME_KIND_FRAME:
	case RME_KIND_GENERATOR:
	case RME_KIND_NPSCALAR:
		break;
	default:
		if (own_size > headers + t->basicsize)
			main = headers + t->basicsize;
	}
	return block(py, o - headers, main + inline_values(py, t, o)) +
	       (own_size > main ? side_blocks(py, t, o, own_size - main) : 0) +
	       separate_values(py, t, o);
}

void rme_allocated_init(struct rme_python *py)
{
	struct rme_guard guard;

	if (RME_GUARD(py->guards, &guard)) {
		rme_addr modules = rme_ptr(py->interp + L(interp_modules)) - L(gc_head_size);
		py->no_pymalloc = !pool_block(py, modules, L(gc_head_size) + L(dict_size));
		rme_guard_pop(py->guards, &guard);
	}
}
