/* Raw Linux system calls: each returns what the kernel returns, a negative errno
 * on failure. Nothing Python-specific here. */
#ifndef RME_RUNTIME_SYS_H
#define RME_RUNTIME_SYS_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/arch/cpu.h"

#define RME_PAGE 4096ul

enum { RME_EINTR = 4, RME_EAGAIN = 11, RME_ENOMEM = 12, RME_EINVAL = 22, RME_ETIMEDOUT = 110 };

/* Private anonymous memory without a promise of backing store. */
static inline void *rme_sys_reserve(size_t n)
{
	long r = rme_syscall6(RME_SYS_mmap, 0, (long)n, 3 /* READ|WRITE */,
	                      0x4022 /* PRIVATE|ANONYMOUS|NORESERVE */, -1, 0);
	return r < 0 && r > -4096 ? NULL : (void *)r;
}

static inline long rme_sys_unmap(void *p, size_t n)
{
	return rme_syscall6(RME_SYS_munmap, (long)p, (long)n, 0, 0, 0, 0);
}

static inline void rme_sys_exit(int code)
{
	rme_syscall6(RME_SYS_exit, code, 0, 0, 0, 0, 0);
}

#endif
