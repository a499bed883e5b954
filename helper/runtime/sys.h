/* Raw Linux system calls: each returns what the kernel returns, a negative errno
 * on failure. Nothing Python-specific here. */
#ifndef RME_RUNTIME_SYS_H
#define RME_RUNTIME_SYS_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/arch/cpu.h"

#define RME_PAGE 4096ul

enum {
	RME_ESRCH = 3,
	RME_EINTR = 4,
	RME_ECHILD = 10,
	RME_EAGAIN = 11,
	RME_ENOMEM = 12,
	RME_EINVAL = 22,
	RME_ETIMEDOUT = 110
};

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

/* What lies in whole pages there is zero again, and takes no memory. */
static inline void rme_sys_forget(void *p, size_t n)
{
	uint64_t start = ((uint64_t)p + RME_PAGE - 1) & ~(RME_PAGE - 1);
	uint64_t end = ((uint64_t)p + n) & ~(RME_PAGE - 1);

	if (start < end)
		rme_syscall6(RME_SYS_madvise, (long)start, (long)(end - start), 4 /* DONTNEED */, 0,
		             0, 0);
}

/* Pages that nobody can touch: below a stack, so that it does not grow into something. */
static inline void rme_sys_close(void *p, size_t n)
{
	rme_syscall6(RME_SYS_mprotect, (long)p, (long)n, 0, 0, 0, 0);
}

static inline void rme_sys_exit(int code)
{
	rme_syscall6(RME_SYS_exit, code, 0, 0, 0, 0, 0);
}

#endif
