#include "query/heap_graph.h"

#include "cpython/facts.h"
#include "runtime/sys.h"

enum { BATCH = 32, CHECK_EVERY = 1 << 14 };

/* Types are found anew by each question, with tallies of its own: these are the walk's. */
struct rme_type_met {
	rme_addr address, example;
	uint64_t n_objects, n_bytes, n_estimated, n_inferred, n_faults;
	bool slow, calls;
};

/* The second pass over the objects, in ascending order of address: for that, most of
 * memory comes by itself, and the tables of the index stay in the cache. */
struct build {
	struct rme_heap_graph *g;
	struct rme_query_ctx *ctx;
	uint32_t *to;
	uint64_t n_edges, max_edges;
	uint32_t *refcounts; /* of the nodes; RME_NO_NODE: immortal */
	struct rme_index_iter it;
	uint32_t node; /* the one at work */
	rme_addr batch[BATCH];
	uint64_t cookies[BATCH];
	uint32_t n_batch, at;
	bool preparing, full;
};

/* The walk follows what can be an address. */
static __attribute__((noinline, cold)) void not_a_node(struct build *b, rme_addr object)
{
	struct rme_doubts *d = &b->ctx->doubts;

	if (!(object & 7) && object >= 4096 && !(object >> RME_ADDRESS_BITS))
		return;
	d->n_corrupt++;
	d->corrupt = object;
	d->corrupt_holder = b->batch[b->at];
}

static inline void add_edge(struct build *b, rme_addr object)
{
	uint32_t node = rme_index_node(&b->g->index, object);

	if (__builtin_expect(node == RME_NO_NODE, 0)) {
		not_a_node(b, object);
		return;
	}
	if (b->n_edges == b->max_edges) {
		b->full = true;
		return;
	}
	b->to[b->n_edges++] = node;
}

static int on_reference(void *object, void *arg)
{
	if (object)
		add_edge(arg, (rme_addr)object);
	return 0;
}

static void on_range(void *arg, rme_addr first, uint64_t count, uint64_t stride)
{
	for (; count; count--, first += stride) {
		rme_addr object = rme_ptr(first);
		if (object)
			add_edge(arg, object);
	}
}

static bool out_of_memory(struct rme_query_ctx *ctx)
{
	rme_error_set(&ctx->error, RME_ERROR_OUT_OF_MEMORY,
	              "not enough address space for the graph of the heap; is there a limit on the "
	              "virtual memory of the process?");
	return false;
}

static void set_size(struct build *b, uint64_t size)
{
	struct rme_heap_graph *g = b->g;

	if (size < RME_NO_NODE) {
		g->size[b->node] = (uint32_t)size;
	} else if (g->n_big < RME_MAX_BIG) {
		g->size[b->node] = RME_NO_NODE;
		g->big[g->n_big++] = (struct rme_big){b->node, size};
	} else {
		g->size[b->node] = RME_NO_NODE - 1;
		b->ctx->n_no_room++;
	}
}

static void set_type(struct build *b, const struct rme_type *t)
{
	b->g->type[b->node] = t && t->number < RME_NO_TYPE ? (uint16_t)t->number : RME_NO_TYPE;
}

static void expand(struct build *b, rme_addr object, uint64_t cookie, const struct rme_sink *sink)
{
	struct rme_query_ctx *ctx = b->ctx;
	struct rme_python *py = &ctx->py;
	struct rme_walk *w = &b->g->whole.walk;
	uint64_t size = 0, refcount;

	if (w->expand(ctx, object, cookie, true, sink, &size) != RME_NODE_COUNTED)
		return;
	set_size(b, size);
	set_type(b, cookie ? (const struct rme_type *)cookie
	                   : rme_type_get(py, rme_type_of(py, object)));
	refcount = rme_refcount(py, object);
	if (rme_is_immortal(py, object))
		b->refcounts[b->node] = RME_NO_NODE;
	else
		b->refcounts[b->node] = refcount < INT32_MAX ? (uint32_t)refcount : INT32_MAX;
}

