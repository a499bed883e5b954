/* What many nodes of a graph reach, exactly, by passes over the whole graph: cycles are
 * condensed to one component each, components are numbered so that edges lead from
 * higher to lower numbers, and one sweep in that order carries a bit per start along
 * all edges. A pass serves 256 starts and costs little more than one walk of the
 * graph; for a thousand starts that overlap, walks of their own would cost a thousand.
 * Knows no CPython. */
#ifndef RME_GRAPH_REACH_H
#define RME_GRAPH_REACH_H

#include "graph/csr.h"
#include "runtime/arena.h"

enum { RME_REACH_STARTS = 256, RME_REACH_WORDS = RME_REACH_STARTS / 64 };

struct rme_reach {
	uint32_t n;          /* components */
	uint32_t *component; /* of a node; RME_NO_NODE: left out */
	uint64_t *bytes;     /* of a component, its nodes together */
	uint64_t *second;    /* another figure, the same; NULL: not asked for */
	uint32_t *objects;   /* the same, counted */
	struct rme_csr dag;  /* edges between components, none twice */
	uint64_t *masks;     /* RME_REACH_WORDS per component; zero between passes */
	uint32_t high;       /* no start is at this component or above */
	const volatile uint32_t *cancel;
};

struct rme_reached {
	uint64_t bytes, objects, second;
};

/* `size` are the nodes' own bytes, `second` (or NULL) another figure to add up. Nodes whose bit is
 * set in `leave_out` (NULL: none) and all their edges do not exist. `scratch` are 3 (n + 1) words,
 * free again afterwards. False when the arena has no room, or cancelled. */
bool rme_reach_init(struct rme_reach *r, const struct rme_csr *graph, const uint64_t *size,
                    const uint64_t *second, const uint64_t *leave_out, uint32_t *scratch,
                    struct rme_arena *arena, const volatile uint32_t *cancel);

/* Starts of a pass: start i sets out from several components together, shared ones
 * counted once. At most RME_REACH_STARTS. */
void rme_reach_start(struct rme_reach *r, uint32_t i, uint32_t component);

/* The pass: ret[i] is what start i reaches, itself included. */
bool rme_reach_pass(struct rme_reach *r, uint32_t n_starts, struct rme_reached *ret);

/* Any number of single nodes, by as many passes as it takes. A node that was left out, or
 * RME_NO_NODE, reaches nothing. */
bool rme_reach_nodes(struct rme_reach *r, const uint32_t *nodes, uint64_t n,
                     struct rme_reached *ret);

#endif
