/* A copy-on-write snapshot of the calling process that runs one function and ends.
 * The process itself feels a raw clone: no exit signal, no tracing, no handler
 * run, its signal mask put back. Nothing Python-specific here. */
#ifndef RME_RUNTIME_SNAPSHOT_H
#define RME_RUNTIME_SNAPSHOT_H

#include <stdbool.h>

#include "rememberme.h"

/* Makes the snapshot; it runs fn(block), which sets block->state and must return.
 * Returns its pid or a negative errno. */
int64_t rme_snapshot_start(struct rme_block *block, void (*fn)(struct rme_block *));

/* Waits up to wait_ms for block->state to leave RME_RUNNING, reaps the snapshot if
 * it is over, returns the state. A snapshot that asks (below) is not over. */
int64_t rme_snapshot_wait(struct rme_block *block, uint64_t wait_ms);

/* In the snapshot: sets the state, waits for block->answer, and goes on with RME_RUNNING.
 * True when the answer is that it was done. */
bool rme_snapshot_ask(struct rme_block *block, uint32_t state);

/* Ends the snapshot and reaps it. */
void rme_snapshot_stop(struct rme_block *block);

#endif
