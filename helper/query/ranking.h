/* The objects that some roots reach as a graph of numbers, and which of them are the
 * largest: for questions that would take a walk per object. Building it costs a few
 * walks and some 200 bytes per object; see graph/rank.h for what it then saves. */
#ifndef RME_QUERY_RANKING_H
#define RME_QUERY_RANKING_H

#include "graph/index.h"
#include "graph/rank.h"
#include "query/query.h"

/* More objects than this are not ranked so: it would take too much memory. */
#define RME_RANKING_MOST (1u << 25)

struct rme_ranking {
	struct rme_query_ctx *ctx;
	struct rme_size total;
	struct rme_visited nodes;
	struct rme_index index;
	struct rme_csr graph;
	uint64_t *size;    /* own sizes */
	uint64_t *second;  /* the walk's second figure, or NULL */
	uint64_t *classes; /* a bit per node that is a class or code */
	uint64_t *closed;  /* a bit per root that nothing else may lead to */
	uint32_t *scratch;
	struct rme_reach reach;
	struct rme_reach without; /* the same without classes and code; made when needed */
	struct rme_rank rank;
	bool ranked; /* `rank` is made */
};

/* The roots are asked for (see rme_heap_root) or not, all of them. Doubts are those of
 * the walk. False with ctx->error, or cancelled. */
bool rme_ranking_init(struct rme_ranking *r, struct rme_query_ctx *ctx, const rme_addr *roots,
                      uint64_t n_roots, bool asked);

/* RME_NO_NODE: the object is not in the graph. */
static inline uint32_t rme_ranking_node(const struct rme_ranking *r, rme_addr object)
{
	return rme_index_node(&r->index, object);
}

/* Is the node on no cycle? */
static inline bool rme_ranking_alone(const struct rme_ranking *r, uint32_t node)
{
	bool alone = r->reach.objects[r->reach.component[node]] == 1;

	for (uint32_t e = r->graph.first[node]; alone && e < r->graph.first[node + 1]; e++)
		alone = r->graph.to[e] != node;
	return alone;
}

/* Makes r->without; false with ctx->error. */
bool rme_ranking_without_classes(struct rme_ranking *r);

/* The exact deep sizes of any nodes; zeros for RME_NO_NODE. */
bool rme_ranking_sizes(struct rme_ranking *r, const uint32_t *nodes, uint64_t n,
                       struct rme_size *ret);

/* Makes r->rank; false with ctx->error. */
bool rme_ranking_rank(struct rme_ranking *r);

/* After that: no more than this many bytes are reached from the node. */
static inline uint64_t rme_ranking_most(const struct rme_ranking *r, uint32_t node)
{
	return node == RME_NO_NODE ? 0 : r->rank.upper[r->reach.component[node]];
}

/* The largest of some nodes, as rme_rank_largest. */
bool rme_ranking_largest(struct rme_ranking *r, const uint32_t *nodes, uint64_t n, uint32_t most,
                         struct rme_ranked *ret, uint32_t *n_ret);

#endif
