#include "graph/deep.h"

#define MEMO_SLOTS (1ul << 16)

bool rme_deep_init(struct rme_deep *d, struct rme_walk *walk, struct rme_arena *arena,
                   bool with_deferred)
{
	memset(d, 0, sizeof *d);
	d->walk = walk;
	d->with_deferred = with_deferred;
	d->max_memo = MEMO_SLOTS;
	d->memo = rme_arena_alloc(arena, d->max_memo * sizeof *d->memo);
	d->budget = ~0ull;
	return d->memo && rme_visited_init(&d->behind, arena);
}

static void clear(struct rme_deep *d)
{
	if (rme_walk_clear(d->walk))
		d->remark(d->ctx);
}

static void collect(void *ctx, rme_addr node, uint64_t size)
{
	struct rme_deep *d = ctx;

	(void)size;
	rme_visited_add(&d->behind, node);
}

static void check_overlap(void *ctx, rme_addr node, uint64_t size)
{
	struct rme_deep *d = ctx;

	(void)size;
	if (rme_visited_has(&d->behind, node))
		d->overlap = true;
}

static void result(struct rme_deep *d, struct rme_size *ret)
{
	ret->bytes_first = d->walk->n_bytes_first;
	ret->bytes = d->walk->n_bytes;
	ret->objects = d->walk->n_objects;
	ret->second = d->walk->n_second;
}

void rme_deep_total(struct rme_deep *d, struct rme_size *ret)
{
	struct rme_walk *w = d->walk;

	w->counted = NULL;
	rme_walk_first(w);
	if (!d->with_deferred) {
		result(d, ret);
		return;
	}
	/* What only deferred nodes lead to is visited second: `behind` is that and what
	 * the first part has of it already. The second is found by a walk of its own. */
	struct rme_size first_then_rest;
	uint64_t n = w->n_deferred;
	rme_addr *roots = w->deferred + w->deferred_size - n;
	if (n > w->deferred_size / 2) {
		rme_walk_rest(w);
		result(d, ret);
		return;
	}
	memmove(roots, w->deferred, n * sizeof *roots);
	w->deferred_size -= n;
	rme_walk_rest(w);
	result(d, &first_then_rest);
	clear(d);
	w->counted = collect;
	w->counted_ctx = d;
	for (uint64_t i = 0; i < n; i++)
		if (rme_visited_add(&w->visited, roots[i]))
			w->deferred[w->n_deferred++] = roots[i];
	rme_walk_rest(w);
	w->counted = NULL;
	w->deferred_size += n;
	*ret = first_then_rest;
}

/* The order in which the nodes were met must not matter. */
static uint64_t set_key(const rme_addr *nodes, uint64_t n)
{
	uint64_t sum = n * 0x9e3779b97f4a7c15ull;

	for (uint64_t i = 0; i < n; i++) {
		uint64_t x = nodes[i] * 0xbf58476d1ce4e5b9ull;
		x ^= x >> 31;
		sum += x * 0x94d049bb133111ebull;
	}
	return sum ? sum : 1;
}

static struct rme_deep_memo *memo_slot(struct rme_deep *d, uint64_t key)
{
	uint64_t i = key >> 20 & (d->max_memo - 1);

	while (d->memo[i].key && d->memo[i].key != key)
		i = (i + 1) & (d->max_memo - 1);
	return &d->memo[i];
}

bool rme_deep_size(struct rme_deep *d, rme_addr node, struct rme_size *ret)
{
	struct rme_walk *w = d->walk;

	if (d->spent > d->budget || w->cancelled)
		return false;
	clear(d);
	d->overlap = false;
	w->counted = d->with_deferred ? check_overlap : NULL;
	w->counted_ctx = d;
	rme_walk_root(w, node);
	rme_walk_first(w);
	w->counted = NULL;
	d->spent += w->n_objects;
	if (!d->with_deferred || !w->n_deferred) {
		result(d, ret);
		return !w->cancelled;
	}
	struct rme_deep_memo *memo = memo_slot(d, set_key(w->deferred, w->n_deferred));
	if (!d->overlap && memo->key) {
		result(d, ret);
		ret->bytes += memo->bytes;
		ret->objects += memo->objects;
		ret->second += memo->second;
		return !w->cancelled;
	}
	uint64_t key = set_key(w->deferred, w->n_deferred), objects = w->n_objects;
	uint64_t second = w->n_second;
	rme_walk_rest(w);
	d->spent += w->n_objects - objects;
	result(d, ret);
	/* Without overlap, what the rest added is the size of the set itself. */
	if (!d->overlap && !w->cancelled && d->n_memo < d->max_memo / 2) {
		memo->key = key;
		memo->bytes = ret->bytes - ret->bytes_first;
		memo->objects = ret->objects - objects;
		memo->second = ret->second - second;
		d->n_memo++;
	}
	return !w->cancelled;
}
