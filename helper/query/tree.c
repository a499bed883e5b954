/* py-mem-print: the references as a tree, the largest first, bounded in depth and in
 * children per node. A node on the way from the root is not entered again. */
#include "cpython/label.h"
#include "cpython/str.h"
#include "query/children.h"

enum { MAX_DEPTH = 64, MAX_CHILDREN = 10000, LABEL_ENTRIES = 1 << 20 };

/* Nodes that are drawn. What is shared is drawn at each place, so a small graph can make a tree
 * that nobody reads. */
enum { MAX_NODES = 20000 };

/* One level of the path that is being drawn. */
struct level {
	rme_addr address;       /* 0: a root that is a frame or several EXPRs */
	struct rme_child *best; /* its children that are drawn */
	rme_addr *names;        /* labels of a frame's locals: str objects, else NULL */
	uint64_t n_best, next;
	uint64_t n_rest;
	struct rme_size rest;
};

struct tree {
	struct rme_query_ctx *ctx;
	struct rme_children children;
	struct level levels[MAX_DEPTH + 1];
	uint32_t depth, max_depth;
	uint64_t max_children;
	uint64_t n_nodes;
	rme_addr *local_names; /* of the root frame, in the order of its locals */
	rme_addr *local_values;
	uint64_t n_locals, max_locals;
	const struct rme_expr **exprs; /* or of the roots that were asked for */
};

static bool on_the_way(const struct tree *t, rme_addr address)
{
	for (uint32_t i = 0; i < t->depth; i++)
		if (t->levels[i].address == address)
			return true;
	return false;
}

static void label_of(struct tree *t, const struct level *parent, const struct rme_child *child,
                     struct rme_buffer *text)
{
	struct rme_query_ctx *ctx = t->ctx;
	struct rme_guard guard;

	if (t->exprs && !parent->address) {
		rme_buffer_bytes(text, t->exprs[child->index] + 1,
		                 t->exprs[child->index]->text_size);
	} else if (parent->names) {
		if (RME_GUARD(ctx->guards, &guard)) {
			rme_str_append(&ctx->py, parent->names[child->index], 200, text);
			rme_guard_pop(ctx->guards, &guard);
		}
	} else {
		rme_label_append(&ctx->py, parent->address, child->address, LABEL_ENTRIES, text);
	}
}

static void write_label(struct tree *t, const struct level *parent, const struct rme_child *child)
{
	char label[1024];
	struct rme_buffer text = {label, sizeof label, 0, false};

	if (parent)
		label_of(t, parent, child, &text);
	if (text.size)
		rme_json_text(&t->ctx->json, "label", label, text.size);
	else
		rme_json_null(&t->ctx->json, "label");
}

/* Starts the children of the node on the current level. */
static void open_children(struct tree *t, struct level *level, const struct rme_size *whole)
{
	level->n_best = rme_children_largest(&t->children, whole, level->best, t->max_children,
	                                     &level->n_rest, &level->rest);
	level->next = 0;
	rme_json_array(&t->ctx->json, "children");
}

static void close_node(struct tree *t, const struct level *level)
{
	struct rme_json *j = &t->ctx->json;

	rme_json_array_end(j);
	rme_json_open(j, "more");
	rme_json_unsigned(j, "children", level->n_rest);
	rme_report_bytes(t->ctx, &level->rest);
	rme_json_close(j);
	rme_json_close(j);
}

static bool enter(struct tree *t, rme_addr address)
{
	struct level *level = &t->levels[t->depth];

	if (!level->best)
		level->best = rme_arena_alloc(t->ctx->arena, t->max_children * sizeof *level->best);
	if (!level->best) {
		rme_error_set(&t->ctx->error, RME_ERROR_OUT_OF_MEMORY,
		              "not enough address space to draw the tree");
		return false;
	}
	level->address = address;
	level->n_best = level->n_rest = level->next = 0;
	level->rest = (struct rme_size){0};
	t->depth++;
	return true;
}

/* An instance's class is not what one looks for below it. True: some were left out. */
static bool hide_classes(struct tree *t)
{
	struct rme_children *c = &t->children;
	struct rme_python *py = &t->ctx->py;
	struct rme_guard guard;
	volatile uint64_t n = 0;

	if (!(t->ctx->request->options & RME_HIDE_CLASSES))
		return false;
	for (volatile uint64_t i = 0; i < c->n_refs; i = i + 1) {
		volatile bool is_class = false;
		if (RME_GUARD(t->ctx->guards, &guard)) {
			struct rme_type *type = rme_type_get(py, rme_type_of(py, c->refs[i]));
			is_class = type && type->is_type;
			rme_guard_pop(t->ctx->guards, &guard);
		}
		if (!is_class) {
			c->refs[n] = c->refs[i];
			n = n + 1;
		}
	}
	bool hidden = n < c->n_refs;
	c->n_refs = n;
	return hidden;
}

/* Writes the node's own members and, where there are any to draw, begins its
 * children. */
