/* The graph folder as a library with one entry, for tests/unit/test_graph.py: the
 * dominators, retained sizes and shortest paths of a graph that is handed in. */
#include <stdlib.h>

#include "graph/dominated.h"
#include "graph/paths.h"

static uint64_t size_of(void *sizes, uint32_t node)
{
	return ((uint64_t *)sizes)[node];
}

/* Of a component of garbage, the node with the largest size is the entry. */
static uint32_t prefer(void *sizes, uint32_t node)
{
	return (uint32_t)((uint64_t *)sizes)[node];
}

/* What dominated.c says of the tree: the deepest depth, and how many were entered. */
struct depth {
	uint32_t now, most, entered;
};

static void enter(void *arg, uint32_t number)
{
	struct depth *d = arg;

	(void)number;
	d->entered++;
	if (++d->now > d->most)
		d->most = d->now;
}

static void leave(void *arg, uint32_t number)
{
	struct depth *d = arg;

	(void)number;
	d->now--;
}

/* Per node: its immediate dominator (RME_NO_NODE: not reached), the bytes and nodes that it
 * retains, the one before it on a shortest path that avoids `avoid`. Returns the nodes that were
 * reached, 0 when something does not fit together. */
uint32_t probe(uint32_t n, uint32_t *first, uint32_t *to, uint32_t root, int all, uint32_t avoid,
               uint64_t *sizes, uint32_t *idom, uint64_t *bytes, uint32_t *nodes, uint32_t *before);
uint32_t probe(uint32_t n, uint32_t *first, uint32_t *to, uint32_t root, int all, uint32_t avoid,
               uint64_t *sizes, uint32_t *idom, uint64_t *bytes, uint32_t *nodes, uint32_t *before)
{
	const struct rme_csr out = {n, first, to};
	size_t room = 96ul * (n + 1) + 8ul * first[n] + (1 << 20);
	struct rme_arena arena = {calloc(1, room), room, 0};
	uint32_t *in_first = rme_arena_alloc(&arena, (n + 1ul) * 4);
	uint32_t *in_to = rme_arena_alloc(&arena, first[n] * 4ul);
	struct rme_dominators_memory memory = {&arena, rme_arena_alloc(&arena, n * 4ul),
	                                       rme_arena_alloc(&arena, n * 8ul)};
	struct rme_dominators d = {0};
	struct rme_garbage garbage = {.prefer = prefer, .arg = sizes};
	struct rme_paths paths;
	struct rme_csr in, tree;
	struct depth depth = {0};
	const struct rme_dominated_visitor visitor = {enter, leave, &depth};
	uint32_t half = (first[root + 1] - first[root]) / 2;

	rme_csr_count(&out, 0, in_first + 1, NULL);
	rme_csr_turn(&out, in_first, in_to, &in, NULL);
	/* All of the root's edges at once or in two goes: the same nodes are reached. */
	rme_paths_init(&paths, &out, root, before, memory.spare);
	if (avoid != RME_NO_NODE && avoid != root)
		before[avoid] = avoid;
	if (!all)
		half = 0;
	rme_paths_follow(&paths, 0, half, NULL);
	rme_paths_follow(&paths, half, first[root + 1] - first[root], NULL);
	if (all && avoid != RME_NO_NODE && avoid != root)
		rme_paths_lost(&paths, &avoid, 1, NULL);
	if (all && !rme_paths_garbage(&paths, &garbage, &arena, NULL))
		return 0;
	if (avoid != RME_NO_NODE)
		garbage.entries = NULL; /* these were those of other garbage */
	if (!rme_dominators_init(&d, &out, &in, root, all ? &garbage : NULL, &memory, NULL) ||
	    !rme_dominators_retain(&d, size_of, sizes, NULL))
		d.n = 0;
	for (uint32_t v = 0; v < n; v++) {
		uint32_t w = d.n ? d.number[v] : RME_NO_NODE;
		idom[v] = w == RME_NO_NODE ? RME_NO_NODE : d.node[d.idom[w]];
		bytes[v] = w == RME_NO_NODE ? 0 : d.bytes[w];
		nodes[v] = w == RME_NO_NODE ? 0 : d.nodes[w];
	}
	if (d.n) {
		uint32_t *tree_first = rme_arena_alloc(&arena, (d.n + 1ul) * 4);
		uint32_t *tree_to = rme_arena_alloc(&arena, d.n * 4ul);
		rme_dominated_init(&d, tree_first, tree_to, &tree);
		rme_dominated_each(&d, &tree, &visitor, rme_arena_alloc(&arena, d.n * 4ul), NULL);
		if (depth.entered != d.n || depth.now)
			d.n = 0;
	}
	free(arena.base);
	return d.n;
}
