/* py-types: how many objects of each type, and their bytes; of the whole heap, or of what
 * an EXPR reaches. */
#include "cpython/facts.h"
#include "cpython/str.h"
#include "cpython/type_name.h"
#include "query/retained.h"
#include "runtime/sort.h"

enum { MAX_NAME = 512, N_LENGTHS = 48, MAX_PARTS = 5 };

/* Objects whose length is 0, 1, 2 and 3, 4 to 7, and so on by powers of two. */
struct length {
	uint64_t n_objects, n_bytes;
};

/* Types of one name (or one module): a program may make the same class many times. */
struct row {
	uint64_t key; /* hash of the name */
	uint64_t module_key;
	struct rme_type *type;
	uint64_t n_types, n_objects, n_bytes;
	struct length *lengths;
};

struct types {
	struct rme_query_ctx *ctx;
	struct row *rows;
	uint64_t n, max;
};

/* The length of what has one; -1 of other objects. */
static int64_t length_of(struct rme_python *py, const struct rme_type *t, rme_addr o)
{
	const struct rme_layout *l = py->layout;

	switch (t->kind) {
	case RME_KIND_STR:
		return rme_i64(o + (uint64_t)l->str_length);
	case RME_KIND_DICT:
	case RME_KIND_ODICT:
	case RME_KIND_DEFAULTDICT:
		return rme_i64(o + (uint64_t)l->dict_used);
	case RME_KIND_SET:
		return rme_i64(o + (uint64_t)l->set_used);
	case RME_KIND_BYTES:
	case RME_KIND_BYTEARRAY:
	case RME_KIND_LIST:
	case RME_KIND_TUPLE:
	case RME_KIND_DEQUE:
	case RME_KIND_ARRAY:
		return rme_i64(o + (uint64_t)l->var_size);
	default:
		return -1;
	}
}

static void count_length(struct rme_query_ctx *ctx, struct rme_type *t, rme_addr o, uint64_t size)
{
	int64_t length = length_of(&ctx->py, t, o);
	unsigned i;

	/* What is in an object takes a byte at least: a longer one is damaged. */
	if (length < 0 || (uint64_t)length > size)
		return;
	if (!t->tally)
		t->tally = rme_arena_alloc(ctx->arena, N_LENGTHS * sizeof(struct length));
	if (!t->tally)
		return;
	i = length ? 64 - (unsigned)__builtin_clzll((uint64_t)length) : 0;
	struct length *slot = (struct length *)t->tally + (i < N_LENGTHS ? i : N_LENGTHS - 1);
	slot->n_objects++;
	slot->n_bytes += size;
}

static void on_whole(void *arg, struct rme_type *t, rme_addr o, uint64_t size)
{
	count_length(arg, t, o, size);
}

/* An object that an EXPR reaches. */
static void on_reached(void *arg, rme_addr o, uint64_t size)
{
	struct rme_query_ctx *ctx = arg;
	struct rme_type *t = rme_type_get(&ctx->py, rme_type_of(&ctx->py, o));

	if (!t)
		return;
	t->n_objects++;
	t->n_bytes += size;
	if (ctx->request->options & RME_BY_LENGTH)
		count_length(ctx, t, o, size);
}

static uint64_t hash(const char *text, size_t n)
{
	uint64_t h = 0xcbf29ce484222325ull; /* FNV-1a */

	while (n--)
		h = (h ^ (uint8_t)*text++) * 0x100000001b3ull;
	return h;
}

/* The full name of a type, and how much of it is the module. */
static void name_of(struct rme_query_ctx *ctx, struct rme_type *t, struct rme_buffer *name,
                    size_t *n_module)
{
	struct rme_python *py = &ctx->py;
	char qualified[MAX_NAME];
	struct rme_buffer q = {qualified, sizeof qualified, 0, false};
	struct rme_guard guard;

	name->size = 0;
	*n_module = 0;
	if (!RME_GUARD(ctx->guards, &guard))
		return;
	rme_type_name_append(py, t->address, name);
	if (t->flags & RME_FLAG_HEAPTYPE)
		rme_str_append(py, rme_ptr(t->address + (uint64_t)py->layout->heaptype_qualname),
		               MAX_NAME, &q);
	rme_guard_pop(ctx->guards, &guard);
	if (q.size && q.size < name->size) {
		*n_module = name->size - q.size - 1;
		return;
	}
	for (size_t i = 0; !q.size && i < name->size; i++)
		if (name->data[i] == '.')
			*n_module = i;
}

static void add_row(void *arg, struct rme_type *t)
{
	struct types *s = arg;
	char text[MAX_NAME];
	struct rme_buffer name = {text, sizeof text, 0, false};
	size_t n_module;

	if (!t->n_objects || s->n == s->max)
		return;
	name_of(s->ctx, t, &name, &n_module);
	s->rows[s->n++] = (struct row){
	    .key = hash(text, name.size),
	    .module_key = hash(text, n_module),
	    .type = t,
	    .n_types = 1,
	    .n_objects = t->n_objects,
	    .n_bytes = t->n_bytes,
	    .lengths = t->tally,
	};
}