static void begin_node(struct tree *t, const struct level *parent, const struct rme_child *child)
{
	struct rme_query_ctx *ctx = t->ctx;
	bool cycle = on_the_way(t, child->address);

	rme_json_open(&ctx->json, NULL);
	write_label(t, parent, child);
	rme_report_object(ctx, child->address, &child->size);
	if (cycle)
		rme_json_bool(&ctx->json, "cycle", true);
	if (!enter(t, child->address))
		return;
	struct level *level = &t->levels[t->depth - 1];
	t->children.n_refs = 0;
	if (!cycle)
		rme_children_collect(&t->children, child->address);
	bool hidden = hide_classes(t);
	bool deep = t->depth > t->max_depth;
	uint64_t n = t->children.n_refs < t->max_children ? t->children.n_refs : t->max_children;
	bool cut = !deep && n && parent && t->n_nodes + n > MAX_NODES;
	ctx->cut |= cut;
	if (cut || deep || rme_children_enough(&t->children)) {
		/* Deeper than asked: the children are counted, and their joint size told. */
		rme_json_array(&ctx->json, "children");
		level->n_rest = t->children.n_refs;
		if (level->n_rest)
			rme_children_joint(&t->children, hidden ? 0 : child->address, &child->size,
			                   &level->rest);
		return;
	}
	t->n_nodes += n;
	open_children(t, level, &child->size);
}

/* Depth first without recursion: levels[0..depth) is the way from the root. What does not
 * fit into the reply is not worked out. */
static void draw(struct tree *t)
{
	while (t->depth && !t->ctx->error.kind) {
		struct level *level = &t->levels[t->depth - 1];
		if (level->next < level->n_best && !t->ctx->walk.cancelled &&
		    !t->ctx->out.overflow) {
			begin_node(t, level, &level->best[level->next++]);
		} else {
			close_node(t, level);
			t->depth--;
		}
	}
}

static int add_local(void *arg, rme_addr name, rme_addr value)
{
	struct tree *t = arg;

	if (!rme_heap_inside(t->ctx, value))
		return 0;
	if (t->n_locals == t->max_locals) {
		t->ctx->n_no_room++;
	} else {
		t->local_names[t->n_locals] = name;
		t->local_values[t->n_locals++] = value;
	}
	return 0;
}

/* The root is what has no object: a frame, or several EXPRs together. Its children are
 * the values in t->local_values. */
static void draw_virtual_root(struct tree *t, const struct rme_size *total)
{
	struct rme_query_ctx *ctx = t->ctx;

	rme_json_open(&ctx->json, "tree");
	rme_json_null(&ctx->json, "label");
	rme_json_null(&ctx->json, "address");
	rme_json_string(&ctx->json, "type", t->exprs ? "together" : "frame");
	if (!t->exprs)
		rme_report_frame(ctx, &ctx->thread, &ctx->frame);
	rme_report_size(ctx, total);
	if (!enter(t, 0))
		return;
	t->levels[0].names = t->exprs ? NULL : t->local_names;
	memcpy(t->children.refs, t->local_values, t->n_locals * sizeof(rme_addr));
	t->children.n_refs = t->n_locals;
	open_children(t, &t->levels[0], total);
	draw(t);
}

static bool tree_of_frame(struct tree *t, struct rme_size *total)
{
	struct rme_query_ctx *ctx = t->ctx;
	struct rme_guard guard;

	if (!rme_query_select(ctx))
		return false;
	if (RME_GUARD(ctx->guards, &guard)) {
		rme_locals_each(&ctx->py, &ctx->frame, add_local, t);
		rme_guard_pop(ctx->guards, &guard);
	}
	if (!rme_children_total(&t->children, t->local_values, t->n_locals, false, total))
		return false;
	draw_virtual_root(t, total);
	rme_children_end(&t->children);
	return true;
}

static bool tree_of_exprs(struct tree *t, struct rme_size *total)
{
	struct rme_query_ctx *ctx = t->ctx;
	rme_addr roots[RME_MAX_FORCED];
	const struct rme_expr *exprs[RME_MAX_FORCED];
	uint32_t n;

	if (!rme_query_exprs(ctx, roots, exprs, &n))
		return false;
	if (!rme_children_total(&t->children, roots, n, true, total))
		return false;
	if (n == 1) {
		struct rme_child child = {roots[0], 0, *total};
		rme_json_key(&ctx->json, "tree");
		begin_node(t, NULL, &child);
		draw(t);
	} else {
		t->exprs = exprs;
		for (uint32_t i = 0; i < n; i++)
			t->local_values[t->n_locals++] = roots[i];
		draw_virtual_root(t, total);
	}
	rme_children_end(&t->children);
	return true;
}

void rme_query_tree(struct rme_query_ctx *ctx)
{
	struct tree *t = rme_arena_alloc(ctx->arena, sizeof *t);
	const struct rme_request *r = ctx->request;
	struct rme_size total;

	if (!t || !rme_children_init(&t->children, ctx))
		return;
	t->ctx = ctx;
	t->max_depth = r->depth && r->depth < MAX_DEPTH ? r->depth : MAX_DEPTH;
	t->max_children = r->limit && r->limit < MAX_CHILDREN ? r->limit : MAX_CHILDREN;
	t->max_locals = 1 << 20;
	t->local_names = rme_arena_alloc(ctx->arena, t->max_locals * sizeof(rme_addr));
	t->local_values = rme_arena_alloc(ctx->arena, t->max_locals * sizeof(rme_addr));
	if (!t->local_names || !t->local_values) {
		rme_error_set(&ctx->error, RME_ERROR_OUT_OF_MEMORY,
		              "not enough address space to draw the tree");
		return;
	}
	if (r->exprs.count ? tree_of_exprs(t, &total) : tree_of_frame(t, &total))
		rme_report_size(ctx, &total);
}
