/* py-memory: the size of each EXPR, or of the locals of frames. */
#include "query/query.h"

struct frames {
	struct rme_query_ctx *ctx;
	const struct rme_python_thread *thread;
	bool report; /* else: add its locals as roots of the total */
};

static int one_frame(void *arg, const struct rme_frame *frame)
{
	struct frames *f = arg;
	struct rme_query_ctx *ctx = f->ctx;
	const struct rme_mapped before = ctx->doubts.mapped;
	struct rme_size size;

	if (!f->report) {
		rme_heap_root_frame(ctx, frame);
		return 0;
	}
	rme_heap_begin(ctx);
	rme_heap_root_frame(ctx, frame);
	rme_heap_measure(ctx, &size);
	rme_json_open(&ctx->json, NULL);
	rme_json_null(&ctx->json, "expr");
	rme_report_frame(ctx, f->thread, frame);
	rme_report_size(ctx, &size);
	rme_report_mapped(ctx, &before);
	rme_json_close(&ctx->json);
	return ctx->walk.cancelled;
}

static int frames_of_thread(void *arg, const struct rme_python_thread *thread)
{
	struct frames *f = arg;

	f->thread = thread;
	return rme_frames_each(&f->ctx->py, thread->tstate, one_frame, f);
}

static void frames_of_all(struct rme_query_ctx *ctx, bool report)
{
	struct frames f = {ctx, &ctx->thread, report};

	if (ctx->request->flags & RME_ALL_THREADS) {
		struct rme_guard guard;
		if (RME_GUARD(ctx->guards, &guard)) {
			rme_threads_each(&ctx->py, frames_of_thread, &f);
			rme_guard_pop(ctx->guards, &guard);
		}
	} else {
		one_frame(&f, &ctx->frame);
	}
}

static void memory_of_frames(struct rme_query_ctx *ctx)
{
	const struct rme_mapped none = {0};
	struct rme_size total;

	if (!(ctx->request->flags & RME_ALL_THREADS) && !rme_query_select(ctx))
		return;
	rme_json_array(&ctx->json, "items");
	frames_of_all(ctx, true);
	rme_json_array_end(&ctx->json);
	rme_heap_begin(ctx);
	rme_heap_reset_doubts(ctx);
	frames_of_all(ctx, false);
	rme_heap_measure(ctx, &total);
	rme_report_size(ctx, &total);
	rme_report_mapped(ctx, &none);
}

void rme_query_memory(struct rme_query_ctx *ctx)
{
	rme_addr roots[RME_MAX_FORCED];
	const struct rme_expr *exprs[RME_MAX_FORCED];
	struct rme_mapped before = {0};
	struct rme_size size;
	uint32_t n;

	if (!ctx->request->exprs.count) {
		memory_of_frames(ctx);
		return;
	}
	if (!rme_query_exprs(ctx, roots, exprs, &n))
		return;
	rme_json_array(&ctx->json, "items");
	for (uint32_t i = 0; i < n; i++) {
		rme_heap_begin(ctx);
		if (n == 1)
			rme_heap_reset_doubts(ctx);
		before = ctx->doubts.mapped;
		rme_heap_root(ctx, roots[i], true);
		rme_heap_measure(ctx, &size);
		rme_json_open(&ctx->json, NULL);
		rme_json_text(&ctx->json, "expr", exprs[i] + 1, exprs[i]->text_size);
		rme_report_object(ctx, roots[i], &size);
		rme_report_mapped(ctx, &before);
		rme_json_close(&ctx->json);
	}
	rme_json_array_end(&ctx->json);
	if (n > 1) {
		rme_heap_begin(ctx);
		rme_heap_reset_doubts(ctx);
		for (uint32_t i = 0; i < n; i++)
			rme_heap_root(ctx, roots[i], true);
		before = ctx->doubts.mapped;
		rme_heap_measure(ctx, &size);
	}
	rme_report_size(ctx, &size);
	rme_report_mapped(ctx, &before);
}
