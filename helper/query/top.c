/* py-top: the largest locals of frames, or the largest objects that an EXPR reaches. */
#include "cpython/label.h"
#include "query/children.h"
#include "cpython/str.h"
#include "runtime/sort.h"

enum { MAX_ROWS = 1 << 20, MAX_RANKED = 10000, MAX_PATH_STEPS = 64 };

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
};

static int add_local(void *arg, rme_addr name, rme_addr value)
{
	struct locals *l = arg;

	if (l->n_rows < MAX_ROWS) {
		struct row *row = &l->rows[l->n_rows];
		*row = (struct row){name, value, {0, 0, 0}, (uint32_t)l->n_frames - 1,
				    (uint32_t)l->n_rows};
		l->n_rows++;
	}
	return 0;
}

static int add_frame(void *arg, const struct rme_frame *frame)
{
	struct locals *l = arg;

	if (l->n_frames == l->max_frames)
		return 1;
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
		rme_error_set(&ctx->error, "out-of-memory", "not enough address space for the rows");
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

static void top_locals(struct rme_query_ctx *ctx)
{
	struct locals l = {.ctx = ctx};
	uint64_t limit = ctx->request->limit ? ctx->request->limit : MAX_ROWS;
	struct rme_size total;

	if (!collect_locals(&l))
		return;
	for (uint64_t i = 0; i < l.n_rows && !ctx->walk.cancelled; i++) {
		rme_heap_begin(ctx);
		rme_heap_root(ctx, l.rows[i].value, false);
		rme_heap_measure(ctx, &l.rows[i].size);
	}
	rme_sort(l.rows, l.n_rows, sizeof *l.rows, by_size);
	rme_json_array(&ctx->json, "items");
	for (uint64_t i = 0; i < l.n_rows && i < limit; i++)
		report_local(&l, &l.rows[i]);
	rme_json_array_end(&ctx->json);
	report_more(ctx, l.n_rows > limit ? l.n_rows - limit : 0);
	rme_heap_begin(ctx);
	rme_heap_reset_doubts(ctx);
	for (uint64_t i = 0; i < l.n_rows; i++)
		rme_heap_root(ctx, l.rows[i].value, false);
	rme_heap_measure(ctx, &total);
	rme_report_size(ctx, &total);
}

/* The objects below an EXPR. No object is larger than one that leads to it, so the
 * largest are found best first: the references of the largest one not looked into yet
 * are measured, until none of the best `max` is left to look into. */
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
	uint64_t n_reachable;
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
		struct rme_child child = {c->refs[i], i, {0, 0, 0}};
		if (!rme_visited_add(&r->seen, child.address))
			continue;
		if (!rme_children_size(c, child.address, &child.size))
			return;
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

static void top_below(struct rme_query_ctx *ctx, rme_addr root, const struct rme_expr *expr)
{
	struct ranking *r = rme_arena_alloc(ctx->arena, sizeof *r);
	struct rme_child first = {root, 0, {0, 0, 0}};

	if (!r || !rme_children_init(&r->children, ctx) ||
	    !rme_visited_init(&r->seen, ctx->arena))
		return;
	r->max = ctx->request->limit && ctx->request->limit < MAX_RANKED ? ctx->request->limit
									 : MAX_RANKED;
	r->best = rme_arena_alloc(ctx->arena, r->max * sizeof *r->best);
	rme_heap_begin(ctx);
	rme_heap_reset_doubts(ctx);
	rme_heap_root(ctx, root, true);
	rme_children_total(&r->children, &first.size);
	r->n_reachable = first.size.objects;
	struct rme_doubts doubts = ctx->doubts;
	rme_visited_add(&r->seen, root);
	rank(r, &first, 0);
	while (!ctx->walk.cancelled && expand_largest(r))
		;
	ctx->doubts = doubts;
	rme_json_array(&ctx->json, "items");
	for (uint64_t i = 0; i < r->n; i++) {
		rme_json_open(&ctx->json, NULL);
		report_path(ctx, r, &r->best[i], expr);
		rme_report_object(ctx, r->best[i].child.address, &r->best[i].child.size);
		rme_json_close(&ctx->json);
	}
	rme_json_array_end(&ctx->json);
	report_more(ctx, r->n_reachable > r->n ? r->n_reachable - r->n : 0);
	rme_report_size(ctx, &first.size);
	ctx->over_budget = r->children.over_budget;
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
			rme_error_set(&ctx->error, "usage", "py-top takes one EXPR or none");
		else
			top_below(ctx, roots[0], exprs[0]);
	}
}
