#include "query/native_map.h"

#include "cpython/arenas.h"
#include "cpython/facts.h"
#include "runtime/sort.h"

enum { MAX_ARENAS = 1 << 20, MORE_OWNERS = 1 << 16 };

static bool out_of_memory(struct rme_query_ctx *ctx)
{
	rme_error_set(&ctx->error, RME_ERROR_OUT_OF_MEMORY,
	              "not enough address space for the blocks of native memory; is there a limit "
	              "on the virtual memory of the process?");
	return false;
}

static int by_start(const void *x, const void *y)
{
	const struct rme_range *a = x, *b = y;

	return a->start < b->start ? -1 : a->start > b->start;
}

static bool find_arenas(struct rme_native_map *m)
{
	struct rme_arena *arena = m->ctx->arena;

	m->arenas = rme_arena_alloc(arena, MAX_ARENAS * sizeof *m->arenas);
	if (!m->arenas)
		return out_of_memory(m->ctx);
	m->pools.pool_size = (uint64_t)rme_constant(&m->ctx->py, RME_pool_size);
	m->n_arenas = rme_arenas_list(&m->ctx->py, m->arenas, MAX_ARENAS);
	if (!m->n_arenas)
		m->n_arenas =
		    rme_pools_find_arenas(&m->mappings, m->ctx->py.sym.runtime, m->pools.pool_size,
		                          m->ctx->guards, m->arenas, MAX_ARENAS);
	rme_arena_trim(arena, m->arenas, m->n_arenas * sizeof *m->arenas);
	rme_sort(m->arenas, m->n_arenas, sizeof *m->arenas, by_start);
	m->pools.arenas = m->arenas;
	m->pools.n_arenas = m->n_arenas;
	return true;
}

/* What is collected of the small blocks: those that hold no object. */
struct small {
	const struct rme_index *index;
	struct rme_native_block *items;
	uint64_t n, max;
};

static void add_small(void *arg, rme_addr at, uint64_t size)
{
	enum {
		DEEPEST = 32
	}; /* an object stands behind a collector's head, and a dict's before it */
	struct small *s = arg;

	for (rme_addr a = at; a <= at + DEEPEST && a < at + size; a += 16)
		if (rme_index_node(s->index, a) != RME_NO_NODE)
			return;
	if (s->n < s->max)
		s->items[s->n++] = (struct rme_native_block){at, size | RME_BLOCK_SMALL};
}

static bool find_blocks(struct rme_native_map *m)
{
	struct rme_query_ctx *ctx = m->ctx;
	struct small small = {.index = &m->index};
	uint8_t *scratch = rme_arena_alloc(ctx->arena, RME_POOL_SCRATCH);

	m->has_malloc = rme_malloc_init(&m->malloc, &m->mappings, m->arenas, m->n_arenas,
	                                ctx->arena, ctx->guards);
	small.max = rme_arena_left(ctx->arena) / 4 / sizeof *small.items;
	small.items = rme_arena_alloc(ctx->arena, small.max * sizeof *small.items);
	if (!scratch || !small.items)
		return out_of_memory(ctx);
	rme_pools_each(&m->pools, ctx->guards, scratch, add_small, &small);
	rme_arena_trim(ctx->arena, small.items, small.n * sizeof *small.items);
	if (!rme_blocks_init(&m->blocks, m->malloc.blocks, m->malloc.n_blocks, small.items, small.n,
	                     ctx->arena, ctx->guards))
		return out_of_memory(ctx);
	m->blocks.cancel = &ctx->block->cancel;
	return true;
}

/* The objects in ascending order: their blocks first, then what each points to. */
struct objects {
	struct rme_native_map *m;
	struct rme_index_iter it;
	uint64_t arena; /* the one that the next object may lie in */
};

static bool in_arena(struct objects *s, rme_addr object)
{
	const struct rme_native_map *m = s->m;

	while (s->arena < m->n_arenas && m->arenas[s->arena].end <= object)
		s->arena++;
	return s->arena < m->n_arenas && m->arenas[s->arena].start <= object;
}

static void mark_objects(struct rme_native_map *m)
{
	struct objects s = {.m = m};
	rme_addr object;

	while (rme_index_next(&m->index, &s.it, &object))
		if (!in_arena(&s, object))
			rme_blocks_mark_object(&m->blocks, object);
}

