/* Immediate dominators of every node of a graph, seen from one root, and what each
 * retains: the nodes that cannot be reached without it. Lengauer and Tarjan's
 * algorithm with path compression ("simple" LT, ACM TOPLAS 1979), iterative: at worst
 * m log n, so that a list of ten million with cross references is no trap. Knows no
 * CPython.
 *
 * Results are by number in a depth-first preorder: 0 is the root, a node's dominator has
 * a smaller number than the node. */
#ifndef RME_GRAPH_DOMINATORS_H
#define RME_GRAPH_DOMINATORS_H

#include "graph/components.h"

struct rme_dominators {
	uint32_t n;       /* nodes that the root reaches, itself included */
	uint32_t n_alive; /* the first of these: not garbage */
	uint32_t *number; /* of a node; RME_NO_NODE: not reached */
	uint32_t *node;   /* of a number */
	uint32_t *idom;   /* of a number; the root's is itself */
	uint64_t *bytes;  /* of a number: retained, itself included */
	uint32_t *nodes;  /* the same, counted: those that have a size */
};

/* `out` and `in` are the graph and the same turned around. Nodes that the root does not
 * reach get no number, or, with `garbage`, are entered as that says, by edges of the root. Takes 24
 * bytes per node: 12 from the arena, and of the caller's `spare` a word per node and of `scratch`
 * two. `scratch` is written only after `out` was read for the last time, so it may be out->to. */
struct rme_dominators_memory {
	struct rme_arena *arena;
	uint32_t *spare, *scratch;
};
bool rme_dominators_init(struct rme_dominators *d, const struct rme_csr *out,
                         const struct rme_csr *in, uint32_t root, struct rme_garbage *garbage,
                         const struct rme_dominators_memory *memory,
                         const volatile uint32_t *cancel);

/* Adds up what each node retains; size(arg, node) are its own bytes. Then bytes and
 * nodes can be read. */
typedef uint64_t (*rme_node_size_fn)(void *arg, uint32_t node);
bool rme_dominators_retain(struct rme_dominators *d, rme_node_size_fn size, void *arg,
                           const volatile uint32_t *cancel);

#endif
