/* The entries of rememberme.h. */
#include "cpython/boot.h"
#include "query/kept.h"
#include "reply/kinds.h"
#include "runtime/code.h"
#include "runtime/confine.h"
#include "runtime/shared.h"
#include "runtime/snapshot.h"
#include "runtime/sys.h"
#include "runtime/thread.h"

/* Address space, not memory: as much as the largest heap could ask for, halved
 * until the system grants it. */
#define ARENA_MOST  (1ul << 38)
#define ARENA_LEAST (1ul << 26)

static void reply_error(struct rme_block *block, const char *python, size_t n_python,
                        const struct rme_error *error)
{
	struct rme_buffer out = {(char *)block->reply, block->reply_capacity, 0, false};
	struct rme_json j = {&out, false};

	rme_json_open(&j, NULL);
	if (n_python)
		rme_json_text(&j, "python", python, n_python);
	rme_json_open(&j, "error");
	rme_json_string(&j, "kind", rme_error_word(error->kind));
	rme_json_string(&j, "message", error->message);
	if (error->address)
		rme_json_address(&j, "address", error->address);
	rme_json_close(&j);
	rme_json_close(&j);
	block->reply_size = out.size;
}

static void fail(struct rme_block *block, enum rme_error_kind kind, const char *message)
{
	struct rme_error error;

	rme_error_set(&error, kind, message);
	reply_error(block, NULL, 0, &error);
}

/* Does the table lie inside the request? */
static bool table_sound(const struct rme_block *block, struct rme_table table, size_t element)
{
	return !table.count || (table.offset >= sizeof(struct rme_request) && !(table.offset & 7) &&
	                        table.offset <= block->request_size &&
	                        table.count <= (block->request_size - table.offset) / element);
}

/* Do the steps of one EXPR, after its text, fill its record? */
static bool expr_sound(const struct rme_expr *expr)
{
	uint64_t at = sizeof *expr + (((uint64_t)expr->text_size + 7) & ~7ull);

	for (uint32_t i = 0; i < expr->n_steps; i++) {
		const struct rme_step *step = (const void *)((const char *)expr + at);
		if (at + sizeof *step > expr->size)
			return false;
		at += sizeof *step + (((uint64_t)step->size + 7) & ~7ull);
	}
	return at <= expr->size;
}

static bool exprs_sound(const struct rme_block *block, struct rme_table exprs)
{
	uint64_t at = exprs.offset;

	for (uint32_t i = 0; i < exprs.count; i++) {
		const struct rme_expr *expr = (const void *)(block->request + at);
		if (block->request_size - at < sizeof *expr || expr->size & 7 ||
		    expr->size > block->request_size - at || !expr_sound(expr))
			return false;
		at += expr->size;
	}
	return true;
}

/* A zero ends the last of them. */
static bool names_sound(const struct rme_block *block, struct rme_table names)
{
	const char *bytes = (const char *)block->request + names.offset;

	return !names.count || !bytes[names.count - 1];
}

static bool request_sound(const struct rme_block *block)
{
	const struct rme_request *r = (const void *)block->request;

	return r && block->request_size >= sizeof *r && r->abi == RME_ABI &&
	       table_sound(block, r->images, sizeof(struct rme_image)) &&
	       table_sound(block, r->code, sizeof(struct rme_range)) &&
	       table_sound(block, r->threads, sizeof(struct rme_thread)) &&
	       table_sound(block, r->missing, sizeof(struct rme_range)) &&
	       table_sound(block, r->exprs, sizeof(struct rme_expr)) &&
	       table_sound(block, r->mappings, sizeof(struct rme_vma)) &&
	       table_sound(block, r->names, 1) && names_sound(block, r->names) &&
	       exprs_sound(block, r->exprs);
}

static const struct {
	uint32_t number;
	void (*run)(struct rme_query_ctx *ctx);
} queries[] = {
    {RME_QUERY_MEMORY, rme_query_memory},
    {RME_QUERY_TOP, rme_query_top},
    {RME_QUERY_TREE, rme_query_tree},
    {RME_QUERY_FRAMES, rme_query_frames},
    {RME_QUERY_NAMES, rme_query_names},
    {RME_QUERY_INSPECT, rme_query_inspect},
    {RME_QUERY_TYPES, rme_query_types},
    {RME_QUERY_RETAINED, rme_query_retained},
    {RME_QUERY_DOMINATORS, rme_query_dominators},
    {RME_QUERY_WHY, rme_query_why},
    {RME_QUERY_REFERRERS, rme_query_referrers},
    {RME_QUERY_SUMMARY, rme_query_summary},
    {RME_QUERY_NATIVE, rme_query_native},
};

