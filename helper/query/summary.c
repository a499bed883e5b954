/* py-summary: one screen about a process: objects, arenas, the largest types and
 * holders, threads. The plugin adds what the system says of the process. */
#include "cpython/arenas.h"
#include "cpython/extent.h"
#include "query/retained.h"

enum { N_TYPES = 10, N_HOLDERS = 5, MAX_THREADS = 1000, LARGE = 1 << 18, MAX_LARGE = 10000 };

struct threads {
	struct rme_query_ctx *ctx;
	struct rme_frame innermost;
	uint64_t n_frames;
	uint64_t n;
};

static int count_frame(void *arg, const struct rme_frame *frame)
{
	struct threads *s = arg;

	if (!s->n_frames++)
		s->innermost = *frame;
	return 0;
}

static int report_thread(void *arg, const struct rme_python_thread *thread)
{
	struct threads *s = arg;
	struct rme_json *j = &s->ctx->json;

	if (s->n++ >= MAX_THREADS)
		return 0;
	s->n_frames = 0;
	rme_frames_each(&s->ctx->py, thread->tstate, count_frame, s);
	rme_json_open(j, NULL);
	if (s->n_frames) {
		rme_report_frame(s->ctx, thread, &s->innermost);
	} else {
		rme_json_unsigned(j, "thread", thread->number);
		rme_json_null(j, "function");
	}
	rme_json_unsigned(j, "lwp", thread->lwp);
	rme_json_unsigned(j, "frames", s->n_frames);
	rme_json_close(j);
	return 0;
}

static void report_threads(struct rme_query_ctx *ctx)
{
	struct threads s = {.ctx = ctx};
	struct rme_guard guard;

	rme_json_array(&ctx->json, "threads");
	if (RME_GUARD(ctx->guards, &guard)) {
		rme_threads_each(&ctx->py, report_thread, &s);
		rme_guard_pop(ctx->guards, &guard);
	}
	rme_json_array_end(&ctx->json);
	rme_json_unsigned(&ctx->json, "n_threads", s.n);
}

static void report_arenas(struct rme_query_ctx *ctx)
{
	struct rme_json *j = &ctx->json;
	struct rme_arenas arenas;

	if (!rme_arenas_read(&ctx->py, &arenas)) {
		rme_json_null(j, "arenas");
		return;
	}
	rme_json_open(j, "arenas");
	rme_json_unsigned(j, "arenas", arenas.n);
	rme_json_unsigned(j, "size", arenas.bytes);
	rme_json_unsigned(j, "allocated", arenas.allocated);
	rme_json_unsigned(j, "blocks", arenas.n_blocks);
	rme_json_unsigned(j, "free", arenas.bytes - arenas.allocated);
	rme_json_close(j);
}

/* One whose pages may not all be there. */
static void report_extent(struct rme_heap_graph *g, uint32_t node)
{
	struct rme_query_ctx *ctx = g->whole.ctx;
	struct rme_type *t = rme_heap_graph_type(g, node);
	struct rme_extent extent = {0, 0};
	struct rme_guard guard;

	if (t && RME_GUARD(ctx->guards, &guard)) {
		extent = rme_extent_of(&ctx->py, t, rme_heap_graph_address(g, node),
		                       rme_heap_graph_size(g, node));
		rme_guard_pop(ctx->guards, &guard);
	}
	if (!extent.size)
		return;
	rme_json_open(&ctx->json, NULL);
	rme_json_address(&ctx->json, "address", extent.start);
	rme_json_unsigned(&ctx->json, "size", extent.size);
	rme_json_close(&ctx->json);
}

static void report_large(struct rme_heap_graph *g)
{
	struct rme_json *j = &g->whole.ctx->json;
	uint64_t n = 0;

	rme_json_array(j, "large");
	for (uint32_t v = 0; v < g->root; v++)
		if (rme_heap_graph_size(g, v) >= LARGE && n++ < MAX_LARGE)
			report_extent(g, v);
	rme_json_array_end(j);
	rme_json_unsigned(j, "large_more", n > MAX_LARGE ? n - MAX_LARGE : 0);
}

void rme_query_summary(struct rme_query_ctx *ctx)
{
	struct rme_heap_graph *g = rme_heap_graph_get(ctx);

	if (!g)
		return;
	rme_json_unsigned(&ctx->json, "size", g->whole.walk.n_bytes);
	rme_json_unsigned(&ctx->json, "objects", g->whole.walk.n_objects);
	report_arenas(ctx);
	report_large(g);
	rme_types_largest(ctx, N_TYPES, "types");
	rme_retained_objects(g, N_HOLDERS, "holders");
	report_threads(ctx);
}
