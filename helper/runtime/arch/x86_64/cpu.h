/* What only assembler and the kernel say of x86-64 Linux: system call numbers, the call itself, the
 * thread pointer, the snapshot's own stack, restarting from a signal frame. */
#ifndef RME_RUNTIME_ARCH_X86_64_CPU_H
#define RME_RUNTIME_ARCH_X86_64_CPU_H

#include <stddef.h>
#include <stdint.h>

enum {
	RME_SYS_read = 0,
	RME_SYS_write = 1,
	RME_SYS_close = 3,
	RME_SYS_mmap = 9,
	RME_SYS_mprotect = 10,
	RME_SYS_munmap = 11,
	RME_SYS_rt_sigaction = 13,
	RME_SYS_rt_sigprocmask = 14,
	RME_SYS_rt_sigreturn = 15,
	RME_SYS_sched_yield = 24,
	RME_SYS_madvise = 28,
	RME_SYS_getpid = 39,
	RME_SYS_clone = 56,
	RME_SYS_exit = 60,
	RME_SYS_wait4 = 61,
	RME_SYS_kill = 62,
	RME_SYS_sigaltstack = 131,
	RME_SYS_prctl = 157,
	RME_SYS_arch_prctl = 158,
	RME_SYS_rt_sigtimedwait = 128,
	RME_SYS_setrlimit = 160,
	RME_SYS_gettid = 186,
	RME_SYS_futex = 202,
	RME_SYS_sched_getaffinity = 204,
	RME_SYS_timer_create = 222,
	RME_SYS_timer_settime = 223,
	RME_SYS_timer_delete = 226,
	RME_SYS_clock_gettime = 228,
	RME_SYS_exit_group = 231,
	RME_SYS_openat = 257,
	RME_SYS_prlimit64 = 302,
	RME_SYS_close_range = 436
};

/* arch_prctl's */
#define RME_ARCH_SET_FS 0x1002

/* x86-64 needs a restorer that the handler returns to; see guard.c. */
#define RME_SA_RESTORER 0x04000000u

static inline long rme_syscall6(long n, long a, long b, long c, long d, long e, long f)
{
	long r;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	__asm__ volatile("syscall"
	                 : "=a"(r)
	                 : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
	                 : "rcx", "r11", "memory");
	return r;
}

/* Fast on every CPU of the last decade. */
static inline void rme_cpu_copy(void *dest, const void *src, size_t n)
{
	__asm__ volatile("rep movsb" : "+D"(dest), "+S"(src), "+c"(n) : : "memory");
}

static inline void rme_cpu_fill(void *dest, int c, size_t n)
{
	__asm__ volatile("rep stosb" : "+D"(dest), "+c"(n) : "a"(c) : "memory");
}

/* The fs base of the calling thread. By the ABI of thread-local storage the word there
 * is its own address, so no system call is needed (undump's sandbox allows none).
 * Faults in a thread without it: hold a guard. */
static inline uint64_t rme_cpu_thread_pointer(void)
{
	uint64_t pointer;

	__asm__ volatile("mov %%fs:0, %0" : "=r"(pointer));
	return pointer;
}

/* A thread with that stack that runs fn(arg) and ends; returns its id or -errno. With
 * CLONE_CHILD_CLEARTID the kernel clears *child_tid when the thread is gone. */
static inline long rme_cpu_clone_thread(unsigned long flags, void *stack_top, void (*fn)(void *),
                                        void *arg, uint32_t *child_tid)
{
	uint64_t *top = (uint64_t *)((uint64_t)stack_top & ~15ul);
	long r;

	*--top = (uint64_t)arg;
	*--top = (uint64_t)fn;
	register long r10 __asm__("r10") = (long)child_tid;
	register long r8 __asm__("r8") = 0;
	__asm__ volatile("syscall\n\t"
	                 "test %%rax, %%rax\n\t"
	                 "jnz 1f\n\t"
	                 "xor %%ebp, %%ebp\n\t"
	                 "pop %%rax\n\t"
	                 "pop %%rdi\n\t"
	                 "call *%%rax\n\t"
	                 "xor %%edi, %%edi\n\t"
	                 "mov $60, %%eax\n\t" /* exit: of this thread alone */
	                 "syscall\n\t"
	                 "ud2\n"
	                 "1:"
	                 : "=a"(r)
	                 : "a"(RME_SYS_clone), "D"(flags), "S"(top), "d"(0), "r"(r10), "r"(r8)
	                 : "rcx", "r11", "memory");
	return r;
}

/* Defines two functions, hidden: `save` keeps what a call preserves, its own return address
 * among it, in RME_CPU_N_SAVED words and returns 0; `resume` returns 1 from there. */