/* Fetches the next nodes, so that their memory is there when they are worked on. */
static bool next_batch(struct build *b)
{
	struct rme_walk *w = &b->g->whole.walk;

	b->n_batch = 0;
	b->at = 0;
	while (b->n_batch < BATCH && rme_index_next(&b->g->index, &b->it, &b->batch[b->n_batch])) {
		__builtin_prefetch((const void *)b->batch[b->n_batch]);
		b->cookies[b->n_batch] = 0;
		b->n_batch++;
	}
	RME_STORE(b->preparing, true);
	for (uint32_t i = 0; i < b->n_batch; i++)
		b->cookies[i] = w->prepare(b->ctx, b->batch[i]);
	RME_STORE(b->preparing, false);
	return b->n_batch;
}

static __attribute__((noinline)) void loop(struct build *b)
{
	const struct rme_sink sink = {on_reference, on_range, b};
	uint32_t *first = b->g->out.first;

	while (!b->full && !*b->g->whole.walk.cancel) {
		if (b->at == b->n_batch && !next_batch(b))
			break;
		while (b->at < b->n_batch) {
			first[b->node] = (uint32_t)b->n_edges;
			expand(b, b->batch[b->at], b->cookies[b->at], &sink);
			RME_STORE(b->node, b->node + 1);
			RME_STORE(b->at, b->at + 1);
		}
	}
}

/* Works until a node faults; false then. That node has no edges. */
static bool work(struct build *b)
{
	struct rme_guard guard;

	if (!RME_GUARD(b->ctx->guards, &guard))
		return false;
	loop(b);
	rme_guard_pop(b->ctx->guards, &guard);
	return true;
}

static bool build_objects(struct build *b)
{
	struct rme_query_ctx *ctx = b->ctx;
	struct rme_heap_graph *g = b->g;

	b->max_edges = rme_arena_left(ctx->arena) / 2 / sizeof *b->to;
	if (b->max_edges >= RME_NO_NODE)
		b->max_edges = RME_NO_NODE - 1;
	b->to = rme_arena_alloc(ctx->arena, b->max_edges * sizeof *b->to);
	if (!b->to)
		return out_of_memory(ctx);
	g->whole.again = true;
	rme_heap_reset_doubts(ctx);
	while (!work(b)) {
		if (b->preparing) { /* expand will fault as well */
			b->preparing = false;
			continue;
		}
		b->n_edges = g->out.first[b->node];
		ctx->walk.faulted(ctx, b->batch[b->at]);
		b->node++;
		b->at++;
	}
	if (*g->whole.walk.cancel)
		return false;
	if (b->full) {
		rme_error_set(
		    &ctx->error, RME_ERROR_TOO_LARGE,
		    "the heap has 2^32 references or more, or not enough address space for "
		    "them is left: it is too large for this question");
		return false;
	}
	return true;
}

static void add_root_edge(struct build *b, uint32_t node)
{
	if (b->n_edges == b->max_edges)
		b->full = true;
	else
		b->to[b->n_edges++] = node;
}

/* The named roots become the first edges of the root of all. A word on a stack is a root
 * only if the object has a reference that is not accounted for otherwise. */
static void add_named(struct build *b)
{
	struct rme_whole *w = &b->g->whole;
	uint64_t n = 0, n_all = w->n_roots;

	for (uint64_t i = 0; i < n_all + w->n_words; i++) {
		bool is_word = i >= n_all;
		struct rme_root root = is_word ? w->words[i - n_all] : w->roots[i];
		uint32_t node = rme_index_node(&b->g->index, root.object), *left;
		if (node == RME_NO_NODE)
			continue;
		if (n == w->max_roots) {
			b->ctx->n_no_room++;
			continue;
		}
		left = &b->refcounts[node];
		if (is_word && (!*left || *left == RME_NO_NODE))
			continue;
		if (root.counted && *left && *left != RME_NO_NODE)
			--*left;
		add_root_edge(b, node);
		w->roots[n++] = root;
	}
	w->n_roots = n;
	b->g->n_named = (uint32_t)n;
}

/* A static type's reference count begins at one that nobody has. */
static bool is_static_type(struct rme_query_ctx *ctx, rme_addr object)
{
	struct rme_type *t = rme_type_get(&ctx->py, rme_type_of(&ctx->py, object));

	return t && t->is_type &&
	       !(rme_u64(object + (uint64_t)ctx->py.layout->type_flags) & RME_FLAG_HEAPTYPE);
}

