#include "query/chain.h"

#include "cpython/attribute.h"
#include "cpython/holds.h"
#include "cpython/str.h"

uint64_t rme_chain_length(const struct rme_paths *paths, uint32_t node)
{
	uint64_t n = 0;

	for (; node != paths->root; node = paths->before[node])
		n++;
	return n;
}

uint32_t rme_chain_first(const struct rme_paths *paths, uint32_t node)
{
	while (paths->before[node] != paths->root)
		node = paths->before[node];
	return node;
}

struct chain {
	struct rme_heap_graph *g;
	struct rme_query_ctx *ctx;
	/* from the root on; RME_NO_NODE stands for what is left out */
	uint32_t nodes[RME_CHAIN_STEPS];
	uint64_t n, n_elided;
	uint64_t first; /* the node that the first step shows */
	struct rme_buffer expr;
	bool named; /* expr is right so far */
};

/* The last half of the path is found going back; of the rest the beginning. */
static void collect(struct chain *c, const struct rme_paths *paths, uint32_t before, uint32_t node)
{
	uint64_t n = before == paths->root ? 1 : rme_chain_length(paths, before) + 1;
	uint64_t n_shown = n < RME_CHAIN_STEPS ? n : RME_CHAIN_STEPS;
	uint64_t n_front = n > n_shown ? n_shown / 2 : n_shown;

	c->n = n_shown;
	c->n_elided = n - n_shown;
	for (uint64_t i = n; i--;
	     node = before, before = node == paths->root ? node : paths->before[node]) {
		if (i < n_front)
			c->nodes[i] = node;
		else if (i >= n_front + c->n_elided)
			c->nodes[i - c->n_elided] = node;
	}
	if (c->n_elided) {
		c->nodes[n_front] = RME_NO_NODE;
		c->n_elided++;
	}
}

static rme_addr address_of(const struct chain *c, uint64_t i)
{
	return rme_heap_graph_address(c->g, c->nodes[i]);
}

/* `["name"]` of an attribute becomes `.name`. */
static bool as_attribute(struct rme_buffer *label)
{
	char *text = label->data;
	size_t n = label->size;

	if (n < 5 || text[0] != '[' || text[1] != '"' || text[n - 2] != '"')
		return false;
	for (size_t i = 2; i < n - 2; i++) {
		char ch = text[i];
		bool letter = (ch | 32) >= 'a' && (ch | 32) <= 'z';
		if (!letter && ch != '_' && !((ch >= '0' && ch <= '9') && i > 2) &&
		    (uint8_t)ch < 128)
			return false;
	}
	text[0] = '.';
	memmove(text + 1, text + 2, n - 4);
	label->size = n - 3;
	return true;
}

/* The dict of an instance, class or module, on the way to one of its values. */
static bool is_namespace(struct chain *c, uint64_t i)
{
	struct rme_query_ctx *ctx = c->ctx;
	struct rme_guard guard;
	volatile bool is = false;

	if (i + 1 >= c->n || c->nodes[i] == RME_NO_NODE || c->nodes[i + 1] == RME_NO_NODE || !i ||
	    c->nodes[i - 1] == RME_NO_NODE)
		return false;
	if (RME_GUARD(ctx->guards, &guard)) {
		rme_addr holder = address_of(c, i - 1), dict = address_of(c, i);
		is = rme_is_a(&ctx->py, dict, RME_DICT_SUBCLASS) &&
		     rme_instance_dict(&ctx->py, holder) == dict;
		rme_guard_pop(ctx->guards, &guard);
	}
	return is;
}

static void report_step(struct chain *c, const struct rme_buffer *label, uint64_t i)
{
	struct rme_json *j = &c->ctx->json;
	struct rme_guard guard;
	volatile rme_addr type = 0;
	rme_addr object = address_of(c, i);

	rme_json_open(j, NULL);
	if (label->size)
		rme_json_text(j, "label", label->data, label->size);
	else
		rme_json_null(j, "label");
	rme_json_address(j, "address", object);
	if (RME_GUARD(c->ctx->guards, &guard)) {
		type = rme_type_of(&c->ctx->py, object);
		rme_guard_pop(c->ctx->guards, &guard);
	}
	rme_report_type(c->ctx, "type", type);
	rme_json_close(j);
	/* Labels that can stand in an EXPR begin so; the first is in it already. */
	if (i <= c->first)
		return;
	if (!label->size || (label->data[0] != '.' && label->data[0] != '['))
		c->named = false;
	rme_buffer_bytes(&c->expr, label->data, label->size);
}

