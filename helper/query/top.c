/* py-top: the largest locals of frames, or the largest objects that an EXPR reaches. */
#include "cpython/label.h"
#include "cpython/str.h"
#include "graph/paths.h"
#include "query/children.h"
#include "runtime/sort.h"

enum {
	MAX_ROWS = 1 << 20,
	MAX_PATH_STEPS = 64,
	/* What the graph costs, in walks; and objects that cost next to nothing. */
	WALKS = 8,
	FREE_OBJECTS = 1 << 18
};

/* One local of one frame. */
struct row {
	rme_addr name;
	rme_addr value;
	struct rme_size size;
	uint32_t frame; /* number in `frames` */
	uint32_t order;
};

struct frame_row {
	struct rme_frame frame;
	struct rme_python_thread thread;
};

struct locals {
	struct rme_query_ctx *ctx;
	struct row *rows;
	uint64_t n_rows;
	struct frame_row *frames;
	uint64_t n_frames, max_frames;
	const struct rme_python_thread *thread;
	struct rme_size total;
};

static int add_local(void *arg, rme_addr name, rme_addr value)
{
	struct locals *l = arg;

	if (l->n_rows == MAX_ROWS) {
		l->ctx->n_no_room++;
	} else {
		struct row *row = &l->rows[l->n_rows];
		*row =
		    (struct row){name, value, {0}, (uint32_t)l->n_frames - 1, (uint32_t)l->n_rows};
		l->n_rows++;
	}
	return 0;
}

static int add_frame(void *arg, const struct rme_frame *frame)
{
	struct locals *l = arg;

	if (l->n_frames == l->max_frames) {
		l->ctx->n_no_room++;
		return 0;
	}
	l->frames[l->n_frames++] = (struct frame_row){*frame, *l->thread};
	return rme_locals_each(&l->ctx->py, frame, add_local, l);
}

static int add_thread(void *arg, const struct rme_python_thread *thread)
{
	struct locals *l = arg;

	l->thread = thread;
	return rme_frames_each(&l->ctx->py, thread->tstate, add_frame, l);
}

static bool collect_locals(struct locals *l)
{
	struct rme_query_ctx *ctx = l->ctx;
	struct rme_guard guard;
	bool all = ctx->request->flags & RME_ALL_THREADS;

	l->max_frames = 1 << 16;
	l->rows = rme_arena_alloc(ctx->arena, MAX_ROWS * sizeof *l->rows);
	l->frames = rme_arena_alloc(ctx->arena, l->max_frames * sizeof *l->frames);
	if (!l->rows || !l->frames) {
		rme_error_set(&ctx->error, RME_ERROR_OUT_OF_MEMORY,
		              "not enough address space for the rows");
		return false;
	}
	if (!all && !rme_query_select(ctx))
		return false;
	if (RME_GUARD(ctx->guards, &guard)) {
		if (all) {
			rme_threads_each(&ctx->py, add_thread, l);
		} else {
			l->thread = &ctx->thread;
			add_frame(l, &ctx->frame);
		}
		rme_guard_pop(ctx->guards, &guard);
	}
	return true;
}

static int by_size(const void *x, const void *y)
{
	const struct row *a = x, *b = y;

	if (a->size.bytes != b->size.bytes)
		return a->size.bytes > b->size.bytes ? -1 : 1;
	return a->order < b->order ? -1 : 1;
}

static void report_local(struct locals *l, const struct row *row)
{
	struct rme_query_ctx *ctx = l->ctx;
	const struct frame_row *f = &l->frames[row->frame];
	char name[1024];
	struct rme_buffer text = {name, sizeof name, 0, false};
	struct rme_guard guard;

	if (RME_GUARD(ctx->guards, &guard)) {
		rme_str_append(&ctx->py, row->name, 200, &text);
		rme_guard_pop(ctx->guards, &guard);
	}
	rme_json_open(&ctx->json, NULL);
	rme_json_text(&ctx->json, "expr", name, text.size);
	rme_report_frame(ctx, &f->thread, &f->frame);
	rme_report_object(ctx, row->value, &row->size);
	rme_json_close(&ctx->json);
}

static void report_more(struct rme_query_ctx *ctx, uint64_t n)
{
	rme_json_open(&ctx->json, "more");
	rme_json_unsigned(&ctx->json, "items", n);
	rme_json_close(&ctx->json);
}

/* A frame of a thousand locals that share one structure must not be a thousand walks
 * of it: when walks of single locals have cost a few times the whole, the sizes of the
 * rest come from a graph of it, 256 in one pass (graph/reach.h). */
