#include "graph/reach.h"

#include "graph/components.h"

enum { CHECK_EVERY = 1 << 16, TALLY = 1 << 10, AHEAD = 16 };

static inline bool has_bit(const uint64_t *bits, uint32_t v)
{
	return bits && bits[v >> 6] >> (v & 63) & 1;
}

static inline bool is_cancelled(const volatile uint32_t *cancel)
{
	return cancel && *cancel;
}

static bool find_components(struct rme_reach *r, const struct rme_csr *g, const uint64_t *leave_out,
                            uint32_t *scratch)
{
	uint32_t n = g->n;
	struct rme_components c = {.g = g,
	                           .rank = r->component,
	                           .base = 1,
	                           .room = {scratch, scratch + n, scratch + 2ul * n}};

	for (uint32_t v = 0; v < n; v++) {
		r->component[v] = has_bit(leave_out, v) ? 0 : RME_NO_NODE;
		c.m += r->component[v] == RME_NO_NODE;
	}
	if (!rme_components_find(&c, r->cancel))
		return false;
	/* Theirs are numbered the other way round. */
	for (uint32_t v = 0; v < n; v++)
		r->component[v] = has_bit(leave_out, v) ? RME_NO_NODE : c.m - r->component[v];
	r->n = c.n;
	return true;
}

static void add_up(struct rme_reach *r, const struct rme_csr *g, const uint64_t *size,
                   const uint64_t *second, uint32_t *end)
{
	for (uint32_t v = 0; v < g->n; v++) {
		uint32_t c = r->component[v];
		if (c == RME_NO_NODE)
			continue;
		r->bytes[c] += size[v];
		if (second)
			r->second[c] += second[v];
		r->objects[c]++;
	}
	for (uint32_t c = 0, sum = 0; c < r->n; c++)
		end[c] = sum += r->objects[c];
}

/* The edges between components. `seen` keeps out those that were there already. */
static bool condense(struct rme_reach *r, const struct rme_csr *g, uint32_t *scratch)
{
	uint32_t *members = scratch, *end = scratch + g->n, *seen = scratch + 2ul * g->n;
	uint32_t n_edges = 0;

	memset(seen, 0xff, (size_t)r->n * sizeof *seen);
	for (uint32_t v = g->n; v--;)
		if (r->component[v] != RME_NO_NODE)
			members[--end[r->component[v]]] = v;
	/* end[c] is now where component c begins. */
	for (uint32_t c = 0; c < r->n; c++) {
		r->dag.first[c] = n_edges;
		seen[c] = c;
		for (uint32_t i = 0; i < r->objects[c]; i++) {
			uint32_t v = members[end[c] + i];
			for (uint32_t e = g->first[v]; e < g->first[v + 1]; e++) {
				uint32_t to = r->component[g->to[e]];
				if (to == RME_NO_NODE || seen[to] == c)
					continue;
				seen[to] = c;
				r->dag.to[n_edges++] = to;
			}
		}
		if (!(c % CHECK_EVERY) && is_cancelled(r->cancel))
			return false;
	}
	r->dag.first[r->n] = n_edges;
	return true;
}

bool rme_reach_init(struct rme_reach *r, const struct rme_csr *graph, const uint64_t *size,
                    const uint64_t *second, const uint64_t *leave_out, uint32_t *scratch,
                    struct rme_arena *arena, const volatile uint32_t *cancel)
{
	size_t n = graph->n;

	memset(r, 0, sizeof *r);
	r->cancel = cancel;
	r->component = rme_arena_alloc(arena, n * sizeof *r->component);
	if (!r->component || !find_components(r, graph, leave_out, scratch))
		return false;
	r->dag.n = r->n;
	r->bytes = rme_arena_alloc(arena, r->n * sizeof *r->bytes);
	r->objects = rme_arena_alloc(arena, r->n * sizeof *r->objects);
	r->second = second ? rme_arena_alloc(arena, r->n * sizeof *r->second) : NULL;
	r->dag.first = rme_arena_alloc(arena, (r->n + 1ul) * sizeof *r->dag.first);
	r->dag.to = rme_arena_alloc(arena, graph->first[n] * sizeof *r->dag.to);
	r->masks = rme_arena_alloc(arena, r->n * RME_REACH_WORDS * sizeof *r->masks);
	if (!r->bytes || !r->objects || !r->dag.first || !r->dag.to || !r->masks ||
	    (second && !r->second))
		return false;
	add_up(r, graph, size, second, scratch + n);
	return condense(r, graph, scratch);
}

