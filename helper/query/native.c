/* py-native: the blocks of native memory, by who reaches them. */
#include "query/native_map.h"
#include "runtime/sort.h"

enum { MAX_CLASSES = 1 << 16, MAX_TEXT = 24 };

/* Blocks that nothing reaches, alike in size and in what they look like. */
struct block_class {
	uint64_t size, n_blocks;
	uint64_t n_interior;   /* more of them, which are only pointed into */
	struct rme_type *type; /* of objects; NULL: they are none */
	rme_addr example;
};

static void report_blocks(struct rme_json *j, const char *key, uint64_t n, uint64_t bytes)
{
	rme_json_open(j, key);
	rme_json_unsigned(j, "blocks", n);
	rme_json_unsigned(j, "bytes", bytes);
	rme_json_close(j);
}

static void report_malloc(struct rme_native_map *m)
{
	struct rme_json *j = &m->ctx->json;
	const struct rme_malloc *malloc = &m->malloc;
	uint64_t n_free = 0, free_bytes = 0, n_cached = 0, cached_bytes = 0, n = 0, bytes = 0;

	for (uint32_t i = 1; i < m->n_owners; i++) {
		n += m->owners[i].n_blocks;
		bytes += m->owners[i].bytes;
	}
	for (uint32_t i = 0; i < malloc->n_arenas; i++) {
		n_free += malloc->arenas[i].n_free + malloc->arenas[i].n_cached;
		free_bytes += malloc->arenas[i].free_bytes + malloc->arenas[i].cached_bytes;
		n_cached += malloc->arenas[i].n_cached;
		cached_bytes += malloc->arenas[i].cached_bytes;
	}
	report_blocks(j, "in_use", n + m->owners[0].n_blocks, bytes + m->owners[0].bytes);
	report_blocks(j, "objects", m->n_object_blocks, m->object_bytes);
	report_blocks(j, "free", n_free, free_bytes);
	report_blocks(j, "cached", n_cached, cached_bytes);
	report_blocks(j, "mapped", malloc->n_mapped, malloc->mapped_bytes);
	rme_json_array(j, "arenas");
	for (uint32_t i = 0; i < malloc->n_arenas; i++) {
		const struct rme_malloc_arena *a = &malloc->arenas[i];
		rme_json_open(j, NULL);
		rme_json_address(j, "address", a->at);
		rme_json_unsigned(j, "system", a->system_bytes);
		rme_json_unsigned(j, "used", a->used_bytes);
		rme_json_unsigned(j, "free", a->free_bytes + a->cached_bytes);
		rme_json_unsigned(j, "top", a->top_bytes);
		rme_json_close(j);
	}
	rme_json_array_end(j);
}

static int by_bytes(const void *x, const void *y)
{
	const struct rme_native_owner *a = x, *b = y;

	if (a->bytes != b->bytes)
		return a->bytes > b->bytes ? -1 : 1;
	return a->example < b->example ? -1 : a->example > b->example;
}

static void report_owner(struct rme_query_ctx *ctx, const struct rme_native_owner *o)
{
	struct rme_json *j = &ctx->json;

	rme_json_open(j, NULL);
	switch (o->kind) {
	case RME_NATIVE_TYPE:
		rme_json_string(j, "kind", "type");
		rme_report_type(ctx, "name", o->type->address);
		break;
	case RME_NATIVE_LIBRARY:
		rme_json_string(j, "kind", "library");
		rme_json_string(j, "name", o->name);
		break;
	case RME_NATIVE_THREAD:
		rme_json_string(j, "kind", "thread");
		rme_json_unsigned(j, "name", o->number);
		break;
	case RME_NATIVE_INTERIOR:
		rme_json_string(j, "kind", "interior");
		rme_json_null(j, "name");
		break;
	case RME_NATIVE_MEMORY:
		rme_json_string(j, "kind", "memory");
		rme_json_null(j, "name");
		break;
	default:
		rme_json_string(j, "kind", "nobody");
		rme_json_null(j, "name");
	}
	rme_json_unsigned(j, "blocks", o->n_blocks);
	rme_json_unsigned(j, "bytes", o->bytes);
	rme_json_address(j, "example", o->example);
	rme_json_close(j);
}

static void report_owners(struct rme_native_map *m)
{
	struct rme_query_ctx *ctx = m->ctx;
	struct rme_json *j = &ctx->json;
	uint64_t limit = ctx->request->limit ? ctx->request->limit : UINT64_MAX, n = 0;
	struct rme_native_owner more = {0};

	rme_sort(m->owners, m->n_owners, sizeof *m->owners, by_bytes);
	rme_json_array(j, "owners");
	for (uint32_t i = 0; i < m->n_owners && m->owners[i].n_blocks; i++) {
		if (i < limit) {
			report_owner(ctx, &m->owners[i]);
			continue;
		}
		n++;
		more.n_blocks += m->owners[i].n_blocks;
		more.bytes += m->owners[i].bytes;
	}
	rme_json_array_end(j);
	rme_json_open(j, "more");
	rme_json_unsigned(j, "owners", n);
	rme_json_unsigned(j, "blocks", more.n_blocks);
	rme_json_unsigned(j, "bytes", more.bytes);
	rme_json_close(j);
}

