/* The whole heap as a graph: objects are nodes, references are edges, and one more node
 * is the root of all, whose edges go to what the interpreters, their threads and
 * modules hold, to what is immortal, and to what C code holds: objects that have more
 * references than were found. */
#ifndef RME_QUERY_HEAP_GRAPH_H
#define RME_QUERY_HEAP_GRAPH_H

#include "graph/dominated.h"
#include "graph/paths.h"
#include "query/kept.h"
#include "query/whole.h"

/* An object with `n` references that nothing in the heap accounts for. */
struct rme_held {
	uint32_t node, n;
};

/* One whose size does not fit 32 bits. */
struct rme_big {
	uint32_t node;
	uint64_t size;
};

enum { RME_MAX_BIG = 1 << 16, RME_NO_TYPE = UINT16_MAX };

struct rme_heap_graph {
	struct rme_whole whole; /* its roots are those of the first n_named edges */
	struct rme_index index;
	struct rme_csr out;
	uint32_t root;    /* the last node */
	uint32_t n_named; /* edges of the root to what has a name; then immortal
	                     objects, then those that C holds */
	uint32_t *size;   /* own size of a node; RME_NO_NODE: in `big` */
	uint16_t *type;   /* of a node, a number in `types`; RME_NO_TYPE: look at the object */
	struct rme_type **types; /* of this question */
	uint64_t n_types;
	struct rme_big *big;
	struct rme_held *held;
	uint64_t n_big, n_held;
	uint32_t *spare;    /* a word per node, for whoever is at work */
	uint32_t *first_in; /* first_in[v + 1]: how many edges lead to v; NULL: not counted */
	/* what the walk that built it left besides, for later questions */
	struct rme_type_met *met; /* n_types */
	struct rme_doubts doubts;
	uint64_t n_no_room;
	uint32_t lists;
	bool exhausted;
	/* what was computed on it */
	uint32_t *before; /* shortest.h; NULL: not yet */
	uint64_t *named, *alive;
	struct rme_csr tree; /* of the dominators, by number: see dominated.h. No nodes: not yet */
	struct rme_dominators dominators;
	struct rme_garbage garbage;
	struct rme_class_row *classes; /* retained.c; NULL: not yet */
	uint32_t n_classes;
};

/* The graph of this image's heap: walks the heap and builds it, or takes the one that was kept
 * (kept.h); writes "graph". NULL with ctx->error. */
struct rme_heap_graph *rme_heap_graph_get(struct rme_query_ctx *ctx);

/* Finds the dominators of all nodes, their tree, and what each retains, once; false with
 * ctx->error. */
bool rme_heap_graph_dominators(struct rme_heap_graph *g);

/* Finds shortest paths from the named roots; none leads through or to those that are
 * avoided: such a node's path is itself. Then those from the other roots to what the
 * named ones do not reach. False with ctx->error. */
bool rme_heap_graph_paths(struct rme_heap_graph *g, const uint32_t *avoided, uint64_t n_avoided,
                          struct rme_paths *ret);
bool rme_heap_graph_paths_rest(struct rme_heap_graph *g, struct rme_paths *paths);
/* Then those to garbage (graph/components.h), if there is any: what the avoided ones lead to and
 * nothing else does has none afterwards, and their own is the root. */
bool rme_heap_graph_paths_garbage(struct rme_heap_graph *g, struct rme_paths *paths,
                                  const uint32_t *avoided, uint64_t n_avoided);

/* The objects that refer to a node, ascending, each as often as it does. Returns how many
 * there are, at most `max`. */
uint64_t rme_heap_graph_holders(const struct rme_heap_graph *g, uint32_t node, uint32_t *ret,
                                uint64_t max);

/* The node of an object; RME_NO_NODE with ctx->error when the heap has no such object. */
uint32_t rme_heap_graph_node(struct rme_heap_graph *g, rme_addr object);

static inline rme_addr rme_heap_graph_address(const struct rme_heap_graph *g, uint32_t node)
{
	return rme_index_address(&g->index, node);
}

/* NULL: it is damaged. */
struct rme_type *rme_heap_graph_type(const struct rme_heap_graph *g, uint32_t node);

uint64_t rme_heap_graph_size(const struct rme_heap_graph *g, uint32_t node);

/* How many references to it only C can hold; 0: none. */
uint32_t rme_heap_graph_held(const struct rme_heap_graph *g, uint32_t node);

/* The named root that the node is, the first one; NULL: none. */
const struct rme_root *rme_heap_graph_root(const struct rme_heap_graph *g, uint32_t node);

/* Appends the name of the root, or, with NULL, why the root of all leads to the node
 * although it has none: "C (2 references)", "immortal object". */
void rme_heap_graph_root_append(struct rme_heap_graph *g, const struct rme_root *root,
                                uint32_t node, struct rme_buffer *out);

#endif
