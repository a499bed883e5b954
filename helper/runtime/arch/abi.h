/* Numbers of the CPU that this is built for (cpu.h tells more), and what follows from them. */
#ifndef RME_RUNTIME_ARCH_ABI_H
#define RME_RUNTIME_ARCH_ABI_H

#include <stdbool.h>
#include <stdint.h>

#if defined(__x86_64__)
#include "runtime/arch/x86_64/abi.h"
#else
#error "no folder of runtime/arch is for this CPU"
#endif

/* Where the addresses of a process end. */
#define RME_ADDRESS_END (1ull << RME_ADDRESS_BITS)

/* May an object be there: aligned, not in the first page, in user space? */
static inline bool rme_is_address(uint64_t a)
{
	return !(a & (~0ull << RME_ADDRESS_BITS | 7)) && a >= 4096;
}

#endif