static void add_unnamed(struct build *b)
{
	struct rme_heap_graph *g = b->g;
	uint64_t n_max = rme_arena_left(b->ctx->arena) / 8 / sizeof *g->held;

	g->held = rme_arena_alloc(b->ctx->arena, n_max * sizeof *g->held);
	for (uint32_t v = 0; v < g->root; v++)
		if (b->refcounts[v] == RME_NO_NODE)
			add_root_edge(b, v);
	for (uint32_t v = 0; v < g->root; v++) {
		uint32_t n = b->refcounts[v];
		if (!n || n == RME_NO_NODE || is_static_type(b->ctx, rme_heap_graph_address(g, v)))
			continue;
		if (g->n_held == n_max) {
			b->ctx->n_no_room++;
			continue;
		}
		add_root_edge(b, v);
		g->held[g->n_held++] = (struct rme_held){v, n};
	}
	rme_arena_trim(b->ctx->arena, g->held, g->n_held * sizeof *g->held);
}

/* The edges of the root of all. */
static bool build_roots(struct build *b)
{
	struct rme_heap_graph *g = b->g;
	struct rme_arena *arena = b->ctx->arena;
	const volatile uint32_t *cancel = g->whole.walk.cancel;
	uint32_t n = g->root + 1, n_objects, *first;

	first = rme_arena_alloc(arena, (n + 1ull) * sizeof *first);
	if (!first)
		return false;
	n_objects = g->out.first[g->root] = g->out.first[n] = (uint32_t)b->n_edges;
	if (!rme_csr_count(&g->out, 0, first + 1, cancel))
		return false;
	for (uint32_t v = 0; v < g->root; v++)
		if (b->refcounts[v] != RME_NO_NODE)
			b->refcounts[v] -=
			    first[v + 1] < b->refcounts[v] ? first[v + 1] : b->refcounts[v];
	add_named(b);
	add_unnamed(b);
	g->out.first[n] = (uint32_t)b->n_edges;
	g->first_in = first;
	return !b->full && rme_csr_count(&g->out, n_objects, first + 1, cancel);
}

static void list_type(void *arg, struct rme_type *t)
{
	struct rme_heap_graph *g = arg;

	g->types[t->number] = t;
}

static bool build(struct rme_heap_graph *g, struct rme_query_ctx *ctx)
{
	struct build b = {.g = g, .ctx = ctx};
	struct rme_arena *arena = ctx->arena;

	memset(g, 0, sizeof *g);
	if (!rme_whole_init(&g->whole, ctx, &g->index) || !rme_whole_walk(&g->whole))
		return false;
	if (!rme_index_build(&g->index))
		return out_of_memory(ctx);
	uint64_t n = g->root = g->index.n;
	g->out.n = g->root + 1;
	g->out.first = rme_arena_alloc(arena, (n + 2) * sizeof *g->out.first);
	g->size = rme_arena_alloc(arena, (n + 1) * sizeof *g->size);
	g->type = rme_arena_alloc(arena, (n + 1) * sizeof *g->type);
	g->spare = b.refcounts = rme_arena_alloc(arena, (n + 1) * sizeof *g->spare);
	g->big = rme_arena_alloc(arena, RME_MAX_BIG * sizeof *g->big);
	if (!g->out.first || !g->size || !g->type || !g->spare || !g->big)
		return out_of_memory(ctx);
	if (!build_objects(&b))
		return false;
	/* Room for the edges of the root. */
	uint64_t room = b.n_edges + g->whole.n_roots + g->whole.n_words + n + 1;
	b.max_edges = room < RME_NO_NODE ? room : RME_NO_NODE - 1;
	rme_arena_trim(arena, b.to, room * sizeof *b.to);
	g->out.to = b.to;
	if (!build_roots(&b))
		return *g->whole.walk.cancel ? false : out_of_memory(ctx);
	g->n_types = ctx->py.types->n_used;
	g->types = rme_arena_alloc(arena, (g->n_types + 1) * sizeof *g->types);
	if (!g->types)
		return out_of_memory(ctx);
	rme_types_each(&ctx->py, list_type, g);
	return true;
}

