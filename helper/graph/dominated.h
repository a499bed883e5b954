/* The dominator tree from above: the nodes that each immediately dominates. Knows no
 * CPython. */
#ifndef RME_GRAPH_DOMINATED_H
#define RME_GRAPH_DOMINATED_H

#include "graph/dominators.h"

/* A graph of the numbers in `d`: an edge leads from each to those that it immediately
 * dominates. `first` has room for d->n + 1 words, `to` for d->n. */
void rme_dominated_init(const struct rme_dominators *d, uint32_t *first, uint32_t *to,
                        struct rme_csr *ret);

/* Goes through the tree from the root, depth first: enter(arg, number) on the way down,
 * leave(arg, number) on the way up. Uses d->idom to find the way back and takes a word
 * per number in `cursor`. */
struct rme_dominated_visitor {
	void (*enter)(void *arg, uint32_t number);
	void (*leave)(void *arg, uint32_t number);
	void *arg;
};
bool rme_dominated_each(const struct rme_dominators *d, const struct rme_csr *tree,
                        const struct rme_dominated_visitor *visitor, uint32_t *cursor,
                        const volatile uint32_t *cancel);

#endif
