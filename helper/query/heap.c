#include "cpython/dict.h"
#include "cpython/fast.h"
#include "cpython/mapping.h"
#include "graph/walk.h"
#include "query/query.h"
#include "runtime/sort.h"

enum {
	MAX_NAMESPACES = 1 << 20,
	PAIR_FROM = 32768, /* objects: below, a second thread costs more than it gives */
};

static bool is_forced(const struct rme_query_ctx *ctx, rme_addr object)
{
	for (uint32_t i = 0; i < ctx->n_forced; i++)
		if (ctx->forced[i] == object)
			return true;
	return false;
}

/* The type of the object, and a word to the cache about what hangs on it. */
static inline __attribute__((always_inline)) uint64_t prepare(void *arg, rme_addr object)
{
	struct rme_query_ctx *ctx = arg;
	struct rme_python *py = &ctx->py;
	const struct rme_layout *l = py->layout;
	struct rme_type *t = rme_type_get(py, rme_type_of(py, object));
	rme_addr next = 0;

	if (!t)
		return 0;
	if (t->kind == RME_KIND_DICT)
		next = rme_ptr(object + (uint64_t)l->dict_keys);
	else if (t->kind == RME_KIND_LIST)
		next = rme_ptr(object + (uint64_t)l->list_items);
	else if (t->values_before)
		next = rme_ptr(object - t->values_before);
	if (next) {
		__builtin_prefetch((const void *)next);
		__builtin_prefetch((const void *)(next + 64));
	}
	return (uint64_t)t;
}

static inline __attribute__((always_inline)) enum rme_node expand(void *arg, rme_addr object,
                                                                  uint64_t cookie, bool deferred,
                                                                  const struct rme_sink *sink,
                                                                  uint64_t *size)
{
	struct rme_query_ctx *ctx = arg;
	struct rme_python *py = &ctx->py;
	struct rme_type *t = (struct rme_type *)cookie;

	if (!rme_heap_sound(ctx, object, &t))
		return RME_NODE_OUTSIDE;
	if (!rme_fast(py, t, object, ctx->owned, sink, size)) {
		if (t->kind == RME_KIND_MODULE && !is_forced(ctx, object))
			return RME_NODE_OUTSIDE;
		if (!deferred && (t->is_type || t->kind == RME_KIND_CODE) &&
		    !is_forced(ctx, object))
			return RME_NODE_DEFERRED;
		*size = rme_size_of(py, t, object);
		if (!t->leaf)
			rme_refs_of(py, t, object, ctx->owned, sink);
		if (__builtin_expect(t->kind == RME_KIND_MMAP, 0))
			rme_heap_mapping(ctx, object);
	}
	if (__builtin_expect(ctx->allocated, 0))
		ctx->walk.n_second += rme_allocated_of(py, t, object, *size);
	return RME_NODE_COUNTED;
}

static void rounds(struct rme_walk *w, bool deferred)
{
	rme_walk_rounds(w, deferred, prepare, expand);
}

/* Expanding the object faulted, or it is no address at all. */
static void faulted(void *arg, rme_addr object)
{
	struct rme_query_ctx *ctx = arg;
	struct rme_guard guard;
	struct rme_type *volatile t = NULL;
	int signal = ctx->guards->signal;

	ctx->guards->signal = 0;
	if (rme_is_address(object) && RME_GUARD(ctx->guards, &guard)) {
		t = rme_type_get(&ctx->py, rme_type_of(&ctx->py, object));
		rme_guard_pop(ctx->guards, &guard);
	}
	if (t) {
		t->n_faults++;
		t->example = object;
		t->calls |= signal == RME_GUARD_CALL;
		if (signal == RME_GUARD_SLOW) {
			t->slow = true;
			t->fast = RME_FAST_NONE;
		}
	} else {
		ctx->doubts.n_corrupt++;
		ctx->doubts.corrupt = object;
	}
}

static void add_namespace(struct rme_query_ctx *ctx, rme_addr dict)
{
	if (dict && ctx->n_namespaces == MAX_NAMESPACES)
		ctx->n_no_room++;
	else if (dict)
		ctx->namespaces[ctx->n_namespaces++] = dict;
}

/* The namespaces of an interpreter: of the modules in its sys.modules, and builtins. */
static void add_namespaces(struct rme_query_ctx *ctx, rme_addr interp)
{
	const struct rme_layout *l = ctx->py.layout;
	rme_addr modules = rme_ptr(interp + (uint64_t)l->interp_modules);
	struct rme_dict_iter it = {0};

	add_namespace(ctx, rme_ptr(interp + (uint64_t)l->interp_builtins));
	while (modules && rme_dict_next(&ctx->py, modules, &it)) {
		struct rme_type *t = rme_type_get(&ctx->py, rme_type_of(&ctx->py, it.value));
		if (t && t->kind == RME_KIND_MODULE)
			add_namespace(ctx, rme_ptr(it.value + (uint64_t)l->module_dict));
	}
}

static void find_namespaces(struct rme_query_ctx *ctx)
{
	const struct rme_layout *l = ctx->py.layout;
	rme_addr interp = rme_ptr(ctx->py.sym.runtime + (uint64_t)l->runtime_interpreters_head);

	for (int i = 0; interp && i < 10000; i++) {
		add_namespaces(ctx, interp);
		interp = rme_ptr(interp + (uint64_t)l->interp_next);
	}
}