static void find_holder(const struct rme_heap_graph *g, rme_addr object, rme_addr *holder)
{
	uint32_t node = object ? rme_index_node(&g->index, object) : RME_NO_NODE, found;

	if (node != RME_NO_NODE && rme_heap_graph_holders(g, node, &found, 1))
		*holder = rme_heap_graph_address(g, found);
}

/* For questions to come. */
static bool note_tallies(struct rme_heap_graph *g, struct rme_query_ctx *ctx)
{
	g->met = rme_arena_alloc(ctx->arena, (g->n_types + 1) * sizeof *g->met);
	if (!g->met)
		return out_of_memory(ctx);
	for (uint64_t i = 0; i < g->n_types; i++) {
		const struct rme_type *t = g->types[i];
		if (t)
			g->met[i] = (struct rme_type_met){
			    t->address,    t->example,  t->n_objects, t->n_bytes, t->n_estimated,
			    t->n_inferred, t->n_faults, t->slow,      t->calls};
	}
	g->doubts = ctx->doubts;
	g->n_no_room = ctx->n_no_room;
	g->lists = ctx->lists;
	g->exhausted = ctx->walk.exhausted;
	return true;
}

static void take_tallies(struct rme_heap_graph *g, struct rme_query_ctx *ctx)
{
	rme_heap_reset_doubts(ctx);
	ctx->doubts = g->doubts;
	ctx->n_no_room += g->n_no_room;
	ctx->lists = g->lists;
	ctx->walk.exhausted |= g->exhausted;
	for (uint64_t i = 0; i < g->n_types; i++) {
		const struct rme_type_met *met = &g->met[i];
		struct rme_type *t = met->address ? rme_type_get(&ctx->py, met->address) : NULL;
		g->types[i] = t;
		if (!t)
			continue;
		t->example = met->example;
		t->n_objects = met->n_objects;
		t->n_bytes = met->n_bytes;
		t->n_estimated = met->n_estimated;
		t->n_inferred = met->n_inferred;
		t->n_faults = met->n_faults;
		t->slow = met->slow;
		t->calls = met->calls;
		if (t->slow)
			t->fast = RME_FAST_NONE;
	}
}

struct rme_heap_graph *rme_heap_graph_get(struct rme_query_ctx *ctx)
{
	const struct rme_heap_graph *kept = ctx->kept->graph;
	struct rme_heap_graph *g = rme_arena_alloc(ctx->arena, sizeof *g);

	if (!g) {
		out_of_memory(ctx);
		return NULL;
	}
	if (kept) {
		/* What this question changes in its copy is gone with it, but for rme_kept_raise.
		 */
		*g = *kept;
		g->garbage.arg = g;
		rme_whole_resume(&g->whole, ctx);
		take_tallies(g, ctx);
	} else {
		if (!build(g, ctx))
			return NULL;
		find_holder(g, ctx->doubts.corrupt, &ctx->doubts.corrupt_holder);
		find_holder(g, ctx->doubts.freed, &ctx->doubts.freed_holder);
		if (!note_tallies(g, ctx))
			return NULL;
		rme_kept_raise(ctx, g);
	}
	rme_json_string(&ctx->json, "graph", kept ? "kept" : "built");
	return g;
}

/* How many edges lead to each node. Whoever asks uses it up. */
static uint32_t *count_in(struct rme_heap_graph *g)
{
	struct rme_query_ctx *ctx = g->whole.ctx;
	uint32_t *first = g->first_in;

	g->first_in = NULL;
	if (ctx->kept->graph)
		ctx->kept->graph->first_in = NULL;
	if (first)
		return first;
	first = rme_arena_alloc(ctx->arena, (g->out.n + 1ull) * sizeof *first);
	if (!first)
		out_of_memory(ctx);
	else if (!rme_csr_count(&g->out, 0, first + 1, g->whole.walk.cancel))
		return NULL;
	return first;
}