static int by_key(const void *x, const void *y)
{
	const struct row *a = x, *b = y;

	return a->key < b->key ? -1 : a->key > b->key;
}

static int by_size(const void *x, const void *y)
{
	const struct row *a = x, *b = y;

	if (a->n_bytes != b->n_bytes)
		return a->n_bytes > b->n_bytes ? -1 : 1;
	if (a->n_objects != b->n_objects)
		return a->n_objects > b->n_objects ? -1 : 1;
	return by_key(x, y);
}

static int by_count(const void *x, const void *y)
{
	const struct row *a = x, *b = y;

	if (a->n_objects != b->n_objects)
		return a->n_objects > b->n_objects ? -1 : 1;
	return by_size(x, y);
}

/* Makes one row of those with the same key; they stand side by side. */
static void merge(struct types *s)
{
	uint64_t n = 0;

	rme_sort(s->rows, s->n, sizeof *s->rows, by_key);
	for (uint64_t i = 0; i < s->n; i++) {
		struct row *row = &s->rows[i], *last = &s->rows[n ? n - 1 : 0];
		if (!n || last->key != row->key) {
			s->rows[n++] = *row;
			continue;
		}
		last->n_types += row->n_types;
		last->n_objects += row->n_objects;
		last->n_bytes += row->n_bytes;
		for (int k = 0; last->lengths && row->lengths && k < N_LENGTHS; k++) {
			last->lengths[k].n_objects += row->lengths[k].n_objects;
			last->lengths[k].n_bytes += row->lengths[k].n_bytes;
		}
	}
	s->n = n;
}

static void sort(const struct rme_query_ctx *ctx, struct row *rows, uint64_t n)
{
	rme_sort(rows, n, sizeof *rows,
	         ctx->request->options & RME_SORT_COUNT ? by_count : by_size);
}

static void report_lengths(struct rme_query_ctx *ctx, const struct length *lengths)
{
	struct rme_json *j = &ctx->json;

	rme_json_array(j, "lengths");
	for (int i = 0; i < N_LENGTHS; i++) {
		if (!lengths[i].n_objects)
			continue;
		rme_json_open(j, NULL);
		rme_json_unsigned(j, "from", i ? 1ull << (i - 1) : 0);
		rme_json_unsigned(j, "to", i ? (1ull << i) - 1 : 0);
		rme_json_unsigned(j, "objects", lengths[i].n_objects);
		rme_json_unsigned(j, "size", lengths[i].n_bytes);
		rme_json_close(j);
	}
	rme_json_array_end(j);
}

static void report_type(struct rme_query_ctx *ctx, const struct row *row)
{
	struct rme_json *j = &ctx->json;
	char text[MAX_NAME];
	struct rme_buffer name = {text, sizeof text, 0, false};
	size_t n_module;

	name_of(ctx, row->type, &name, &n_module);
	rme_json_open(j, NULL);
	rme_json_text(j, "type", text, name.size);
	rme_json_text(j, "module", n_module ? text : "builtins", n_module ? n_module : 8);
	rme_json_address(j, "address", row->type->address);
	rme_json_unsigned(j, "types", row->n_types);
	rme_json_unsigned(j, "objects", row->n_objects);
	rme_json_unsigned(j, "size", row->n_bytes);
	if (row->lengths)
		report_lengths(ctx, row->lengths);
	rme_json_close(j);
}

/* A module's row: `first` stands for it, its types are the `n` of `parts`. */
static void report_module(struct rme_query_ctx *ctx, const struct row *sum, struct row *parts,
                          uint64_t n)
{
	struct rme_json *j = &ctx->json;
	char text[MAX_NAME];
	struct rme_buffer name = {text, sizeof text, 0, false};
	size_t n_module;

	name_of(ctx, sum->type, &name, &n_module);
	rme_json_open(j, NULL);
	rme_json_text(j, "module", n_module ? text : "builtins", n_module ? n_module : 8);
	rme_json_unsigned(j, "types", n);
	rme_json_unsigned(j, "objects", sum->n_objects);
	rme_json_unsigned(j, "size", sum->n_bytes);
	rme_json_array(j, "items");
	sort(ctx, parts, n);
	for (uint64_t i = 0; i < n && i < MAX_PARTS; i++)
		report_type(ctx, &parts[i]);
	rme_json_array_end(j);
	rme_json_close(j);
}

static void report_more(struct rme_query_ctx *ctx, const struct row *rows, uint64_t first,
                        uint64_t n)
{
	struct rme_json *j = &ctx->json;
	uint64_t n_objects = 0, n_bytes = 0;

	for (uint64_t i = first; i < n; i++) {
		n_objects += rows[i].n_objects;
		n_bytes += rows[i].n_bytes;
	}
	rme_json_open(j, "more");
	rme_json_unsigned(j, "items", n > first ? n - first : 0);
	rme_json_unsigned(j, "objects", n_objects);
	rme_json_unsigned(j, "size", n_bytes);
	rme_json_close(j);
}