/* Instances of these have nothing but references to objects, or bytes. */
static bool has_no_pointers(const struct rme_type *t)
{
	switch (t->kind) {
	case RME_KIND_OBJECT:
	case RME_KIND_INT:
	case RME_KIND_BYTES:
	case RME_KIND_TUPLE:
	case RME_KIND_STRUCTSEQ:
	case RME_KIND_METHOD:
	case RME_KIND_CELL:
	case RME_KIND_EXCEPTION:
	case RME_KIND_TRACEBACK:
	case RME_KIND_RANGE:
	case RME_KIND_PROPERTY:
	case RME_KIND_WEAKREF:
		return t->exact || t->is_python;
	default:
		return false;
	}
}

/* What of an object's bytes lies elsewhere, in blocks of its own. */
static struct rme_covered covered_by(struct rme_python *py, struct rme_type *t, rme_addr object)
{
	uint64_t own = rme_size_of(py, t, object);
	uint64_t all = rme_allocated_of(py, t, object, own), here = t->presize + t->basicsize;
	struct rme_covered covered = {all > here ? all - here : 0, false};

	switch (t->kind) {
	case RME_KIND_OBJECT:
	case RME_KIND_LIST:
	case RME_KIND_DICT:
	case RME_KIND_DEFAULTDICT:
	case RME_KIND_SET:
	case RME_KIND_STR:
	case RME_KIND_BYTEARRAY:
	case RME_KIND_ARRAY:
	case RME_KIND_NDARRAY:
		covered.known = true;
		break;
	default:
		break;
	}
	return covered;
}

/* How many bytes of the object may hold pointers: a string's text holds none. */
static uint64_t bytes_of_pointers(const struct rme_python *py, const struct rme_type *t,
                                  rme_addr object)
{
	const struct rme_layout *l = py->layout;

	if (has_no_pointers(t))
		return 0;
	if (t->kind != RME_KIND_STR || !t->exact)
		return t->basicsize;
	uint32_t state = rme_u32(object + (uint64_t)l->str_state);
	if (!(state >> 5 & 1))
		return (uint64_t)l->str_full_size;
	return state >> 6 & 1 ? 0 : (uint64_t)l->str_compact_size;
}

static void scan_object(struct rme_native_map *m, rme_addr object)
{
	struct rme_python *py = &m->ctx->py;
	struct rme_type *t = rme_type_get(py, rme_type_of(py, object));
	uint64_t n;

	if (!t || t->number >= m->n_types)
		return;
	n = bytes_of_pointers(py, t, object);
	if (n || t->values_before)
		rme_blocks_scan(&m->blocks, object - t->values_before, object + n,
		                t->number + RME_OWNER_FIRST, covered_by(py, t, object), false);
}

/* Types and modules come last: their memory points to much that others own. */
static bool is_late(struct rme_native_map *m, rme_addr object)
{
	struct rme_type *t = rme_type_get(&m->ctx->py, rme_type_of(&m->ctx->py, object));

	return t && (t->is_type || t->kind == RME_KIND_MODULE || t->kind == RME_KIND_CFUNCTION);
}

static void scan_objects(struct rme_native_map *m, bool late)
{
	struct objects *s = rme_arena_alloc(m->ctx->arena, sizeof *s);
	struct rme_guard guard;
	bool done = !s;

	if (s)
		s->m = m;
	while (!done && !m->ctx->block->cancel) {
		rme_addr object;
		if (!RME_GUARD(m->ctx->guards, &guard))
			continue; /* a damaged object: the walk has told */
		while (rme_index_next(&m->index, &s->it, &object) && !m->ctx->block->cancel)
			if (is_late(m, object) == late)
				scan_object(m, object);
		done = true;
		rme_guard_pop(m->ctx->guards, &guard);
	}
}

static uint32_t add_owner(struct rme_native_map *m, struct rme_native_owner owner)
{
	/* The last ones share a number. */
	if (m->n_owners == m->max_owners)
		return m->n_owners - 1;
	m->owners[m->n_owners] = owner;
	return m->n_owners++;
}

static const char *name_of(const struct rme_native_map *m, const struct rme_vma *mapping)
{
	const struct rme_request *r = m->ctx->request;

	return mapping->name < r->names.count ? (const char *)r + r->names.offset + mapping->name
	                                      : "";
}

