#include "query/kept.h"

#include "runtime/snapshot.h"
#include "runtime/sys.h"

enum { MAGIC = 0x48505247, CHUNK_BYTES = RME_CHUNK_WORDS * 8, MORE_PIECES = 16 };

/* No pointers: the graph is taken by another process, at other places. */
struct head {
	struct rme_kept kept;
	uint64_t made_of; /* what the graph depends on besides the memory */
	uint64_t n_edges, n_big, n_held, n_types;
	uint64_t n_objects, n_bytes; /* of the walk */
	struct rme_doubts doubts;
	uint32_t n_nodes, n_chunks, n_odd, n_named;
	uint64_t n_no_room;
	uint32_t lists, exhausted;
};

/* What a walk tallies by type: in the order in which it met them. */
struct type {
	rme_addr address, example;
	uint64_t n_objects, n_bytes, n_estimated, n_inferred, n_faults;
};

struct kept {
	struct rme_heap_graph *g;
	struct rme_query_ctx *ctx;
	struct head *head;
	uint32_t *numbers, *odd_numbers;
	struct type *types;
	struct rme_range *pieces;
	uint64_t n_pieces, total;
};

static uint64_t mix(uint64_t hash, const void *data, size_t n)
{
	for (size_t i = 0; i < n; i++)
		hash = (hash ^ ((const uint8_t *)data)[i]) * 0x100000001b3ull; /* FNV-1a */
	return hash;
}

static uint64_t mix_table(uint64_t hash, const struct rme_request *r, struct rme_table table,
                          size_t element)
{
	hash = mix(hash, &table.count, sizeof table.count);
	return mix(hash, (const char *)r + table.offset, table.count * element);
}

static uint64_t made_of(const struct rme_request *r)
{
	uint32_t flags = r->flags & (RME_CHECK_CODE | RME_LAYOUTS_ONLY),
		 root = sizeof(struct rme_root);
	uint64_t hash = mix(0xcbf29ce484222325ull, &flags, sizeof flags);

	hash = mix(hash, &root, sizeof root);
	hash = mix(hash, &r->runtime, sizeof r->runtime);
	hash = mix_table(hash, r, r->images, sizeof(struct rme_image));
	hash = mix_table(hash, r, r->code, sizeof(struct rme_range));
	hash = mix_table(hash, r, r->threads, sizeof(struct rme_thread));
	return mix_table(hash, r, r->missing, sizeof(struct rme_range));
}

static void add_piece(struct kept *k, const void *start, uint64_t size)
{
	if (!size)
		return;
	k->pieces[k->n_pieces++] = (struct rme_range){(uint64_t)start, (uint64_t)start + size};
	k->total += size;
}

static void add_arrays(struct kept *k)
{
	const struct rme_heap_graph *g = k->g;
	const struct head *h = k->head;

	add_piece(k, g->out.first, (h->n_nodes + 2ull) * sizeof *g->out.first);
	add_piece(k, g->out.to, h->n_edges * sizeof *g->out.to);
	add_piece(k, g->size, h->n_nodes * sizeof *g->size);
	add_piece(k, g->type, h->n_nodes * sizeof *g->type);
	add_piece(k, g->big, h->n_big * sizeof *g->big);
	add_piece(k, g->held, h->n_held * sizeof *g->held);
	add_piece(k, g->whole.roots, h->n_named * sizeof *g->whole.roots);
	add_piece(k, k->types, h->n_types * sizeof *k->types);
}

/* Offering */

static bool list_types(struct kept *k)
{
	const struct rme_heap_graph *g = k->g;

	k->head->n_types = g->n_types;
	k->types = rme_arena_alloc(k->ctx->arena, (g->n_types + 1) * sizeof *k->types);
	for (uint64_t i = 0; k->types && i < g->n_types; i++) {
		const struct rme_type *t = g->types[i];
		if (!t)
			continue;
		k->types[i] = (struct type){t->address,     t->example,    t->n_objects, t->n_bytes,
		                            t->n_estimated, t->n_inferred, t->n_faults};
	}
	return k->types;
}

static bool list_odd(struct kept *k)
{
	const struct rme_index *x = &k->g->index;

	k->odd_numbers = rme_arena_alloc(k->ctx->arena, (x->n_chunks + 1) * sizeof *k->odd_numbers);
	for (uint64_t i = 0; k->odd_numbers && i < x->n_chunks; i++)
		if (x->odd.directory[x->numbers[i]])
			k->odd_numbers[k->head->n_odd++] = x->numbers[i];
	return k->odd_numbers;
}

