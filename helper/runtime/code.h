/* Where this library's own code lies. Nothing Python-specific here. */
#ifndef RME_RUNTIME_CODE_H
#define RME_RUNTIME_CODE_H

#include "rememberme.h"

/* The linker's. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char etext[] __attribute__((visibility("hidden")));

static inline struct rme_range rme_own_code(void)
{
	return (struct rme_range){(uint64_t)__ehdr_start, (uint64_t)etext};
}

#endif