/* What a module's namespace or a frame calls node number `i`. */
static void name_first(struct chain *c, const struct rme_root *root, uint64_t i,
                       struct rme_buffer *label)
{
	struct rme_python *py = &c->ctx->py;

	if (root->kind != RME_ROOT_MODULE) {
		rme_str_append(py, root->name, 200, label);
		rme_str_append(py, root->name, 200, &c->expr);
		c->named = true;
		return;
	}
	if (!i)
		return;
	rme_hold_append(py, address_of(c, 0), address_of(c, i), label);
	if (as_attribute(label)) {
		memmove(label->data, label->data + 1, --label->size);
		c->named = rme_str_append(py, root->name, 200, &c->expr);
		rme_buffer_char(&c->expr, ':');
		rme_buffer_bytes(&c->expr, label->data, label->size);
	}
}

/* The root, and the first step. A module's namespace is no
 * step, nor the cell of a variable that inner functions share. */
static void report_first(struct chain *c, const struct rme_root *root, struct rme_buffer *label)
{
	struct rme_query_ctx *ctx = c->ctx;
	bool inner = c->n > 1 && c->nodes[1] != RME_NO_NODE;
	struct rme_guard guard;

	rme_heap_graph_root_append(c->g, root, c->nodes[0], label);
	rme_json_text(&ctx->json, "root", label->data, label->size);
	rme_json_array(&ctx->json, "steps");
	label->size = 0;
	if (root && root->name && RME_GUARD(ctx->guards, &guard)) {
		rme_addr object = address_of(c, 0);
		if (inner && (root->kind == RME_ROOT_MODULE
		                  ? rme_is_a(&ctx->py, object, RME_DICT_SUBCLASS)
		                  : rme_type_of(&ctx->py, object) == ctx->py.sym.cell))
			c->first = 1;
		name_first(c, root, c->first, label);
		rme_guard_pop(ctx->guards, &guard);
	}
	report_step(c, label, c->first);
}

void rme_chain_report(struct rme_heap_graph *g, const struct rme_paths *paths,
                      const struct rme_root *root, uint32_t before, uint32_t node)
{
	struct chain c = {.g = g, .ctx = g->whole.ctx};
	char text[RME_CHAIN_TEXT], expr[RME_CHAIN_TEXT];
	struct rme_buffer label = {text, sizeof text, 0, false};
	struct rme_json *j = &c.ctx->json;

	c.expr = (struct rme_buffer){expr, sizeof expr, 0, false};
	collect(&c, paths, before, node);
	report_first(&c, root, &label);
	for (uint64_t i = c.first + 1; i < c.n; i++) {
		label.size = 0;
		if (c.nodes[i] == RME_NO_NODE) {
			c.named = false;
			continue;
		}
		if (c.nodes[i - 1] == RME_NO_NODE) {
			report_step(&c, &label, i);
			continue;
		}
		if (is_namespace(&c, i)) {
			rme_hold_append(&c.ctx->py, address_of(&c, i), address_of(&c, i + 1),
			                &label);
			if (as_attribute(&label)) {
				report_step(&c, &label, ++i);
				continue;
			}
			label.size = 0;
		}
		rme_hold_append(&c.ctx->py, address_of(&c, i - 1), address_of(&c, i), &label);
		report_step(&c, &label, i);
	}
	rme_json_array_end(j);
	if (c.named && !c.expr.overflow)
		rme_json_text(j, "expr", expr, c.expr.size);
	else
		rme_json_null(j, "expr");
	if (c.n_elided)
		rme_json_unsigned(j, "elided", c.n_elided);
}