static void describe(struct kept *k)
{
	const struct rme_heap_graph *g = k->g;

	k->head->kept.magic = MAGIC;
	k->head->kept.size = sizeof *k->head;
	k->head->made_of = made_of(k->ctx->request);
	k->head->n_edges = g->out.first[g->out.n];
	k->head->n_big = g->n_big;
	k->head->n_held = g->n_held;
	k->head->n_objects = g->whole.walk.n_objects;
	k->head->n_bytes = g->whole.walk.n_bytes;
	k->head->doubts = k->ctx->doubts;
	k->head->n_nodes = g->root;
	k->head->n_chunks = (uint32_t)g->index.n_chunks;
	k->head->n_named = g->n_named;
	k->head->n_no_room = k->ctx->n_no_room;
	k->head->lists = k->ctx->lists;
	k->head->exhausted = k->ctx->walk.exhausted;
}

static bool list_pieces(struct kept *k)
{
	const struct rme_index *x = &k->g->index;

	k->head = rme_arena_alloc(k->ctx->arena, sizeof *k->head);
	if (!k->head || !list_types(k) || !list_odd(k))
		return false;
	describe(k);
	k->pieces = rme_arena_alloc(k->ctx->arena, (x->n_chunks + k->head->n_odd + MORE_PIECES) *
	                                               sizeof *k->pieces);
	if (!k->pieces)
		return false;
	add_piece(k, k->head, sizeof *k->head);
	k->total = 0;
	add_piece(k, x->numbers, x->n_chunks * sizeof *x->numbers);
	for (uint64_t i = 0; i < x->n_chunks; i++)
		add_piece(k, x->visited->directory[x->numbers[i]], CHUNK_BYTES);
	add_piece(k, k->odd_numbers, k->head->n_odd * sizeof *k->odd_numbers);
	for (uint64_t i = 0; i < k->head->n_odd; i++)
		add_piece(k, x->odd.directory[k->odd_numbers[i]], CHUNK_BYTES);
	add_arrays(k);
	k->head->kept.total = k->total;
	return true;
}

/* Reads or writes the pieces one after the other. */
static bool transfer(const struct kept *k, long call)
{
	for (uint64_t i = 0; i < k->n_pieces; i++)
		for (uint64_t at = k->pieces[i].start; at < k->pieces[i].end;) {
			enum { MOST = 1 << 24 }; /* so that a Ctrl-C is seen */
			uint64_t n = k->pieces[i].end - at;
			long r = rme_syscall6(call, k->ctx->block->kept_fd, (long)at,
			                      (long)(n < MOST ? n : MOST), 0, 0, 0);
			if (r <= 0 || k->ctx->block->cancel)
				return false;
			at += (uint64_t)r;
		}
	return true;
}

static bool exchange(struct kept *k, uint32_t state, long call)
{
	struct rme_block *block = k->ctx->block;

	if (!k->ctx->snapshot)
		return block->kept_fd > 0 && transfer(k, call);
	block->pieces = (uint64_t)k->pieces;
	block->n_pieces = k->n_pieces;
	return rme_snapshot_ask(block, state);
}

void rme_kept_offer(const struct rme_heap_graph *g)
{
	struct rme_query_ctx *ctx = g->whole.ctx;
	struct kept k = {.g = (struct rme_heap_graph *)g, .ctx = ctx};
	uint64_t least = ctx->request->keep_from;

	if (least && g->root >= least && list_pieces(&k))
		exchange(&k, RME_OFFERED, RME_SYS_write);
}

/* Taking */

static void *room(struct kept *k, uint64_t n, size_t size)
{
	return rme_arena_alloc(k->ctx->arena, (n + 1) * size);
}

static bool sound_head(const struct rme_request *r, const struct head *h)
{
	const struct rme_kept *kept = &h->kept;

	return r->kept.count == sizeof *h && kept->magic == MAGIC && kept->size == sizeof *h &&
	       h->made_of == made_of(r) && h->n_nodes < RME_NO_NODE - 1 &&
	       h->n_edges < RME_NO_NODE && h->n_big <= RME_MAX_BIG && h->n_held <= h->n_nodes &&
	       h->n_named <= h->n_edges && h->n_types <= 1u << 28 &&
	       h->n_chunks <= 1u << (RME_ADDRESS_BITS - RME_CHUNK_SHIFT) && h->n_odd <= h->n_chunks;
}

