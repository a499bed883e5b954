#include "graph/components.h"

enum { CHECK_EVERY = 1 << 16 };

static inline bool is_cancelled(const volatile uint32_t *cancel)
{
	return cancel && *cancel;
}

/* After Pearce ("A space-efficient algorithm for finding strongly connected components", 2016).
 * rank[v] is RME_NO_NODE for a node not met yet; while it is at work, its number or the lowest one
 * that it leads to; afterwards that of its component from the upper end, which is above all ranks
 * at work. */
struct search {
	const struct rme_csr *g;
	uint32_t *rank;
	uint32_t *nodes; /* from below: the path; from above: done, in no component yet */
	uint32_t *edges; /* of the path: the edge to look at next */
	uint32_t *own;   /* of the path: the rank that the node was given */
	uint32_t base, m, n_path, stack;
	uint32_t index, component;
	uint32_t n_met;
	const volatile uint32_t *cancel;
};

static void enter(struct search *s, uint32_t v)
{
	s->nodes[s->n_path] = v;
	s->edges[s->n_path] = s->g->first[v];
	s->own[s->n_path++] = s->rank[v] = s->index++;
}

static void leave(struct search *s)
{
	uint32_t v = s->nodes[--s->n_path];

	if (s->rank[v] < s->own[s->n_path]) {
		s->nodes[--s->stack] = v;
		return;
	}
	s->index--;
	while (s->stack < s->m && s->rank[v] <= s->rank[s->nodes[s->stack]]) {
		s->rank[s->nodes[s->stack++]] = s->component;
		s->index--;
	}
	s->rank[v] = s->component--;
}

static bool search_from(struct search *s, uint32_t start)
{
	enter(s, start);
	while (s->n_path) {
		uint32_t v = s->nodes[s->n_path - 1], e = s->edges[s->n_path - 1];
		uint32_t end = s->g->first[v + 1], lowest = s->rank[v];
		for (; e < end; e++) {
			uint32_t r = s->rank[s->g->to[e]];
			if (r == RME_NO_NODE)
				break;
			if (r < lowest && r >= s->base)
				lowest = r;
		}
		s->rank[v] = lowest;
		s->edges[s->n_path - 1] = e;
		if (e == end)
			leave(s);
		else
			enter(s, s->g->to[e]); /* the edge is looked at again afterwards */
		if (e < end && !(++s->n_met % CHECK_EVERY) && is_cancelled(s->cancel))
			return false;
	}
	return true;
}

bool rme_components_find(struct rme_components *c, const volatile uint32_t *cancel)
{
	uint32_t last = c->base + c->m - 1;
	struct search s = {.g = c->g,
	                   .rank = c->rank,
	                   .nodes = c->room[0],
	                   .edges = c->room[1],
	                   .own = c->room[2],
	                   .base = c->base,
	                   .m = c->m,
	                   .stack = c->m,
	                   .index = c->base,
	                   .component = last,
	                   .cancel = cancel};

	for (uint32_t i = 0; i < (c->nodes ? c->m : c->g->n); i++) {
		uint32_t v = c->nodes ? c->nodes[i] : i;
		if (c->rank[v] == RME_NO_NODE && !search_from(&s, v))
			return false;
		if (!(i % CHECK_EVERY) && is_cancelled(cancel))
			return false;
	}
	c->n = last - s.component;
	return true;
}

/* Of a component, by its distance from the highest number. */
struct of_component {
	uint32_t *best; /* the entry; RME_NO_NODE: an edge enters the component */
	uint32_t *figure, *members;
	uint32_t last;
};

static void take_member(const struct rme_components *c, const struct of_component *of, uint32_t v,
                        uint32_t figure)
{
	uint32_t i = of->last - c->rank[v];

	if (!of->members[i]++ || figure > of->figure[i]) {
		of->best[i] = v;
		of->figure[i] = figure;
	}
}

static void close_entered(const struct rme_components *c, const struct of_component *of, uint32_t v)
{
	for (uint32_t e = c->g->first[v]; e < c->g->first[v + 1]; e++) {
		uint32_t r = c->rank[c->g->to[e]];
		if (r >= c->base && r != c->rank[v])
			of->best[of->last - r] = RME_NO_NODE;
	}
}

bool rme_components_entries(struct rme_components *c, struct rme_garbage *garbage,
                            const volatile uint32_t *cancel)
{
	const struct of_component of = {c->room[0], c->room[1], c->room[2], c->base + c->m - 1};
	uint32_t n = 0;

	if (!rme_components_find(c, cancel))
		return false;
	memset(of.members, 0, c->n * sizeof *of.members);
	for (uint32_t i = 0; i < c->m; i++)
		take_member(c, &of, c->nodes[i],
		            garbage->prefer ? garbage->prefer(garbage->arg, c->nodes[i]) : 0);
	for (uint32_t i = 0; i < c->m; i++)
		close_entered(c, &of, c->nodes[i]);
	/* The list takes their place. */
	memcpy(of.figure, of.best, c->n * sizeof *of.best);
	for (uint32_t i = 0; i < c->m; i++) {
		uint32_t v = c->nodes[i], at = of.last - c->rank[v];
		if (garbage->within && of.figure[at] != RME_NO_NODE && of.members[at] > 1)
			garbage->within[v >> 6] |= 1ull << (v & 63);
		if (of.figure[at] == v)
			c->room[0][n++] = v;
		c->rank[v] = RME_NO_NODE;
	}
	garbage->entries = c->room[0];
	garbage->n_entries = n;
	return !is_cancelled(cancel);
}
