#include "query/whole.h"

#include "cpython/facts.h"
#include "cpython/fast.h"
#include "cpython/holds.h"
#include "graph/walk.h"

enum { MAX_ROOTS = 1 << 24, MAX_WORDS = 1 << 20 };

/* Only what is immortal stays because it is interned (3.12+). */
static void interned_strings(struct rme_whole *w, const struct rme_sink *sink)
{
	struct rme_python *py = &w->ctx->py;
	struct rme_dict_iter it = {0};

	while (rme_dict_next(py, w->interned, &it))
		if (rme_is_immortal(py, it.key))
			rme_sink_visit(sink, it.key);
}

static inline __attribute__((always_inline)) enum rme_node expand(void *arg, rme_addr object,
                                                                  uint64_t cookie, bool deferred,
                                                                  const struct rme_sink *sink,
                                                                  uint64_t *size)
{
	struct rme_query_ctx *ctx = arg;
	struct rme_whole *w = ctx->whole;
	struct rme_type *t = (struct rme_type *)cookie;

	(void)deferred;
	if (w->index && !w->again)
		rme_index_note(w->index, object);
	if (!rme_heap_sound(ctx, object, &t))
		return RME_NODE_OUTSIDE;
	if (__builtin_expect(object == w->interned, 0)) {
		*size = rme_size_of(&ctx->py, t, object);
		interned_strings(w, sink);
	} else if (!rme_fast(&ctx->py, t, object, true, sink, size)) {
		*size = rme_size_of(&ctx->py, t, object);
		rme_holds(&ctx->py, t, object, sink);
	}
	if (__builtin_expect(t->kind == RME_KIND_MMAP, 0))
		rme_heap_mapping(ctx, object); /* as doubts are: of the last pass */
	if (!w->again) {
		t->n_objects++;
		t->n_bytes += *size;
		if (w->counted)
			w->counted(w->arg, t, object, *size);
	}
	return RME_NODE_COUNTED;
}

static void rounds(struct rme_walk *w, bool deferred)
{
	const struct rme_query_ctx *ctx = w->ctx;

	rme_walk_rounds(w, deferred, ctx->walk.prepare, expand);
}

static void add_root(void *arg, const struct rme_root *root)
{
	struct rme_whole *w = arg;

	if (!rme_is_address(root->object))
		return;
	if (root->kind == RME_ROOT_STACK) {
		if (w->n_words < MAX_WORDS)
			w->words[w->n_words++] = *root;
		else
			w->ctx->n_no_room++;
		return;
	}
	if (w->n_roots == w->max_roots) {
		w->ctx->n_no_room++;
		return;
	}
	if (root->kind == RME_ROOT_INTERPRETER && !root->interp_id &&
	    w->ctx->py.layout->interp_interned != RME_ABSENT &&
	    root->object ==
	        rme_ptr(w->ctx->py.interp + (uint64_t)w->ctx->py.layout->interp_interned))
		w->interned = root->object;
	w->roots[w->n_roots++] = *root;
}

static void attach(struct rme_whole *w, struct rme_query_ctx *ctx)
{
	w->ctx = ctx;
	ctx->whole = w;
	/* Whatever is set for sizes: what keeps an object alive is all that holds it. */
	ctx->owned = ctx->classes = true;
}

void rme_whole_resume(struct rme_whole *w, struct rme_query_ctx *ctx)
{
	attach(w, ctx);
	w->walk.cancel = ctx->walk.cancel;
}

bool rme_whole_init(struct rme_whole *w, struct rme_query_ctx *ctx, struct rme_index *index)
{
	memset(w, 0, sizeof *w);
	attach(w, ctx);
	w->index = index;
	w->max_roots = MAX_ROOTS;
	w->roots = rme_arena_alloc(ctx->arena, w->max_roots * sizeof *w->roots);
	w->words = rme_arena_alloc(ctx->arena, MAX_WORDS * sizeof *w->words);
	if (!w->roots || !w->words ||
	    !rme_walk_init(&w->walk, ctx->arena, ctx->guards, ctx->walk.prepare, expand, ctx) ||
	    (index && !rme_index_init(index, &w->walk.visited, ctx->arena))) {
		rme_error_set(
		    &ctx->error, RME_ERROR_OUT_OF_MEMORY,
		    "not enough address space to look at the whole heap; is there a limit "
		    "on the virtual memory of the process?");
		return false;
	}
	w->walk.rounds = rounds;
	w->walk.faulted = ctx->walk.faulted;
	w->walk.cancel = ctx->walk.cancel;
	w->walk.progress = ctx->walk.progress;
	rme_roots_each(&ctx->py, add_root, w);
	return true;
}

static void add_type(void *arg, struct rme_type *t)
{
	struct rme_whole *w = arg;
	struct rme_root root = {.object = t->address, .line = -1, .kind = RME_ROOT_TYPE};

	if (!(t->flags & RME_FLAG_HEAPTYPE) && !rme_visited_has(&w->walk.visited, t->address))
		add_root(w, &root);
}

/* Nobody but its instances refers to many a static type. 3.12+ lists all there are. */
static void add_static_types(struct rme_whole *w)
{
	enum { MAX_BUILTINS = 200 }; /* _Py_MAX_STATIC_BUILTIN_TYPES */
	struct rme_python *py = &w->ctx->py;
	const struct rme_layout *l = py->layout;
	struct rme_guard guard;

	rme_types_each(py, add_type, w);
	if (l->interp_static_types_builtins == RME_ABSENT || !RME_GUARD(py->guards, &guard))
		return;
	for (uint64_t i = 0; i < MAX_BUILTINS; i++) {
		rme_addr type =
		    rme_ptr(py->interp + (uint64_t)l->interp_static_types_builtins +
		            i * (uint64_t)l->statictype_size + (uint64_t)l->statictype_type);
		struct rme_type *t = type ? rme_type_get(py, type) : NULL;
		if (t)
			add_type(w, t);
	}
	rme_guard_pop(py->guards, &guard);
}

static void add_object(void *arg, rme_addr object)
{
	struct rme_whole *w = arg;

	if (!rme_visited_has(&w->walk.visited, object))
		rme_walk_root(&w->walk, object);
}

bool rme_whole_walk(struct rme_whole *w)
{
	struct rme_query_ctx *ctx = w->ctx;
	uint64_t n = 0;

	do {
		for (; n < w->n_roots; n++)
			rme_walk_root(&w->walk, w->roots[n].object);
		rme_walk_first(&w->walk);
		add_static_types(w);
	} while (n < w->n_roots && !w->walk.cancelled);
	ctx->lists = rme_collector_each(&ctx->py, add_object, w);
	rme_walk_first(&w->walk);
	ctx->walk.exhausted |= w->walk.exhausted;
	return !w->walk.cancelled;
}
