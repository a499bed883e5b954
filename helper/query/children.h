/* The largest of an object's references, by exact deep size: what py-mem-print draws and
 * what py-top ranks. At first every reference is walked by itself, which is done in
 * a moment unless much is shared. When that has cost a few times the whole, the rest is
 * answered from the graph (ranking.h). */
#ifndef RME_QUERY_CHILDREN_H
#define RME_QUERY_CHILDREN_H

#include "query/doubts.h"
#include "query/ranking.h"

struct rme_child {
	rme_addr address;
	uint64_t index; /* among the references of the parent, in their order */
	struct rme_size size;
};

struct rme_children {
	struct rme_query_ctx *ctx;
	struct rme_deep deep;
	rme_addr *refs; /* of the object that was asked for last */
	uint64_t n_refs, max_refs;
	struct rme_child *recent; /* sizes known already, by address */
	const rme_addr *roots;    /* as in rme_children_total */
	uint64_t n_roots;
	bool asked;
	struct rme_size total;
	struct rme_kept_doubts doubts; /* of the walk of the total */
	struct rme_ranking *ranking;   /* NULL: not made yet */
	bool too_many;                 /* objects to make one */
	uint64_t spent;                /* components visited by passes of the ranking */
};

/* How many nodes may be visited one by one, beyond a few times the graph itself. */
#define RME_CHILDREN_BUDGET (1ull << 20)

bool rme_children_init(struct rme_children *c, struct rme_query_ctx *ctx);

/* Measures everything that the roots reach and learns from it; `roots` must stay. Comes
 * before all others. */
bool rme_children_total(struct rme_children *c, const rme_addr *roots, uint64_t n_roots, bool asked,
                        struct rme_size *ret);

/* The end: caveats are those of the total. */
void rme_children_end(struct rme_children *c);

/* The graph; NULL with ctx->error, or when it would be too large (c->too_many). */
struct rme_ranking *rme_children_ranking(struct rme_children *c);

/* Collects the references of the object that are part of the graph, duplicates kept,
 * into c->refs. */
void rme_children_collect(struct rme_children *c, rme_addr object);

/* The deep size of one node; false when the budget is spent. */
bool rme_children_size(struct rme_children *c, rme_addr object, struct rme_size *ret);

/* Of c->refs the `max` largest into best, largest first, equal ones in order; the
 * others' number and joint size (shared objects once) into *n_rest and *rest. Together
 * they are no larger than *whole. Returns how many there are in best. */
uint64_t rme_children_largest(struct rme_children *c, const struct rme_size *whole,
                              struct rme_child *best, uint64_t max, uint64_t *n_rest,
                              struct rme_size *rest);

/* Keeps best[0..n) sorted, largest first; returns the new n, at most max. */
uint64_t rme_children_insert(struct rme_child *best, uint64_t n, uint64_t max,
                             const struct rme_child *child);

/* The size of all c->refs together, shared objects once. `parent`, if not 0, is the object
 * whose references they are, all of them; `whole` its own deep size, or any that they do
 * not exceed. */
void rme_children_joint(struct rme_children *c, rme_addr parent, const struct rme_size *whole,
                        struct rme_size *ret);

/* Has so much work been done that no more references should be looked into? */
bool rme_children_enough(const struct rme_children *c);

#endif
