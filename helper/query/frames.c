/* py-frames: the Python frames of a thread, or of all, each with the size of its locals. */
#include "query/query.h"

enum {
	MAX_ROWS = 10000,
	/* A deep recursion often holds one large structure in every frame, and each walk of
	 * it costs the same: no more nodes than this are visited for single frames. */
	MAX_SPENT = 1 << 27
};

struct frames {
	struct rme_query_ctx *ctx;
	const struct rme_python_thread *thread;
	bool total; /* only add the locals as roots */
	uint64_t n_rows, n_more;
	uint64_t spent;
};

static bool is_selected(const struct frames *f, const struct rme_frame *frame)
{
	return frame->address == f->ctx->frame.address &&
	       f->thread->tstate == f->ctx->thread.tstate;
}

static void report_unmeasured(struct rme_query_ctx *ctx)
{
	rme_json_null(&ctx->json, "size");
	if (ctx->allocated)
		rme_json_null(&ctx->json, "allocated");
	rme_json_null(&ctx->json, "objects");
	rme_json_null(&ctx->json, "size_without_classes");
	rme_json_null(&ctx->json, "mapped");
	ctx->n_unmeasured++;
}

static void report_measured(struct frames *f, const struct rme_frame *frame)
{
	const struct rme_mapped before = f->ctx->doubts.mapped;
	struct rme_size size;

	rme_heap_begin(f->ctx);
	rme_heap_root_frame(f->ctx, frame);
	rme_heap_measure(f->ctx, &size);
	rme_report_size(f->ctx, &size);
	rme_report_mapped(f->ctx, &before);
	f->spent += size.objects;
}

static int on_frame(void *arg, const struct rme_frame *frame)
{
	struct frames *f = arg;
	struct rme_query_ctx *ctx = f->ctx;

	if (f->total) {
		rme_heap_root_frame(ctx, frame);
		return 0;
	}
	if (f->n_rows == MAX_ROWS) {
		f->n_more++;
		return 0;
	}
	f->n_rows++;
	rme_json_open(&ctx->json, NULL);
	rme_report_frame(ctx, f->thread, frame);
	if (f->thread->lwp)
		rme_json_unsigned(&ctx->json, "lwp", f->thread->lwp);
	else
		rme_json_null(&ctx->json, "lwp");
	rme_json_bool(&ctx->json, "selected", is_selected(f, frame));
	if (f->spent < MAX_SPENT)
		report_measured(f, frame);
	else
		report_unmeasured(ctx);
	rme_json_close(&ctx->json);
	return ctx->walk.cancelled;
}

/* A damaged chain of frames costs its thread's remaining ones, not the answer. */
static int on_thread(void *arg, const struct rme_python_thread *thread)
{
	struct frames *f = arg;
	struct rme_query_ctx *ctx = f->ctx;
	struct rme_guard guard;

	f->thread = thread;
	if (RME_GUARD(ctx->guards, &guard)) {
		rme_frames_each(&ctx->py, thread->tstate, on_frame, f);
		rme_guard_pop(ctx->guards, &guard);
	} else {
		ctx->doubts.n_corrupt++;
		ctx->doubts.corrupt = guard.fault_address;
	}
	return ctx->walk.cancelled;
}

static void frames_each(struct frames *f)
{
	struct rme_query_ctx *ctx = f->ctx;
	struct rme_guard guard;

	if (!(ctx->request->flags & RME_ALL_THREADS)) {
		on_thread(f, &ctx->thread);
	} else if (RME_GUARD(ctx->guards, &guard)) {
		rme_threads_each(&ctx->py, on_thread, f);
		rme_guard_pop(ctx->guards, &guard);
	}
}

void rme_query_frames(struct rme_query_ctx *ctx)
{
	struct frames f = {.ctx = ctx};
	const struct rme_mapped none = {0};
	struct rme_size total;

	if (!rme_query_select(ctx)) {
		/* That the selected thread runs no Python does not matter to all threads. */
		if (!(ctx->request->flags & RME_ALL_THREADS))
			return;
		ctx->error.kind = RME_NO_ERROR;
	}
	rme_json_array(&ctx->json, "items");
	frames_each(&f);
	rme_json_array_end(&ctx->json);
	rme_json_open(&ctx->json, "more");
	rme_json_unsigned(&ctx->json, "items", f.n_more);
	rme_json_close(&ctx->json);
	f.total = true;
	rme_heap_begin(ctx);
	rme_heap_reset_doubts(ctx);
	frames_each(&f);
	rme_heap_measure(ctx, &total);
	rme_report_size(ctx, &total);
	rme_report_mapped(ctx, &none);
}