static void run_query(struct rme_query_ctx *ctx)
{
	for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
		if (queries[i].number == ctx->request->query) {
			queries[i].run(ctx);
			return;
		}
	}
	rme_error_set(&ctx->error, RME_ERROR_BAD_REQUEST, "the helper does not know this question");
}

/* Writes the whole reply, an error if need be. `threads`: a second thread may be made, since
 * the process is a snapshot. False: there was too little memory. */
static bool answer(struct rme_block *block, struct rme_arena *arena, struct rme_guards *guards,
                   struct rme_kept *kept, bool threads)
{
	struct rme_query_ctx *ctx = rme_arena_alloc(arena, sizeof *ctx);
	char version[32];
	struct rme_buffer text = {version, sizeof version, 0, false};

	if (!ctx) {
		fail(block, RME_ERROR_OUT_OF_MEMORY, "no address space is left");
		return false;
	}
	ctx->block = block;
	ctx->request = (const void *)block->request;
	ctx->arena = arena;
	ctx->guards = guards;
	ctx->kept = kept;
	ctx->threads = threads && rme_cpus() > 1;
	ctx->owned = !(ctx->request->flags & RME_TRAVERSE_ONLY);
	ctx->classes = !(ctx->request->flags & RME_NO_CLASSES);
	ctx->allocated = ctx->request->flags & RME_ALLOCATED;
	ctx->out = (struct rme_buffer){(char *)block->reply, block->reply_capacity, 0, false};
	ctx->json = (struct rme_json){&ctx->out, false};
	if (rme_python_init(&ctx->py, ctx->request, arena, guards, &ctx->error) &&
	    rme_heap_init(ctx)) {
		if (ctx->allocated)
			rme_allocated_init(&ctx->py);
		rme_version_append(ctx->py.version, &text);
		rme_json_open(&ctx->json, NULL);
		rme_json_text(&ctx->json, "python", version, text.size);
		run_query(ctx);
		rme_report_caveats(ctx);
		rme_json_close(&ctx->json);
	}
	if (block->cancel)
		rme_error_set(&ctx->error, RME_ERROR_CANCELLED,
		              "cancelled; the process is as it was");
	else if (!ctx->error.kind && ctx->out.overflow)
		rme_error_set(&ctx->error, RME_ERROR_REPLY_TOO_LARGE,
		              "the answer is too large to be shown; ask for less with --limit and "
		              "--depth");
	if (ctx->error.kind)
		reply_error(block, version, text.size, &ctx->error);
	else
		block->reply_size = ctx->out.size;
	return ctx->error.kind != RME_ERROR_OUT_OF_MEMORY && !ctx->walk.exhausted;
}

/* The bottom of the arena: the alternate stack of the guard, what is kept, and a snapshot's
 * own stack with an empty page below it. */
#define KEPT_AT        RME_GUARD_STACK
#define BOTTOM         (KEPT_AT + RME_PAGE)
#define SNAPSHOT_STACK (1ul << 20)

static struct rme_guards *guards_of(struct rme_block *block)
{
	return (struct rme_guards *)block->arena;
}

static struct rme_kept *kept_of(struct rme_block *block)
{
	return (struct rme_kept *)(block->arena + KEPT_AT);
}

int64_t rme_prepare(struct rme_block *block)
{
	size_t size = block->arena_size ? block->arena_size : ARENA_MOST;
	uint8_t *base = NULL;

	for (; size >= ARENA_LEAST; size /= 2) {
		base = rme_sys_reserve(size + RME_GUARD_STACK);
		if (base)
			break;
	}
	if (!base)
		return -RME_ENOMEM;
	/* Align by giving back what stands before the boundary. */
	uint64_t aligned = ((uint64_t)base + RME_GUARD_STACK - 1) & ~(RME_GUARD_STACK - 1);
	if (aligned != (uint64_t)base)
		rme_sys_unmap(base, aligned - (uint64_t)base);
	uint64_t end = (uint64_t)base + size + RME_GUARD_STACK;
	if (aligned + size != end)
		rme_sys_unmap((void *)(aligned + size), end - aligned - size);
	block->arena = aligned;
	block->arena_size = size;
	rme_guards_init((void *)aligned);
	rme_guards_watch(guards_of(block), block->object_ms);
	kept_of(block)->bottom = kept_of(block)->floor = BOTTOM;
	return 0;
}

