/* What a request is about: the selected thread and frame, the objects of its EXPRs. */
#include "cpython/selected.h"
#include "query/query.h"

bool rme_query_select(struct rme_query_ctx *ctx)
{
	if (ctx->frame.address)
		return true;
	return rme_thread_selected(&ctx->py, &ctx->thread, &ctx->error) &&
	       rme_frame_selected(&ctx->py, &ctx->thread, &ctx->frame, &ctx->error);
}

bool rme_query_needs_frame(const struct rme_expr *expr)
{
	const struct rme_step *step =
	    (const void *)((const char *)(expr + 1) + ((expr->text_size + 7u) & ~7u));

	return expr->n_steps && step->kind == RME_STEP_NAME;
}

bool rme_query_exprs(struct rme_query_ctx *ctx, rme_addr *ret, const struct rme_expr **exprs,
                     uint32_t *n)
{
	const struct rme_request *r = ctx->request;
	const char *at = (const char *)r + r->exprs.offset;

	if (r->exprs.count > RME_MAX_FORCED) {
		rme_error_set(&ctx->error, RME_ERROR_USAGE, "no more than 256 EXPRs at a time");
		return false;
	}
	for (*n = 0; *n < r->exprs.count; (*n)++) {
		const struct rme_expr *expr = (const void *)at;
		if (rme_query_needs_frame(expr) && !rme_query_select(ctx))
			return false;
		exprs[*n] = expr;
		if (!rme_path_resolve(&ctx->py, ctx->frame.address ? &ctx->frame : NULL, expr,
		                      &ret[*n], &ctx->error))
			return false;
		at += expr->size;
	}
	return true;
}
