/* A directed graph in compressed rows: the edges of node v go to to[first[v]] up to
 * to[first[v + 1]]. Nodes and edges are 32-bit numbers. Knows no CPython.
 *
 * In every function of this folder `cancel` may be NULL; when what it points at
 * becomes non-zero, the function returns false soon. */
#ifndef RME_GRAPH_CSR_H
#define RME_GRAPH_CSR_H

#include "runtime/arena.h"
#include "runtime/memory.h"

#define RME_NO_NODE UINT32_MAX

struct rme_csr {
	uint32_t n;      /* nodes, fewer than RME_NO_NODE */
	uint32_t *first; /* n + 1 */
	uint32_t *to;    /* the same edge may be there several times */
};

/* count[v] += how many of the edges from number `from` on lead to v. */
bool rme_csr_count(const struct rme_csr *g, uint32_t from, uint32_t *count,
                   const volatile uint32_t *cancel);

/* Turns all edges around. first[v + 1] is how many lead to v and becomes ret->first; `to`
 * has room for them all. Edges into a node come in the order of where they start. */
bool rme_csr_turn(const struct rme_csr *g, uint32_t *first, uint32_t *to, struct rme_csr *ret,
                  const volatile uint32_t *cancel);

static inline uint32_t rme_csr_degree(const struct rme_csr *g, uint32_t v)
{
	return g->first[v + 1] - g->first[v];
}

#endif