static void measure_locals(struct locals *l)
{
	struct rme_query_ctx *ctx = l->ctx;
	uint64_t budget = WALKS * l->total.objects + FREE_OBJECTS, spent = 0, i;

	if (ctx->request->flags & RME_NO_PATIENCE)
		budget = 0;
	if (l->total.objects > RME_RANKING_MOST)
		budget = UINT64_MAX;
	for (i = 0; i < l->n_rows && spent <= budget && !ctx->walk.cancelled; i++) {
		rme_heap_begin(ctx);
		rme_heap_root(ctx, l->rows[i].value, false);
		rme_heap_measure(ctx, &l->rows[i].size);
		spent += l->rows[i].size.objects;
	}
	uint64_t n = l->n_rows - i;
	if (!n || ctx->walk.cancelled)
		return;
	struct rme_ranking *r = rme_arena_alloc(ctx->arena, sizeof *r);
	rme_addr *values = rme_arena_alloc(ctx->arena, n * sizeof *values);
	uint32_t *nodes = rme_arena_alloc(ctx->arena, n * sizeof *nodes);
	struct rme_size *sizes = rme_arena_alloc(ctx->arena, n * sizeof *sizes);
	if (!r || !values || !nodes || !sizes) {
		rme_error_set(&ctx->error, RME_ERROR_OUT_OF_MEMORY,
		              "not enough address space for the rows");
		return;
	}
	for (uint64_t k = 0; k < n; k++)
		values[k] = l->rows[i + k].value;
	if (!rme_ranking_init(r, ctx, values, n, false))
		return;
	for (uint64_t k = 0; k < n; k++)
		nodes[k] = rme_ranking_node(r, values[k]);
	if (rme_ranking_sizes(r, nodes, n, sizes))
		for (uint64_t k = 0; k < n; k++)
			l->rows[i + k].size = sizes[k];
}

static void top_locals(struct rme_query_ctx *ctx)
{
	struct locals l = {.ctx = ctx};
	uint64_t limit = ctx->request->limit ? ctx->request->limit : MAX_ROWS;
	struct rme_kept_doubts doubts;

	if (!collect_locals(&l))
		return;
	rme_heap_begin(ctx);
	rme_heap_reset_doubts(ctx);
	for (uint64_t i = 0; i < l.n_rows; i++)
		rme_heap_root(ctx, l.rows[i].value, false);
	rme_heap_measure(ctx, &l.total);
	if (!rme_doubts_keep(ctx, &doubts))
		return;
	measure_locals(&l);
	rme_doubts_put_back(ctx, &doubts);
	rme_sort(l.rows, l.n_rows, sizeof *l.rows, by_size);
	rme_json_array(&ctx->json, "items");
	for (uint64_t i = 0; i < l.n_rows && i < limit; i++)
		report_local(&l, &l.rows[i]);
	rme_json_array_end(&ctx->json);
	report_more(ctx, l.n_rows > limit ? l.n_rows - limit : 0);
	rme_report_size(ctx, &l.total);
}

/* The objects below an EXPR. No object is larger than one that leads to it, so the
 * largest are found best first: the references of the largest one not looked into yet
 * are measured, until none of the best `max` is left to look into. Where that takes more
 * than a few walks (a long list, much that is shared), the graph ranks them all. */
struct ranked {
	struct rme_child child;
	rme_addr parent;
	bool expanded;
};

struct ranking {
	struct rme_children children;
	struct rme_visited seen;
	struct ranked *best;
	uint64_t n, max;
	bool failed; /* it took too much */
};

static void rank(struct ranking *r, const struct rme_child *child, rme_addr parent)
{
	uint64_t i = r->n;

	if (r->n == r->max) {
		if (child->size.bytes <= r->best[r->max - 1].child.size.bytes)
			return;
		i--;
	} else {
		r->n++;
	}
	for (; i > 0 && r->best[i - 1].child.size.bytes < child->size.bytes; i--)
		r->best[i] = r->best[i - 1];
	r->best[i] = (struct ranked){*child, parent, false};
}

static void rank_children(struct ranking *r, rme_addr parent)
{
	struct rme_children *c = &r->children;

	rme_children_collect(c, parent);
	for (uint64_t i = 0; i < c->n_refs; i++) {
		struct rme_child child = {c->refs[i], i, {0}};
		if (!rme_visited_add(&r->seen, child.address))
			continue;
		if (!rme_children_size(c, child.address, &child.size)) {
			r->failed = true;
			return;
		}
		rank(r, &child, parent);
	}
}

static bool expand_largest(struct ranking *r)
{
	for (uint64_t i = 0; i < r->n; i++)
		if (!r->best[i].expanded) {
			r->best[i].expanded = true;
			rank_children(r, r->best[i].child.address);
			return true;
		}
	return false;
}

static const struct ranked *find_ranked(const struct ranking *r, rme_addr address)
{
	for (uint64_t i = 0; i < r->n; i++)
		if (r->best[i].child.address == address)
			return &r->best[i];
	return NULL;
}

/* The path by which the object was found, as an EXPR; its address when a step has no
 * name. Every parent is at least as large, so it is in the ranking too. */
static void report_path(struct rme_query_ctx *ctx, const struct ranking *r,
                        const struct ranked *row, const struct rme_expr *expr)
{
	rme_addr steps[MAX_PATH_STEPS][2];
	char path[4096];
	struct rme_buffer text = {path, sizeof path, 0, false};
	const struct ranked *at = row;
	uint64_t n = 0;

	for (; at && at->parent && n < MAX_PATH_STEPS; at = find_ranked(r, at->parent)) {
		steps[n][0] = at->parent;
		steps[n++][1] = at->child.address;
	}
	rme_buffer_bytes(&text, expr + 1, expr->text_size);
	bool named = at && !at->parent;
	while (named && n--)
		named = rme_label_append(&ctx->py, steps[n][0], steps[n][1], 1 << 20, &text);
	if (!named || text.overflow) {
		text.size = 0;
		rme_buffer_hex(&text, row->child.address);
	}
	rme_json_text(&ctx->json, "expr", path, text.size);
}