/* Scans memory but for that of blocks, which are scanned where they are reached. */
static void scan_around_blocks(struct rme_native_map *m, rme_addr at, rme_addr end, uint32_t owner)
{
	uint64_t arena = 0, region = 0;

	while (at < end) {
		rme_addr to = end, next = end;
		while (arena < m->n_arenas && m->arenas[arena].end <= at)
			arena++;
		while (region < m->malloc.n_regions && m->malloc.regions[region].end <= at)
			region++;
		if (arena < m->n_arenas && m->arenas[arena].start < to) {
			to = m->arenas[arena].start;
			next = m->arenas[arena].end;
		}
		if (region < m->malloc.n_regions && m->malloc.regions[region].from < to) {
			to = m->malloc.regions[region].from;
			next = m->malloc.regions[region].end;
		}
		if (to > at)
			rme_blocks_scan(&m->blocks, at, to, owner, (struct rme_covered){0}, false);
		at = next;
	}
}

/* The writable data of files, and what follows it as zeros. */
static void scan_libraries(struct rme_native_map *m)
{
	const struct rme_vma *last = NULL; /* of a file */
	uint32_t owner = 0;

	for (uint64_t i = 0; i < m->mappings.n; i++) {
		const struct rme_vma *mapping = &m->mappings.items[i];
		bool is_file = mapping->flags & RME_VMA_FILE;
		bool follows = last && last->end == mapping->start;
		if (is_file && !(last && name_of(m, last) == name_of(m, mapping) && owner))
			owner = 0;
		if ((is_file || follows) && rme_mapping_is_data(mapping) &&
		    !(mapping->flags & RME_VMA_SHARED)) {
			const char *name = name_of(m, is_file ? mapping : last);
			if (!owner)
				owner = add_owner(m, (struct rme_native_owner){
							 .kind = RME_NATIVE_LIBRARY, .name = name});
			scan_around_blocks(m, mapping->start, mapping->end, owner);
		}
		last = is_file ? mapping : NULL;
	}
}

/* Each thread's stack, from its stack pointer up. */
static void scan_stacks(struct rme_native_map *m)
{
	enum { RED_ZONE = 128 };
	const struct rme_request *r = m->ctx->request;
	const struct rme_thread *threads = (const void *)((const char *)r + r->threads.offset);

	for (uint32_t i = 0; i < r->threads.count; i++) {
		rme_addr sp = threads[i].stack_pointer ? threads[i].stack_pointer - RED_ZONE
		                                       : threads[i].thread_pointer;
		const struct rme_vma *stack = rme_mappings_find(&m->mappings, sp);
		uint32_t owner;
		if (!sp || !stack || !rme_mapping_is_data(stack))
			continue;
		owner = add_owner(m, (struct rme_native_owner){.kind = RME_NATIVE_THREAD,
		                                               .number = threads[i].number});
		rme_blocks_scan(&m->blocks, threads[i].stack_pointer ? sp : stack->start,
		                stack->end, owner, (struct rme_covered){0}, true);
	}
}

static bool is_stack(const struct rme_native_map *m, const struct rme_vma *mapping)
{
	const struct rme_request *r = m->ctx->request;
	const struct rme_thread *threads = (const void *)((const char *)r + r->threads.offset);

	if (mapping->flags & RME_VMA_STACK)
		return true;
	for (uint32_t i = 0; i < r->threads.count; i++)
		if (threads[i].stack_pointer >= mapping->start &&
		    threads[i].stack_pointer < mapping->end)
			return true;
	return false;
}

/* Whatever else can be written: who knows what holds blocks there. */
static void scan_rest(struct rme_native_map *m)
{
	uint32_t owner = add_owner(m, (struct rme_native_owner){.kind = RME_NATIVE_MEMORY});

	for (uint64_t i = 0; i < m->mappings.n; i++) {
		const struct rme_vma *mapping = &m->mappings.items[i];
		bool follows = i && m->mappings.items[i - 1].flags & RME_VMA_FILE &&
		               m->mappings.items[i - 1].end == mapping->start;
		if (!rme_mapping_is_data(mapping) || follows || is_stack(m, mapping) ||
		    (mapping->flags & RME_VMA_FILE && !(mapping->flags & RME_VMA_SHARED)))
			continue;
		scan_around_blocks(m, mapping->start, mapping->end, owner);
	}
}

static void list_type(void *arg, struct rme_type *t)
{
	struct rme_native_map *m = arg;

	m->owners[t->number + RME_OWNER_FIRST] =
	    (struct rme_native_owner){.kind = RME_NATIVE_TYPE, .type = t};
}

