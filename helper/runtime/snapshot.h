/* A copy-on-write snapshot of the calling process that runs one function, which serves the
 * requests of a block. The process itself feels a raw clone: no exit signal, no tracing, no
 * handler run, its signal mask put back. Nothing Python-specific here. */
#ifndef RME_RUNTIME_SNAPSHOT_H
#define RME_RUNTIME_SNAPSHOT_H

#include <stdbool.h>

#include "rememberme.h"

/* Makes the snapshot; it runs fn(block), which sets block->state and must return.
 * Returns its pid or a negative errno. */
int64_t rme_snapshot_start(struct rme_block *block, void (*fn)(struct rme_block *));

/* The same, but the snapshot is no child of the process, so nobody there has to reap it, and it
 * maps a block of its own over that at `block`, with room for requests and replies as the
 * capacities say: nothing of the process needs to stay. -ECHILD: orphans of this process are
 * its own to reap, so use the other one. */
int64_t rme_snapshot_orphan(struct rme_block *block, void (*fn)(struct rme_block *));

/* Waits up to wait_ms for block->state to leave RME_RUNNING, reaps the snapshot if
 * it is over, returns the state. */
int64_t rme_snapshot_wait(struct rme_block *block, uint64_t wait_ms);

/* In the snapshot: wakes whoever waits for block->state. */
void rme_snapshot_tell(struct rme_block *block);

/* In the snapshot: waits for RME_RUNNING. Ends the process when its lease has ended, or
 * when its debugger has. */
void rme_snapshot_await(struct rme_block *block);

/* Ends the snapshot and reaps it. */
void rme_snapshot_stop(struct rme_block *block);

#endif