/* As build() of heap_graph.c lays it out. */
static bool make_room(struct kept *k, uint64_t **bitmaps, uint64_t **odd)
{
	struct rme_heap_graph *g = k->g;
	const struct head *h = k->head;
	uint64_t n = h->n_nodes;

	k->numbers = room(k, h->n_chunks, sizeof *k->numbers);
	*bitmaps = room(k, h->n_chunks, CHUNK_BYTES);
	k->odd_numbers = room(k, h->n_odd, sizeof *k->odd_numbers);
	*odd = room(k, h->n_odd, CHUNK_BYTES);
	g->out.first = room(k, n + 1, sizeof *g->out.first);
	g->out.to = room(k, h->n_edges < 2 * (n + 1) ? 2 * (n + 1) : h->n_edges, sizeof *g->out.to);
	g->size = room(k, n, sizeof *g->size);
	g->type = room(k, n, sizeof *g->type);
	g->types = room(k, h->n_types, sizeof *g->types);
	g->spare = room(k, n, sizeof *g->spare);
	g->big = room(k, RME_MAX_BIG, sizeof *g->big);
	g->held = room(k, h->n_held, sizeof *g->held);
	g->whole.roots = room(k, h->n_named, sizeof *g->whole.roots);
	k->types = room(k, h->n_types, sizeof *k->types);
	k->pieces = room(k, MORE_PIECES, sizeof *k->pieces);
	if (!k->numbers || !*bitmaps || !k->odd_numbers || !*odd || !g->out.first || !g->out.to ||
	    !g->size || !g->type || !g->types || !g->spare || !g->big || !g->held ||
	    !g->whole.roots || !k->types || !k->pieces)
		return false;
	add_piece(k, k->numbers, h->n_chunks * sizeof *k->numbers);
	add_piece(k, *bitmaps, (uint64_t)h->n_chunks * CHUNK_BYTES);
	add_piece(k, k->odd_numbers, h->n_odd * sizeof *k->odd_numbers);
	add_piece(k, *odd, (uint64_t)h->n_odd * CHUNK_BYTES);
	add_arrays(k);
	return k->total == h->kept.total;
}

/* Do the edges lead from nodes to nodes, in order? */
static bool sound_edges(const struct rme_csr *out, const struct head *h)
{
	uint32_t last = 0, highest = 0;
	bool ascending = !out->first[0] && out->first[out->n] == h->n_edges;

	for (uint32_t v = 0; v <= out->n; v++) {
		ascending &= out->first[v] >= last;
		last = out->first[v];
	}
	for (uint64_t e = 0; e < h->n_edges; e++)
		highest = out->to[e] > highest ? out->to[e] : highest;
	return ascending && highest < out->n &&
	       h->n_named <= out->first[out->n] - out->first[out->n - 1];
}

static bool take_index(struct kept *k, uint64_t *bitmaps, uint64_t *odd)
{
	struct rme_heap_graph *g = k->g;
	struct rme_visited *set = &g->whole.walk.visited;

	return rme_visited_init(set, k->ctx->arena) &&
	       rme_index_init(&g->index, set, k->ctx->arena) &&
	       rme_index_take(&g->index, set, k->numbers, k->head->n_chunks, bitmaps) &&
	       rme_index_take(&g->index, &g->index.odd, k->odd_numbers, k->head->n_odd, odd) &&
	       rme_index_build(&g->index) && g->index.n == k->head->n_nodes;
}

/* What the walk and the second pass left besides the graph. */
static void take_tallies(struct kept *k)
{
	struct rme_query_ctx *ctx = k->ctx;
	const struct head *h = k->head;

	rme_heap_reset_doubts(ctx);
	ctx->doubts = h->doubts;
	ctx->walk.exhausted |= h->exhausted;
	k->g->n_types = h->n_types;
	for (uint64_t i = 0; i < h->n_types; i++) {
		const struct type *of = &k->types[i];
		struct rme_type *t = rme_type_get(&ctx->py, of->address);
		k->g->types[i] = t;
		if (!t)
			continue;
		t->example = of->example;
		t->n_objects = of->n_objects;
		t->n_bytes = of->n_bytes;
		t->n_estimated = of->n_estimated;
		t->n_inferred = of->n_inferred;
		t->n_faults = of->n_faults;
	}
}

bool rme_kept_take(struct rme_heap_graph *g, struct rme_query_ctx *ctx)
{
	const struct rme_request *r = ctx->request;
	struct head head;
	struct kept k = {.g = g, .ctx = ctx, .head = &head};
	uint64_t *bitmaps, *odd;

	if (r->kept.count != sizeof head)
		return false;
	memcpy(&head, (const char *)r + r->kept.offset, sizeof head);
	memset(g, 0, sizeof *g);
	if (!sound_head(r, &head) || !make_room(&k, &bitmaps, &odd) ||
	    !exchange(&k, RME_WANTED, RME_SYS_read))
		return false;
	g->root = head.n_nodes;
	g->out.n = g->root + 1;
	g->n_named = head.n_named;
	g->n_big = head.n_big;
	g->n_held = head.n_held;
	if (!sound_edges(&g->out, &head) || !take_index(&k, bitmaps, odd))
		return false;
	rme_whole_resume(&g->whole, ctx, head.n_named);
	ctx->n_no_room += head.n_no_room;
	ctx->lists = head.lists;
	g->whole.walk.n_objects = head.n_objects;
	g->whole.walk.n_bytes = head.n_bytes;
	take_tallies(&k);
	return true;
}