static int by_class_bytes(const void *x, const void *y)
{
	const struct block_class *a = x, *b = y;
	uint64_t p = a->size * a->n_blocks, q = b->size * b->n_blocks;

	if (p != q)
		return p > q ? -1 : 1;
	if (a->n_interior != b->n_interior)
		return a->n_interior > b->n_interior ? -1 : 1;
	return a->example < b->example ? -1 : a->example > b->example;
}

/* Counts a block in its class: open addressing. False: there are too many classes. */
static bool count_class(struct block_class *classes, const struct rme_native_block *block,
                        struct rme_type *type, bool interior)
{
	uint64_t size = rme_block_usable(block);
	uint64_t i = ((size ^ (uint64_t)type) * 0x9e3779b97f4a7c15ull) >> 48;

	for (int tries = 0; tries < MAX_CLASSES; tries++, i = (i + 1) & (MAX_CLASSES - 1)) {
		struct block_class *c = &classes[i];
		if (c->example && (c->size != size || c->type != type))
			continue;
		if (!c->example || (!c->n_blocks && !interior))
			c->example = block->at;
		c->size = size;
		c->type = type;
		c->n_blocks += !interior;
		c->n_interior += interior;
		return true;
	}
	return false;
}

/* What a block begins with, where that is text. */
static void report_text(struct rme_query_ctx *ctx, rme_addr at, uint64_t size)
{
	char text[MAX_TEXT];
	volatile uint64_t n = 0;
	struct rme_guard guard;

	if (RME_GUARD(ctx->guards, &guard)) {
		for (; n < sizeof text && n < size; n++) {
			uint8_t c = rme_u8(at + n);
			if (c < 0x20 || c > 0x7e)
				break;
			text[n] = (char)c;
		}
		rme_guard_pop(ctx->guards, &guard);
	}
	if (n >= 4)
		rme_json_text(&ctx->json, "text", text, n);
	else
		rme_json_null(&ctx->json, "text");
}

static void report_class(struct rme_query_ctx *ctx, const struct block_class *c)
{
	struct rme_json *j = &ctx->json;

	rme_json_open(j, NULL);
	if (c->type)
		rme_report_type(ctx, "type", c->type->address);
	else
		rme_json_null(j, "type");
	rme_json_unsigned(j, "size", c->size);
	rme_json_unsigned(j, "blocks", c->n_blocks);
	rme_json_unsigned(j, "bytes", c->size * c->n_blocks);
	rme_json_unsigned(j, "pointed_into", c->n_interior);
	rme_json_address(j, "example", c->example);
	report_text(ctx, c->example, c->size);
	rme_json_close(j);
}

static void report_unreferenced(struct rme_native_map *m)
{
	struct rme_query_ctx *ctx = m->ctx;
	struct rme_json *j = &ctx->json;
	struct block_class *classes = rme_arena_alloc(ctx->arena, MAX_CLASSES * sizeof *classes);
	uint64_t limit = ctx->request->limit ? ctx->request->limit : UINT64_MAX, n = 0;
	uint64_t n_shown;

	rme_json_open(j, "unreferenced");
	rme_json_unsigned(j, "blocks", m->owners[0].n_blocks);
	rme_json_unsigned(j, "bytes", m->owners[0].bytes);
	rme_json_array(j, "sizes");
	for (uint64_t i = 0; classes && i < m->blocks.n; i++)
		if (m->blocks.owner[i] <= RME_OWNER_INTERIOR &&
		    !count_class(classes, &m->blocks.items[i],
		                 rme_native_map_object(m, &m->blocks.items[i]),
		                 m->blocks.owner[i] == RME_OWNER_INTERIOR))
			break; /* what is left is among the rest */
	if (classes)
		rme_sort(classes, MAX_CLASSES, sizeof *classes, by_class_bytes);
	for (n_shown = 0; classes && n < MAX_CLASSES && n < limit && classes[n].n_blocks; n++) {
		report_class(ctx, &classes[n]);
		n_shown += classes[n].n_blocks;
	}
	rme_json_array_end(j);
	rme_json_open(j, "more");
	rme_json_unsigned(j, "blocks", m->owners[0].n_blocks - n_shown);
	rme_json_close(j);
	rme_json_close(j);
}

void rme_query_native(struct rme_query_ctx *ctx)
{
	struct rme_native_map *m = rme_arena_alloc(ctx->arena, sizeof *m);

	if (!m || !rme_native_map_init(m, ctx))
		return;
	if (m->has_malloc)
		rme_json_string(&ctx->json, "allocator", "glibc");
	else
		rme_json_null(&ctx->json, "allocator");
	report_malloc(m);
	report_unreferenced(m);
	report_owners(m);
}
