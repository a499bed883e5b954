/* The names that an EXPR may begin with in the selected frame, for completion. */
#include "cpython/dict.h"
#include "cpython/str.h"
#include "query/query.h"

enum { MAX_NAMES = 20000, MAX_LOCALS = 1000 };

struct names {
	struct rme_query_ctx *ctx;
	rme_addr locals[MAX_LOCALS];
	uint32_t n_locals;
	uint32_t n;
};

static bool is_local(const struct names *s, rme_addr name)
{
	for (uint32_t i = 0; i < s->n_locals; i++)
		if (s->locals[i] == name)
			return true;
	return false;
}

/* Names are interned, so a global that a local hides is the same str. A key that is no
 * str, and the compiler's own names (".0"), cannot be typed. */
static int add(struct names *s, rme_addr name)
{
	char bytes[512];
	struct rme_buffer text = {bytes, sizeof bytes, 0, false};

	if (s->n == MAX_NAMES)
		return 1;
	if (!is_local(s, name) && rme_is_object(&s->ctx->py, name) &&
	    rme_str_append(&s->ctx->py, name, 100, &text) && text.size && bytes[0] != '.') {
		rme_json_text(&s->ctx->json, NULL, bytes, text.size);
		s->n++;
	}
	return 0;
}

static int on_local(void *arg, rme_addr name, rme_addr value)
{
	struct names *s = arg;
	int stop = add(s, name);

	(void)value;
	if (s->n_locals < MAX_LOCALS)
		s->locals[s->n_locals++] = name;
	return stop;
}

static void all_names(struct names *s)
{
	struct rme_query_ctx *ctx = s->ctx;
	struct rme_dict_iter it = {0};

	rme_locals_each(&ctx->py, &ctx->frame, on_local, s);
	if (ctx->frame.globals == ctx->frame.locals)
		return;
	while (rme_dict_next(&ctx->py, ctx->frame.globals, &it))
		if (add(s, it.key))
			break;
}

void rme_query_names(struct rme_query_ctx *ctx)
{
	struct names names = {.ctx = ctx};
	struct rme_guard guard;

	if (!rme_query_select(ctx))
		return;
	rme_json_array(&ctx->json, "names");
	if (RME_GUARD(ctx->guards, &guard)) {
		all_names(&names);
		rme_guard_pop(ctx->guards, &guard);
	}
	rme_json_array_end(&ctx->json);
}