static bool make_owners(struct rme_native_map *m)
{
	struct rme_query_ctx *ctx = m->ctx;

	m->n_types = (uint32_t)ctx->py.types->n_used;
	m->max_owners = m->n_types + RME_OWNER_FIRST + MORE_OWNERS;
	m->owners = rme_arena_alloc(ctx->arena, m->max_owners * sizeof *m->owners);
	if (!m->owners)
		return out_of_memory(ctx);
	m->n_owners = m->n_types + RME_OWNER_FIRST;
	m->owners[RME_OWNER_INTERIOR].kind = RME_NATIVE_INTERIOR;
	rme_types_each(&ctx->py, list_type, m);
	return true;
}

static void add_up(struct rme_native_map *m)
{
	for (uint64_t i = 0; i < m->blocks.n; i++) {
		const struct rme_native_block *block = &m->blocks.items[i];
		uint64_t usable = rme_block_usable(block);
		uint32_t number = m->blocks.owner[i];
		if (number >= RME_OWNER_COVERED) {
			m->n_object_blocks++;
			m->object_bytes += usable;
			continue;
		}
		struct rme_native_owner *owner = &m->owners[number];
		owner->n_blocks++;
		owner->bytes += usable;
		if (usable > owner->largest) {
			owner->largest = usable;
			owner->example = block->at;
		}
	}
}

/* What the figures lack. */
static void note_doubts(struct rme_native_map *m)
{
	struct rme_native_doubts *d = &m->ctx->doubts.native;
	const struct rme_malloc *malloc = &m->malloc;

	*d = (struct rme_native_doubts){.n_damaged = malloc->n_damaged + m->pools.n_damaged,
	                                .damaged = malloc->damaged,
	                                .no_arenas = !m->n_arenas,
	                                .exhausted = malloc->exhausted};
	for (uint32_t i = 0; i < malloc->n_arenas; i++)
		if (malloc->arenas[i].system_bytes > malloc->arenas[i].walked_bytes)
			d->n_bytes_lost +=
			    malloc->arenas[i].system_bytes - malloc->arenas[i].walked_bytes;
	if (malloc->n_mapped_expected > (int64_t)malloc->n_mapped)
		d->n_mapped_lost = (uint64_t)malloc->n_mapped_expected - malloc->n_mapped;
}

struct rme_type *rme_native_map_object(struct rme_native_map *m,
                                       const struct rme_native_block *block)
{
	enum { DEEPEST = 32, REFCOUNT_MAX = 1 << 30 };
	struct rme_python *py = &m->ctx->py;
	struct rme_type *volatile found = NULL;
	struct rme_guard guard;

	if (!RME_GUARD(py->guards, &guard))
		return NULL;
	for (rme_addr at = block->at; !found && at <= block->at + DEEPEST; at += 16) {
		int64_t count = rme_i64(at + (uint64_t)py->layout->object_refcnt);
		if (count <= 0 || count > REFCOUNT_MAX || !rme_is_object(py, at))
			continue;
		struct rme_type *t = rme_type_get(py, rme_type_of(py, at));
		if (t && at - block->at + t->basicsize <= rme_block_usable(block) &&
		    at - block->at == (t->gc ? t->presize : 0))
			found = t;
	}
	rme_guard_pop(py->guards, &guard);
	return found;
}

bool rme_native_map_init(struct rme_native_map *m, struct rme_query_ctx *ctx)
{
	const struct rme_request *r = ctx->request;

	memset(m, 0, sizeof *m);
	m->ctx = ctx;
	m->mappings = (struct rme_mappings){(const void *)((const char *)r + r->mappings.offset),
	                                    r->mappings.count};
	if (!rme_whole_init(&m->whole, ctx, &m->index) || !rme_whole_walk(&m->whole))
		return false;
	rme_allocated_init(&ctx->py);
	if (!rme_index_build(&m->index))
		return out_of_memory(ctx);
	if (!find_arenas(m) || !find_blocks(m) || !make_owners(m))
		return false;
	mark_objects(m);
	scan_objects(m, false);
	scan_objects(m, true);
	scan_libraries(m);
	scan_stacks(m);
	scan_rest(m);
	rme_blocks_finish(&m->blocks);
	add_up(m);
	note_doubts(m);
	return !ctx->block->cancel;
}