bool rme_heap_graph_paths(struct rme_heap_graph *g, const uint32_t *avoided, uint64_t n_avoided,
                          struct rme_paths *ret)
{
	struct rme_query_ctx *ctx = g->whole.ctx;
	uint32_t *before = rme_arena_alloc(ctx->arena, (size_t)g->out.n * sizeof *before);

	if (!before)
		return out_of_memory(ctx);
	rme_paths_init(ret, &g->out, g->root, before, g->spare);
	for (uint64_t i = 0; i < n_avoided; i++)
		before[avoided[i]] = avoided[i];
	return rme_paths_follow(ret, 0, g->n_named, g->whole.walk.cancel);
}

bool rme_heap_graph_paths_rest(struct rme_heap_graph *g, struct rme_paths *paths)
{
	return rme_paths_follow(paths, g->n_named, rme_csr_degree(&g->out, g->root),
	                        g->whole.walk.cancel);
}

/* Which object of several that hold each other stands for them: one that a programmer made,
 * rather than what only belongs to others. */
static uint32_t prefer(void *arg, uint32_t node)
{
	const struct rme_heap_graph *g = arg;
	const struct rme_type *t = node == g->root ? NULL : rme_heap_graph_type(g, node);

	if (!t)
		return 0;
	switch (t->kind) {
	case RME_KIND_EXCEPTION:
		return 4;
	case RME_KIND_DICT:
	case RME_KIND_CELL:
	case RME_KIND_CODE:
	case RME_KIND_FRAME:
	case RME_KIND_METHOD:
	case RME_KIND_TRACEBACK:
		return 0;
	case RME_KIND_FUNCTION:
	case RME_KIND_TUPLE:
	case RME_KIND_LIST:
		return 1;
	default:
		return t->is_python ? 3 : 2;
	}
}

static bool begin_garbage(struct rme_heap_graph *g)
{
	struct rme_garbage *garbage = &g->garbage;

	if (!garbage->within) {
		garbage->prefer = prefer;
		garbage->arg = g;
		garbage->within = rme_arena_alloc(g->whole.ctx->arena,
		                                  (g->out.n / 64 + 1ull) * sizeof *garbage->within);
	}
	return garbage->within;
}

bool rme_heap_graph_paths_garbage(struct rme_heap_graph *g, struct rme_paths *paths,
                                  const uint32_t *avoided, uint64_t n_avoided)
{
	struct rme_garbage some = {.prefer = prefer, .arg = g};
	const volatile uint32_t *cancel = g->whole.walk.cancel;

	if (!rme_paths_lost(paths, avoided, n_avoided, cancel))
		return false;
	if (begin_garbage(g) &&
	    rme_paths_garbage(paths, n_avoided ? &some : &g->garbage, g->whole.ctx->arena, cancel))
		return true;
	return *cancel ? false : out_of_memory(g->whole.ctx);
}

static uint64_t size_of(void *arg, uint32_t node)
{
	const struct rme_heap_graph *g = arg;

	return node == g->root ? 0 : rme_heap_graph_size(g, node);
}

bool rme_heap_graph_dominators(struct rme_heap_graph *g)
{
	struct rme_query_ctx *ctx = g->whole.ctx;
	const volatile uint32_t *cancel = g->whole.walk.cancel;
	uint32_t n_edges = g->out.first[g->out.n], n_to = n_edges < g->out.n ? g->out.n : n_edges;
	struct rme_dominators_memory memory = {.arena = ctx->arena};
	struct rme_dominators dominators;
	struct rme_csr in, tree;
	uint32_t *to, *first;

	if (g->tree.n)
		return true;
	memory.spare = rme_arena_alloc(ctx->arena, (size_t)g->out.n * sizeof(uint32_t));
	memory.scratch = rme_arena_alloc(ctx->arena, (size_t)g->out.n * sizeof(uint64_t));
	to = rme_arena_alloc(ctx->arena, n_to * sizeof *to);
	if (!memory.spare || !memory.scratch || !to || !begin_garbage(g))
		return out_of_memory(ctx);
	first = count_in(g);
	if (!first || !rme_csr_turn(&g->out, first, to, &in, cancel))
		return false;
	if (!rme_dominators_init(&dominators, &g->out, &in, g->root, &g->garbage, &memory, cancel))
		return *cancel ? false : out_of_memory(ctx);
	/* The tree takes the place of the edges that were turned around. */
	rme_dominated_init(&dominators, first, to, &tree);
	rme_sys_forget(to + dominators.n, (n_to - dominators.n) * sizeof *to);
	if (!rme_dominators_retain(&dominators, size_of, g, cancel))
		return false;
	g->dominators = dominators;
	g->tree = tree;
	rme_kept_raise(ctx, g);
	return true;
}