void rme_reach_start(struct rme_reach *r, uint32_t i, uint32_t component)
{
	r->masks[(size_t)component * RME_REACH_WORDS + i / 64] |= 1ull << (i % 64);
	if (component >= r->high)
		r->high = component + 1;
}

/* Most components are reached by one of few sets of starts: what has the same mask is
 * added up first, and to each start of the mask afterwards. */
struct tally {
	uint64_t mask[RME_REACH_WORDS];
	struct rme_reached sum;
};

static void give(struct tally *t, struct rme_reached *ret)
{
	if (!t->sum.objects)
		return;
	for (uint32_t w = 0; w < RME_REACH_WORDS; w++)
		for (uint64_t m = t->mask[w]; m; m &= m - 1) {
			struct rme_reached *one = &ret[64 * w + (uint32_t)__builtin_ctzll(m)];
			one->bytes += t->sum.bytes;
			one->objects += t->sum.objects;
			one->second += t->sum.second;
		}
	t->sum = (struct rme_reached){0};
}

static inline struct tally *tally_of(struct tally *tallies, const uint64_t *mask,
                                     struct rme_reached *ret)
{
	uint64_t hash = 0, differ = 0;

	for (uint32_t w = 0; w < RME_REACH_WORDS; w++)
		hash = (hash ^ mask[w]) * 0x9e3779b97f4a7c15ull;
	struct tally *t = &tallies[hash >> 32 & (TALLY - 1)];
	for (uint32_t w = 0; w < RME_REACH_WORDS; w++)
		differ |= t->mask[w] ^ mask[w];
	if (differ) {
		give(t, ret);
		memcpy(t->mask, mask, sizeof t->mask);
	}
	return t;
}

static void sweep_one(struct rme_reach *r, uint32_t c, struct tally *tallies,
                      struct rme_reached *ret)
{
	uint64_t *mask = r->masks + (size_t)c * RME_REACH_WORDS, any = 0, m[RME_REACH_WORDS];

	for (uint32_t w = 0; w < RME_REACH_WORDS; w++)
		any |= m[w] = mask[w];
	if (!any)
		return;
	for (uint32_t e = r->dag.first[c]; e < r->dag.first[c + 1]; e++) {
		uint64_t *to = r->masks + (size_t)r->dag.to[e] * RME_REACH_WORDS;
		for (uint32_t w = 0; w < RME_REACH_WORDS; w++)
			to[w] |= m[w];
	}
	struct tally *t = tally_of(tallies, m, ret);
	t->sum.bytes += r->bytes[c];
	t->sum.objects += r->objects[c];
	if (r->second)
		t->sum.second += r->second[c];
	memset(mask, 0, RME_REACH_WORDS * sizeof *mask);
}

bool rme_reach_pass(struct rme_reach *r, uint32_t n_starts, struct rme_reached *ret)
{
	struct tally tallies[TALLY];

	memset(tallies, 0, sizeof tallies);
	memset(ret, 0, n_starts * sizeof *ret);
	for (uint32_t c = r->high; c--;) {
		sweep_one(r, c, tallies, ret);
		if (!(c % CHECK_EVERY) && is_cancelled(r->cancel))
			return false;
	}
	r->high = 0;
	for (uint32_t i = 0; i < TALLY; i++)
		give(&tallies[i], ret);
	return true;
}

bool rme_reach_nodes(struct rme_reach *r, const uint32_t *nodes, uint64_t n,
                     struct rme_reached *ret)
{
	for (uint64_t at = 0; at < n; at += RME_REACH_STARTS) {
		uint32_t some = n - at < RME_REACH_STARTS ? (uint32_t)(n - at) : RME_REACH_STARTS;
		for (uint32_t i = 0; i < some; i++)
			if (nodes[at + i] != RME_NO_NODE &&
			    r->component[nodes[at + i]] != RME_NO_NODE)
				rme_reach_start(r, i, r->component[nodes[at + i]]);
		if (!rme_reach_pass(r, some, ret + at))
			return false;
	}
	return true;
}
