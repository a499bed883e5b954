/* The CPU that this is built for: arch/CPU/abi.h has its numbers, arch/CPU/cpu.h what only
 * assembler can say. Another one is another folder with the same names, and one line here
 * and in abi.h. */
#ifndef RME_RUNTIME_ARCH_CPU_H
#define RME_RUNTIME_ARCH_CPU_H

#if defined(__x86_64__)
#include "runtime/arch/x86_64/cpu.h"
#else
#error "no folder of runtime/arch is for this CPU"
#endif

#endif