enum { RME_CPU_N_SAVED = 8 };
#define RME_CPU_DEFINE_SAVE(save, resume)                                                          \
	__asm__(".text\n"                                                                          \
	        ".hidden " save "\n.globl " save "\n.type " save ", @function\n" save ":\n\t"      \
	        "mov %rbx, (%rdi)\n\t"                                                             \
	        "mov %rbp, 8(%rdi)\n\t"                                                            \
	        "mov %r12, 16(%rdi)\n\t"                                                           \
	        "mov %r13, 24(%rdi)\n\t"                                                           \
	        "mov %r14, 32(%rdi)\n\t"                                                           \
	        "mov %r15, 40(%rdi)\n\t"                                                           \
	        "mov (%rsp), %rdx\n\t"                                                             \
	        "lea 8(%rsp), %rcx\n\t"                                                            \
	        "mov %rcx, 48(%rdi)\n\t"                                                           \
	        "mov %rdx, 56(%rdi)\n\t"                                                           \
	        "xor %eax, %eax\n\t"                                                               \
	        "ret\n"                                                                            \
	        ".size " save ", . - " save "\n"                                                   \
	        ".hidden " resume "\n.globl " resume "\n.type " resume ", @function\n" resume      \
	        ":\n\t"                                                                            \
	        "mov (%rdi), %rbx\n\t"                                                             \
	        "mov 8(%rdi), %rbp\n\t"                                                            \
	        "mov 16(%rdi), %r12\n\t"                                                           \
	        "mov 24(%rdi), %r13\n\t"                                                           \
	        "mov 32(%rdi), %r14\n\t"                                                           \
	        "mov 40(%rdi), %r15\n\t"                                                           \
	        "mov 48(%rdi), %rsp\n\t"                                                           \
	        "mov $1, %eax\n\t"                                                                 \
	        "cld\n\t"                                                                          \
	        "jmp *56(%rdi)\n"                                                                  \
	        ".size " resume ", . - " resume "\n");

/* Where the thread was that a handler with SA_SIGINFO has interrupted: ucontext's rip. */
static inline uint64_t rme_cpu_context_code(const void *context)
{
	return *(const uint64_t *)((const char *)context + 168);
}

/* Defines what a handler returns to, hidden. */
#define RME_CPU_DEFINE_SIGRETURN(name)                                                             \
	__asm__(".text\n"                                                                          \
	        ".hidden " name "\n.globl " name "\n.type " name ", @function\n" name ":\n\t"      \
	        "mov $15, %eax\n\t"                                                                \
	        "syscall\n"                                                                        \
	        ".size " name ", . - " name "\n");

/* Makes a copy of the process that is no child of it: a child that shares its memory, so that
 * no page tables are copied twice, makes the copy and ends, and is reaped. Returns 0 in the copy;
 * else the former pid of that child, or -errno, and *copy is the copy's pid or -errno. All
 * signals are to be blocked. The child and its parent, which waits, are on the same stack:
 * neither writes to it but *copy. (Not CLONE_VFORK: its end is an event for the debugger, also
 * where its beginning is none.) */
static inline long rme_cpu_clone_orphan(volatile int64_t *copy)
{
	long r;

	__asm__ volatile("mov $56, %%eax\n\t"
	                 "mov $0x00800100, %%edi\n\t" /* CLONE_UNTRACED, VM */
	                 "xor %%esi, %%esi\n\t"
	                 "xor %%edx, %%edx\n\t"
	                 "xor %%r10d, %%r10d\n\t"
	                 "xor %%r8d, %%r8d\n\t"
	                 "syscall\n\t"
	                 "test %%rax, %%rax\n\t"
	                 "js 3f\n\t"
	                 "jnz 1f\n\t"
	                 "mov $56, %%eax\n\t"
	                 "mov $0x00800000, %%edi\n\t" /* CLONE_UNTRACED */
	                 "syscall\n\t"
	                 "test %%rax, %%rax\n\t"
	                 "jz 3f\n\t"
	                 "mov %%rax, (%[copy])\n\t"
	                 "xor %%edi, %%edi\n\t"
	                 "mov $231, %%eax\n\t" /* exit_group */
	                 "syscall\n\t"
	                 "ud2\n"
	                 "1:\n\t"
	                 "mov %%rax, %%r9\n"
	                 "2:\n\t"
	                 "mov %%r9, %%rdi\n\t"
	                 "xor %%esi, %%esi\n\t"
	                 "mov $0x40000000, %%edx\n\t" /* __WALL */
	                 "xor %%r10d, %%r10d\n\t"
	                 "mov $61, %%eax\n\t" /* wait4 */
	                 "syscall\n\t"
	                 "cmp $-4, %%rax\n\t" /* EINTR */
	                 "je 2b\n\t"
	                 "mov %%r9, %%rax\n"
	                 "3:"
	                 : "=&a"(r)
	                 : [copy] "r"(copy)
	                 : "rdi", "rsi", "rdx", "r10", "r8", "r9", "rcx", "r11", "memory");
	return r;
}

static inline void rme_cpu_relax(void)
{
	__builtin_ia32_pause();
}

/* Calls fn(arg) on another stack and never returns. */
static inline __attribute__((noreturn)) void rme_cpu_run_on_stack(void *top, void (*fn)(void *),
                                                                  void *arg)
{
	__asm__ volatile("mov %0, %%rsp\n\t"
	                 "xor %%ebp, %%ebp\n\t"
	                 "call *%1\n\t"
	                 "ud2"
	                 :
	                 : "r"((uint64_t)top & ~15ul), "r"(fn), "D"(arg)
	                 : "memory");
	__builtin_unreachable();
}

#endif