/* The next question finds memory as the first one found it, but for what is kept. */
static void serve(struct rme_block *block, bool threads)
{
	struct rme_kept *kept = kept_of(block);
	struct rme_arena arena = {(uint8_t *)block->arena, block->arena_size, kept->floor};

	if (!request_sound(block)) {
		fail(block, RME_ERROR_BAD_REQUEST, "the request to the helper is damaged");
	} else {
		rme_kept_check(kept, (const void *)block->request);
		bool had = kept->floor > kept->bottom;
		rme_arena_reset(&arena, kept->floor);
		if (!answer(block, &arena, guards_of(block), kept, threads) && had) {
			/* It may have stood in the way. */
			rme_kept_drop(kept);
			rme_arena_reset(&arena, kept->floor);
			answer(block, &arena, guards_of(block), kept, threads);
		}
	}
	__atomic_store_n(&block->state, RME_DONE, __ATOMIC_RELEASE);
	if (threads)
		rme_snapshot_tell(block);
	rme_arena_reset(&arena, kept->floor);
}

int64_t rme_answer(struct rme_block *block)
{
	serve(block, false);
	return RME_DONE;
}

static bool valid(const struct rme_block *block)
{
	return block->magic == RME_MAGIC && block->abi == RME_ABI;
}

int64_t rme_run(struct rme_block *block)
{
	if (!valid(block))
		return -RME_EINVAL;
	int64_t r = rme_prepare(block);
	if (r < 0)
		return r;
	r = rme_answer(block);
	rme_guards_deinit(guards_of(block));
	rme_sys_unmap((void *)block->arena, block->arena_size);
	return r;
}

/* Code of types may not run where it could reach the process that this is a snapshot of. */
static void confine(struct rme_block *block)
{
#ifndef __SANITIZE_ADDRESS__ /* whose own code makes system calls */
	if (!rme_shared_protect((uint64_t)block) || rme_confine(rme_own_code(), -1) < 0)
		block->flags |= RME_NO_CODE;
#else
	(void)block;
#endif
}

static void serve_on_stack(void *arg)
{
	struct rme_block *block = arg;

	confine(block);
	for (;;) {
		rme_snapshot_await(block);
		struct rme_request *r = (struct rme_request *)block->request;
		if (r->thread_pointer)
			rme_syscall6(RME_SYS_arch_prctl, RME_ARCH_SET_FS, (long)r->thread_pointer,
			             0, 0, 0, 0);
		if (block->flags & RME_NO_CODE)
			r->flags |= RME_LAYOUTS_ONLY;
		serve(block, true);
	}
}

/* The snapshot works on a stack of its own: the debuggee's may be about to
 * overflow, and its guard page is no place to learn that. */
static void serve_in_snapshot(struct rme_block *block)
{
	if (rme_prepare(block) < 0) {
		fail(block, RME_ERROR_OUT_OF_MEMORY,
		     "no address space could be reserved for the walk in the snapshot of "
		     "the process; is there a limit on its virtual memory?");
		__atomic_store_n(&block->state, RME_DONE, __ATOMIC_RELEASE);
		return;
	}
	struct rme_kept *kept = kept_of(block);
	rme_sys_close((void *)(block->arena + BOTTOM), RME_PAGE);
	kept->bottom = kept->floor = BOTTOM + RME_PAGE + SNAPSHOT_STACK;
	rme_cpu_run_on_stack((void *)(block->arena + kept->bottom), serve_on_stack, block);
}

int64_t rme_snapshot(struct rme_block *block)
{
	return valid(block) ? rme_snapshot_orphan(block, serve_in_snapshot) : -RME_EINVAL;
}

int64_t rme_start(struct rme_block *block, uint64_t wait_ms)
{
	if (!valid(block))
		return -RME_EINVAL;
	int64_t pid = rme_snapshot_start(block, serve_in_snapshot);
	return pid < 0 ? pid : rme_snapshot_wait(block, wait_ms);
}

int64_t rme_wait(struct rme_block *block, uint64_t wait_ms)
{
	return rme_snapshot_wait(block, wait_ms);
}

int64_t rme_stop(struct rme_block *block)
{
	rme_snapshot_stop(block);
	return 0;
}