bool rme_heap_init(struct rme_query_ctx *ctx)
{
	struct rme_guard guard;

	ctx->namespaces = rme_arena_alloc(ctx->arena, MAX_NAMESPACES * sizeof(rme_addr));
	if (!ctx->namespaces ||
	    !rme_walk_init(&ctx->walk, ctx->arena, ctx->guards, prepare, expand, ctx)) {
		rme_error_set(&ctx->error, RME_ERROR_OUT_OF_MEMORY,
		              "not enough address space for the walk; is there a limit on the "
		              "virtual memory of the process?");
		return false;
	}
	ctx->walk.rounds = rounds;
	ctx->walk.faulted = faulted;
	ctx->walk.cancel = &ctx->block->cancel;
	ctx->walk.progress = &ctx->block->progress_objects;
	if (RME_GUARD(ctx->guards, &guard)) {
		find_namespaces(ctx);
		rme_guard_pop(ctx->guards, &guard);
	}
	rme_addresses_sort(ctx->namespaces, ctx->n_namespaces);
	return true;
}

void rme_heap_remark(struct rme_query_ctx *ctx)
{
	for (uint64_t i = 0; i < ctx->n_namespaces; i++)
		if (ctx->namespaces[i] < RME_ADDRESS_END)
			rme_visited_mark(&ctx->walk.visited, ctx->namespaces[i]);
}

void rme_heap_begin(struct rme_query_ctx *ctx)
{
	rme_walk_clear(&ctx->walk);
	ctx->n_forced = 0;
	rme_heap_remark(ctx);
}

void rme_heap_root(struct rme_query_ctx *ctx, rme_addr object, bool asked)
{
	if (asked && ctx->n_forced < RME_MAX_FORCED) {
		struct rme_python *py = &ctx->py;
		struct rme_type *t = rme_type_get(py, rme_type_of(py, object));
		if (is_forced(ctx, object))
			return; /* named twice */
		ctx->forced[ctx->n_forced++] = object;
		rme_visited_remove(&ctx->walk.visited, object);
		/* A module that was asked for shows its namespace. */
		if (t && t->kind == RME_KIND_MODULE) {
			rme_addr dict = rme_ptr(object + (uint64_t)py->layout->module_dict);
			if (!is_forced(ctx, dict))
				rme_visited_remove(&ctx->walk.visited, dict);
		}
	}
	rme_walk_root(&ctx->walk, object);
}

static int root_local(void *arg, rme_addr name, rme_addr value)
{
	(void)name;
	rme_heap_root(arg, value, false);
	return 0;
}

void rme_heap_root_frame(struct rme_query_ctx *ctx, const struct rme_frame *frame)
{
	struct rme_guard guard;

	if (RME_GUARD(ctx->guards, &guard)) {
		rme_locals_each(&ctx->py, frame, root_local, ctx);
		rme_guard_pop(ctx->guards, &guard);
	}
}

void rme_heap_measure(struct rme_query_ctx *ctx, struct rme_size *ret)
{
	struct rme_walk *w = &ctx->walk;

	w->pause_at = ctx->threads ? PAIR_FROM : 0;
	rme_walk_first(w);
	if (w->paused)
		rme_heap_pair(ctx);
	w->pause_at = 0;
	if (ctx->classes)
		rme_walk_rest(w);
	*ret = (struct rme_size){w->n_bytes, w->n_objects, w->n_bytes_first, w->n_second};
}

bool rme_heap_inside(struct rme_query_ctx *ctx, rme_addr object)
{
	struct rme_guard guard;
	struct rme_type *volatile t = NULL;

	if (!rme_is_address(object))
		return false;
	if (RME_GUARD(ctx->guards, &guard)) {
		t = rme_type_get(&ctx->py, rme_type_of(&ctx->py, object));
		rme_guard_pop(ctx->guards, &guard);
	}
	if (!t || t->kind == RME_KIND_MODULE ||
	    (!ctx->classes && (t->is_type || t->kind == RME_KIND_CODE)))
		return false;
	return !rme_addresses_have(ctx->namespaces, ctx->n_namespaces, object);
}

void rme_heap_mapping(struct rme_query_ctx *ctx, rme_addr object)
{
	struct rme_mapped *m = &ctx->doubts.mapped;
	struct rme_mapping mapping;

	if (!rme_mapping_read(&ctx->py, object, &mapping))
		return;
	if (mapping.anonymous) {
		m->n_anonymous++;
		m->anonymous_bytes += mapping.bytes;
		m->anonymous = object;
	} else {
		m->n_files++;
		m->file_bytes += mapping.bytes;
		m->file = object;
	}
}

static void reset_type(void *arg, struct rme_type *t)
{
	(void)arg;
	t->n_estimated = t->n_inferred = t->n_faults = 0;
}

void rme_heap_reset_doubts(struct rme_query_ctx *ctx)
{
	ctx->doubts = (struct rme_doubts){0};
	rme_types_each(&ctx->py, reset_type, NULL);
}