/* All that the root reaches, breadth first, is ranked; equal ones in that order. */
static bool rank_all(struct ranking *r, rme_addr root)
{
	struct rme_ranking *g = r->children.ranking;
	struct rme_query_ctx *ctx = r->children.ctx;
	struct rme_arena *arena = ctx->arena;
	uint32_t *before = rme_arena_alloc(arena, g->graph.n * sizeof *before);
	uint32_t *nodes = rme_arena_alloc(arena, (g->graph.n + 1ul) * sizeof *nodes);
	struct rme_ranked *largest = rme_arena_alloc(arena, r->max * sizeof *largest);
	struct rme_size *sizes = rme_arena_alloc(arena, r->max * sizeof *sizes);
	uint32_t start = rme_ranking_node(g, root), n = 1, n_largest;
	struct rme_paths paths;

	if (!before || !nodes || !largest || !sizes || start == RME_NO_NODE)
		return false;
	nodes[0] = start;
	rme_paths_init(&paths, &g->graph, start, before, nodes + 1);
	if (!rme_paths_follow(&paths, 0, rme_csr_degree(&g->graph, start), &ctx->block->cancel))
		return false;
	for (uint32_t v = 0; v < g->graph.n; v++)
		n += before[v] != RME_NO_NODE && v != start;
	if (!rme_ranking_largest(g, nodes, n, (uint32_t)r->max, largest, &n_largest))
		return false;
	for (uint32_t i = 0; i < n_largest; i++) {
		struct ranked *row = &r->best[i];
		uint32_t node = nodes[largest[i].index];
		row->child.address = rme_index_address(&g->index, node);
		row->parent = node == start ? 0 : rme_index_address(&g->index, before[node]);
		largest[i].index = node;
	}
	r->n = n_largest;
	for (uint32_t i = 0; i < n_largest; i++)
		nodes[i] = (uint32_t)largest[i].index;
	if (!rme_ranking_sizes(g, nodes, n_largest, sizes))
		return false;
	for (uint32_t i = 0; i < n_largest; i++)
		r->best[i].child.size = nodes[i] == start ? r->children.total : sizes[i];
	return true;
}

static void report_below(struct rme_query_ctx *ctx, const struct ranking *r,
                         const struct rme_expr *expr)
{
	const struct rme_size *total = &r->children.total;

	rme_json_array(&ctx->json, "items");
	for (uint64_t i = 0; i < r->n; i++) {
		rme_json_open(&ctx->json, NULL);
		report_path(ctx, r, &r->best[i], expr);
		rme_report_object(ctx, r->best[i].child.address, &r->best[i].child.size);
		rme_json_close(&ctx->json);
	}
	rme_json_array_end(&ctx->json);
	report_more(ctx, total->objects > r->n ? total->objects - r->n : 0);
	rme_report_size(ctx, total);
}

static void top_below(struct rme_query_ctx *ctx, rme_addr root, const struct rme_expr *expr)
{
	struct ranking *r = rme_arena_alloc(ctx->arena, sizeof *r);
	struct rme_child first = {root, 0, {0}};

	if (!r || !rme_children_init(&r->children, ctx) || !rme_visited_init(&r->seen, ctx->arena))
		return;
	r->max = ctx->request->limit && ctx->request->limit < RME_RANK_MOST ? ctx->request->limit
	                                                                    : RME_RANK_MOST;
	r->best = rme_arena_alloc(ctx->arena, r->max * sizeof *r->best);
	if (!r->best || !rme_children_total(&r->children, &root, 1, true, &first.size))
		return;
	rme_visited_add(&r->seen, root);
	rank(r, &first, 0);
	while (!ctx->walk.cancelled && !r->failed && expand_largest(r))
		;
	if (r->failed && !ctx->walk.cancelled && rme_children_ranking(&r->children) &&
	    !rank_all(r, root) && !ctx->error.kind && !ctx->block->cancel)
		rme_error_set(&ctx->error, RME_ERROR_OUT_OF_MEMORY,
		              "not enough address space to rank sizes");
	rme_children_end(&r->children);
	report_below(ctx, r, expr);
}

void rme_query_top(struct rme_query_ctx *ctx)
{
	rme_addr roots[RME_MAX_FORCED];
	const struct rme_expr *exprs[RME_MAX_FORCED];
	uint32_t n;

	if (!ctx->request->exprs.count) {
		top_locals(ctx);
	} else if (rme_query_exprs(ctx, roots, exprs, &n)) {
		if (n != 1)
			rme_error_set(&ctx->error, RME_ERROR_USAGE,
			              "py-top takes one EXPR or none");
		else
			top_below(ctx, roots[0], exprs[0]);
	}
}