uint64_t rme_heap_graph_holders(const struct rme_heap_graph *g, uint32_t node, uint32_t *ret,
                                uint64_t max)
{
	const uint32_t *first = g->out.first, *to = g->out.to;
	uint64_t n = 0;
	uint32_t v = 0;

	/* A look at all edges takes less time than turning them around. */
	for (uint32_t e = 0; e < first[g->root] && n < max; e++) {
		if (to[e] != node)
			continue;
		for (uint32_t high = g->root; v + 1 < high;) {
			uint32_t middle = v + (high - v) / 2;
			if (first[middle] <= e)
				v = middle;
			else
				high = middle;
		}
		ret[n++] = v;
	}
	return n;
}

uint32_t rme_heap_graph_node(struct rme_heap_graph *g, rme_addr object)
{
	uint32_t node = rme_index_node(&g->index, object);

	if (node == RME_NO_NODE || rme_heap_graph_address(g, node) != object) {
		struct rme_error *error = &g->whole.ctx->error;
		struct rme_buffer out =
		    rme_error_begin(error, RME_ERROR_NO_OBJECT, "the object at ");
		rme_buffer_hex(&out, object);
		rme_buffer_text(&out,
		                " is not part of the heap: nothing refers to it that could be "
		                "found, and it is in no list of the garbage collector");
		rme_error_end(error, &out);
		error->address = object;
		return RME_NO_NODE;
	}
	return node;
}

struct rme_type *rme_heap_graph_type(const struct rme_heap_graph *g, uint32_t node)
{
	struct rme_python *py = &g->whole.ctx->py;

	if (!g->size[node])
		return NULL;
	if (g->type[node] < g->n_types)
		return g->types[g->type[node]];
	return rme_type_get(py, rme_type_of(py, rme_heap_graph_address(g, node)));
}

uint64_t rme_heap_graph_size(const struct rme_heap_graph *g, uint32_t node)
{
	uint64_t low = 0, high = g->n_big;

	if (g->size[node] != RME_NO_NODE)
		return g->size[node];
	while (high - low > 1) {
		uint64_t middle = (low + high) / 2;
		if (g->big[middle].node <= node)
			low = middle;
		else
			high = middle;
	}
	return g->big[low].size;
}

uint32_t rme_heap_graph_held(const struct rme_heap_graph *g, uint32_t node)
{
	uint64_t low = 0, high = g->n_held;

	while (low < high) {
		uint64_t middle = (low + high) / 2;
		if (g->held[middle].node == node)
			return g->held[middle].n;
		if (g->held[middle].node < node)
			low = middle + 1;
		else
			high = middle;
	}
	return 0;
}

const struct rme_root *rme_heap_graph_root(const struct rme_heap_graph *g, uint32_t node)
{
	rme_addr object = rme_heap_graph_address(g, node);

	for (uint64_t i = 0; i < g->n_named; i++)
		if (g->whole.roots[i].object == object)
			return &g->whole.roots[i];
	return NULL;
}

void rme_heap_graph_root_append(struct rme_heap_graph *g, const struct rme_root *root,
                                uint32_t node, struct rme_buffer *out)
{
	struct rme_python *py = &g->whole.ctx->py;
	uint32_t held = rme_heap_graph_held(g, node);

	if (root) {
		rme_root_append(py, root, out);
	} else if (held) {
		rme_buffer_text(out, "C (");
		rme_buffer_unsigned(out, held);
		rme_buffer_text(out, held == 1 ? " reference)" : " references)");
	} else if (rme_is_immortal(py, rme_heap_graph_address(g, node))) {
		rme_buffer_text(out, "immortal object");
	} else {
		rme_buffer_text(out, "nothing (garbage that the collector has not freed yet)");
	}
}