static int by_module(const void *x, const void *y)
{
	const struct row *a = x, *b = y;

	return a->module_key < b->module_key ? -1 : a->module_key > b->module_key;
}

/* Rows of modules; `key` of each is where its types begin in s->rows. */
static void report_modules(struct types *s, uint64_t limit)
{
	struct rme_query_ctx *ctx = s->ctx;
	struct row *sums = rme_arena_alloc(ctx->arena, (s->n + 1) * sizeof *sums);
	uint64_t n = 0;

	if (!sums)
		return;
	rme_sort(s->rows, s->n, sizeof *s->rows, by_module);
	for (uint64_t i = 0; i < s->n; i++) {
		if (!i || s->rows[i].module_key != s->rows[i - 1].module_key) {
			sums[n] = s->rows[i];
			sums[n].n_types = 0;
			sums[n].key = i;
			n++;
		} else {
			sums[n - 1].n_objects += s->rows[i].n_objects;
			sums[n - 1].n_bytes += s->rows[i].n_bytes;
		}
		sums[n - 1].n_types++;
	}
	sort(ctx, sums, n);
	for (uint64_t i = 0; i < n && i < limit; i++)
		report_module(ctx, &sums[i], &s->rows[sums[i].key], sums[i].n_types);
	rme_json_array_end(&ctx->json);
	report_more(ctx, sums, limit < n ? limit : n, n);
}

static bool collect(struct types *s)
{
	struct rme_query_ctx *ctx = s->ctx;

	s->max = ctx->py.types->n_used;
	s->rows = rme_arena_alloc(ctx->arena, (s->max + 1) * sizeof *s->rows);
	if (!s->rows) {
		rme_error_set(&ctx->error, RME_ERROR_OUT_OF_MEMORY,
		              "not enough address space for the rows");
		return false;
	}
	rme_types_each(&ctx->py, add_row, s);
	merge(s);
	return true;
}

static void report_types(struct types *s, uint64_t limit)
{
	sort(s->ctx, s->rows, s->n);
	for (uint64_t i = 0; i < s->n && i < limit; i++)
		report_type(s->ctx, &s->rows[i]);
	rme_json_array_end(&s->ctx->json);
	report_more(s->ctx, s->rows, limit < s->n ? limit : s->n, s->n);
}

void rme_types_largest(struct rme_query_ctx *ctx, uint64_t limit, const char *key)
{
	struct types s = {.ctx = ctx};

	if (!collect(&s))
		return;
	sort(ctx, s.rows, s.n);
	rme_json_array(&ctx->json, key);
	for (uint64_t i = 0; i < s.n && i < limit; i++)
		report_type(ctx, &s.rows[i]);
	rme_json_array_end(&ctx->json);
}

static void report(struct rme_query_ctx *ctx, const struct rme_size *size)
{
	struct types s = {.ctx = ctx};
	uint64_t limit = ctx->request->limit ? ctx->request->limit : ~0ull;

	if (!collect(&s))
		return;
	rme_json_array(&ctx->json, "items");
	if (ctx->request->options & RME_BY_MODULE)
		report_modules(&s, limit);
	else
		report_types(&s, limit);
	rme_json_unsigned(&ctx->json, "size", size->bytes);
	rme_json_unsigned(&ctx->json, "objects", size->objects);
}

static void types_of_exprs(struct rme_query_ctx *ctx)
{
	rme_addr roots[RME_MAX_FORCED];
	const struct rme_expr *exprs[RME_MAX_FORCED];
	struct rme_size size;
	uint32_t n;

	if (!rme_query_exprs(ctx, roots, exprs, &n))
		return;
	rme_heap_begin(ctx);
	rme_heap_reset_doubts(ctx);
	for (uint32_t i = 0; i < n; i++)
		rme_heap_root(ctx, roots[i], true);
	ctx->threads = false; /* the tally is one thread's */
	ctx->walk.counted = on_reached;
	ctx->walk.counted_ctx = ctx;
	rme_heap_measure(ctx, &size);
	ctx->walk.counted = NULL;
	report(ctx, &size);
}

void rme_query_types(struct rme_query_ctx *ctx)
{
	struct rme_whole w;

	if (ctx->request->exprs.count) {
		types_of_exprs(ctx);
		return;
	}
	if (!rme_whole_init(&w, ctx, NULL))
		return;
	if (ctx->request->options & RME_BY_LENGTH) {
		w.counted = on_whole;
		w.arg = ctx;
	}
	if (rme_whole_walk(&w)) {
		struct rme_size size = {.bytes = w.walk.n_bytes, .objects = w.walk.n_objects};
		report(ctx, &size);
	}
}
