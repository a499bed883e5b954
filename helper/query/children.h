/* The largest of an object's references, by exact deep size: what py-mem-print draws
 * and what py-top ranks. */
#ifndef RME_QUERY_CHILDREN_H
#define RME_QUERY_CHILDREN_H

#include "query/query.h"

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
	bool over_budget; /* some references were not measured one by one */
};

/* How many nodes may be visited for one reply, beyond a few times the graph itself. */
#define RME_CHILDREN_BUDGET (1ull << 25)

bool rme_children_init(struct rme_children *c, struct rme_query_ctx *ctx);

/* Measures everything that the roots set with rme_heap_root reach, and learns from
 * it. Comes before the next two. */
void rme_children_total(struct rme_children *c, struct rme_size *ret);

/* Collects the references of the object that are part of the graph, duplicates kept,
 * into c->refs. */
void rme_children_collect(struct rme_children *c, rme_addr object);

/* The deep size of one node; false when the budget is spent. */
bool rme_children_size(struct rme_children *c, rme_addr object, struct rme_size *ret);

/* Of c->refs the `max` largest into best, largest first, equal ones in order; the
 * others' number and joint size (shared objects once) into *n_rest and *rest. Returns how many
 * there are in best. */
uint64_t rme_children_largest(struct rme_children *c, struct rme_child *best, uint64_t max,
			      uint64_t *n_rest, struct rme_size *rest);

/* Keeps best[0..n) sorted, largest first; returns the new n, at most max. */
uint64_t rme_children_insert(struct rme_child *best, uint64_t n, uint64_t max,
			     const struct rme_child *child);

/* The size of all c->refs together, shared objects once. */
void rme_children_joint(struct rme_children *c, struct rme_size *ret);

#endif
