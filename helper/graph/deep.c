#include "graph/deep.h"

#include "runtime/sort.h"

#define MEMO_SLOTS (1ul << 16)
#define MAX_COMMON (1ul << 16)

bool rme_deep_init(struct rme_deep *d, struct rme_walk *walk, struct rme_arena *arena,
                   bool with_deferred)
{
	memset(d, 0, sizeof *d);
	d->walk = walk;
	d->with_deferred = with_deferred;
	d->max_memo = MEMO_SLOTS;
	d->memo = rme_arena_alloc(arena, d->max_memo * sizeof *d->memo);
	d->budget = ~0ull;
	d->max_common = MAX_COMMON;
	d->common = rme_arena_alloc(arena, d->max_common * sizeof *d->common);
	d->max_members = rme_arena_left(arena) / 16 / sizeof *d->members;
	d->members = rme_arena_alloc(arena, d->max_members * sizeof *d->members);
	return d->memo && d->common && d->members && rme_visited_init(&d->behind, arena);
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

static void note_common(void *ctx, rme_addr node, uint64_t size)
{
	struct rme_deep *d = ctx;
	uint64_t second = d->walk->n_second - d->last_second;

	d->last_second += second;
	if (!rme_visited_has(&d->behind, node))
		return;
	if (d->n_common < d->max_common)
		d->common[d->n_common] = (struct rme_deep_common){node, size, second};
	d->n_common++;
}

static void keep_member(void *ctx, rme_addr node, uint64_t size)
{
	struct rme_deep *d = ctx;

	(void)size;
	if (d->n_members < d->max_members)
		d->members[d->n_members] = node;
	d->n_members++;
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

/* Walks from the deferred nodes of the walk at work alone. False when there is no room to
 * keep what it finds. */
static bool learn(struct rme_deep *d, uint64_t key, struct rme_deep_memo *ret)
{
	struct rme_walk *w = d->walk;
	uint64_t n = w->n_deferred, start = d->n_members;
	rme_addr *set = d->members + d->max_members - n;

	if (d->n_memo == d->max_memo / 2 || n > (d->max_members - start) / 2)
		return false;
	memcpy(set, w->deferred, n * sizeof *set);
	d->max_members -= n;
	clear(d);
	for (uint64_t i = 0; i < n; i++)
		if (rme_visited_add(&w->visited, set[i]))
			w->deferred[w->n_deferred++] = set[i];
	w->counted = keep_member;
	w->counted_ctx = d;
	rme_walk_rest(w);
	w->counted = NULL;
	d->spent += w->n_objects;
	bool kept = d->n_members <= d->max_members && !w->cancelled;
	d->max_members += n;
	if (!kept) {
		d->n_members = start;
		return false;
	}
	rme_addresses_sort(d->members + start, w->n_objects);
	*ret =
	    (struct rme_deep_memo){key, w->n_bytes, w->n_objects, w->n_second, d->members + start};
	d->n_memo++;
	return true;
}

static void add_memo(const struct rme_deep *d, const struct rme_deep_memo *memo,
                     struct rme_size *ret)
{
	ret->bytes += memo->bytes;
	ret->objects += memo->objects;
	ret->second += memo->second;
	for (uint64_t i = 0; i < d->n_common; i++)
		if (rme_addresses_have(memo->members, memo->objects, d->common[i].node)) {
			ret->bytes -= d->common[i].size;
			ret->objects--;
			ret->second -= d->common[i].second;
		}
}

static void first_part(struct rme_deep *d, rme_addr node)
{
	struct rme_walk *w = d->walk;

	clear(d);
	d->n_common = d->last_second = 0;
	w->counted = d->with_deferred ? note_common : NULL;
	w->counted_ctx = d;
	rme_walk_root(w, node);
	rme_walk_first(w);
	w->counted = NULL;
	d->spent += w->n_objects;
}

bool rme_deep_size(struct rme_deep *d, rme_addr node, struct rme_size *ret)
{
	struct rme_walk *w = d->walk;

	if (d->spent > d->budget || w->cancelled)
		return false;
	first_part(d, node);
	result(d, ret);
	if (!d->with_deferred || !w->n_deferred || w->cancelled)
		return !w->cancelled;
	uint64_t key = set_key(w->deferred, w->n_deferred);
	struct rme_deep_memo *memo = memo_slot(d, key);
	if (d->n_common <= d->max_common && (memo->key || learn(d, key, memo))) {
		add_memo(d, memo, ret);
		return !w->cancelled;
	}
	/* To the end, then. */
	first_part(d, node);
	uint64_t objects = w->n_objects;
	rme_walk_rest(w);
	d->spent += w->n_objects - objects;
	result(d, ret);
	return !w->cancelled;
}
