/* Two threads for one large walk. The second has a view of its own of everything that
 * is written while walking: types met, doubts, stacks, memory. It is made for the first such
 * walk, and taken again for the next. */
#include "query/query.h"
#include "runtime/thread.h"

struct rme_second {
	struct rme_query_ctx ctx;
	struct rme_arena arena;
	struct rme_helper_thread thread;
};

static void run_second(void *arg)
{
	struct rme_second *s = arg;

	rme_walk_pair_run(&s->ctx.walk);
}

/* Takes over what the second thread counted of a type. */
static void merge_type(void *arg, struct rme_type *theirs)
{
	struct rme_query_ctx *ctx = arg;
	struct rme_type *ours;

	if (!(theirs->n_estimated | theirs->n_inferred | theirs->n_faults))
		return;
	ours = rme_type_get(&ctx->py, theirs->address);
	if (ours) {
		ours->n_estimated += theirs->n_estimated;
		ours->n_inferred += theirs->n_inferred;
		ours->n_faults += theirs->n_faults;
		ours->slow |= theirs->slow;
		ours->calls |= theirs->calls;
		ours->example = theirs->example;
	}
	theirs->n_estimated = theirs->n_inferred = theirs->n_faults = 0;
}

static void merge_mapped(struct rme_mapped *ours, const struct rme_mapped *theirs)
{
	ours->n_files += theirs->n_files;
	ours->file_bytes += theirs->file_bytes;
	ours->n_anonymous += theirs->n_anonymous;
	ours->anonymous_bytes += theirs->anonymous_bytes;
	if (theirs->file)
		ours->file = theirs->file;
	if (theirs->anonymous)
		ours->anonymous = theirs->anonymous;
}

static void merge(struct rme_query_ctx *ctx, struct rme_second *s)
{
	const struct rme_doubts *d = &s->ctx.doubts;

	rme_walk_pair_end(&ctx->walk, &s->ctx.walk);
	rme_types_each(&s->ctx.py, merge_type, ctx);
	ctx->doubts.n_corrupt += d->n_corrupt;
	ctx->doubts.n_freed += d->n_freed;
	if (d->corrupt)
		ctx->doubts.corrupt = d->corrupt;
	if (d->freed)
		ctx->doubts.freed = d->freed;
	merge_mapped(&ctx->doubts.mapped, &d->mapped);
}

static struct rme_second *make_second(struct rme_query_ctx *ctx)
{
	struct rme_second *s = rme_arena_alloc(ctx->arena, sizeof *s);
	size_t n = rme_arena_left(ctx->arena) / 4;

	if (!s)
		return NULL;
	s->arena = (struct rme_arena){rme_arena_alloc(ctx->arena, n), n, 0};
	if (!s->arena.base || !rme_helper_thread_init(&s->thread, &s->arena))
		return NULL;
	s->thread.fn = run_second;
	s->thread.arg = s;
	s->thread.watched_ms = ctx->guards->watched_ms;
	s->ctx.py = ctx->py;
	s->ctx.py.arena = &s->arena;
	/* Reading the class that types are told by may fault: under our own guard. */
	return rme_types_init(&s->ctx.py) && rme_walk_pair_init(&ctx->walk, &s->ctx.walk, &s->arena,
	                                                        s->thread.guards, &s->ctx)
	           ? s
	           : NULL;
}

static void begin(struct rme_query_ctx *ctx, struct rme_second *s)
{
	struct rme_types *types = s->ctx.py.types;
	struct rme_walk walk = s->ctx.walk;

	s->ctx = *ctx;
	s->ctx.walk = walk;
	s->ctx.py.types = types;
	s->ctx.arena = s->ctx.py.arena = &s->arena;
	s->ctx.guards = s->ctx.py.guards = s->thread.guards;
	s->ctx.doubts = (struct rme_doubts){0};
	rme_walk_pair_begin(&ctx->walk, &s->ctx.walk);
}

void rme_heap_pair(struct rme_query_ctx *ctx)
{
	struct rme_walk *w = &ctx->walk;

	w->pause_at = 0;
	if (!ctx->second)
		ctx->second = make_second(ctx);
	if (!ctx->second) {
		rme_walk_first(w);
		return;
	}
	begin(ctx, ctx->second);
	if (rme_helper_thread_start(&ctx->second->thread)) {
		rme_walk_pair_run(w);
		rme_helper_thread_join(&ctx->second->thread);
	} else {
		ctx->second->ctx.walk.mine->state = RME_PAIR_GONE; /* alone, then */
		rme_walk_pair_run(w);
	}
	merge(ctx, ctx->second);
}
