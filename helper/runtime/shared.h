/* Memory that a snapshot shares with others, the process itself among them: a copy of a process
 * has the same MAP_SHARED pages as the process. Nothing Python-specific here. */
#ifndef RME_RUNTIME_SHARED_H
#define RME_RUNTIME_SHARED_H

#include <stdbool.h>
#include <stdint.h>

/* Makes every shared mapping of this process read-only, but the one that `keep` lies in. False
 * when the list of mappings cannot be read. */
bool rme_shared_protect(uint64_t keep);

#endif
