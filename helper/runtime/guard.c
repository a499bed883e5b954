#include "runtime/guard.h"

#include "runtime/sys.h"

enum {
	SIGILL_ = 4,
	SIGTRAP_ = 5,
	SIGBUS_ = 7,
	SIGFPE_ = 8,
	SIGSEGV_ = 11,
	SA_SIGINFO_ = 4,
	SA_ONSTACK_ = 0x08000000,
	SA_NODEFER_ = 0x40000000,
	SI_USER_ = 0
};

RME_CPU_DEFINE_SAVE("rme_guard_save", "rme_guard_resume")

static int signal_at(int i)
{
	switch (i) {
	case 0:
		return SIGSEGV_;
	case 1:
		return SIGBUS_;
	case 2:
		return SIGILL_;
	case 3:
		return SIGFPE_;
	default:
		return SIGTRAP_;
	}
}

/* The state lies at the bottom of the stack that this runs on. A signal frame
 * with the widest vector registers takes less than 12 KiB of it. */
static void on_fault(int signal, const int32_t *info)
{
	uint64_t here = (uint64_t)__builtin_frame_address(0);
	struct rme_guards *guards = (struct rme_guards *)(here & ~(RME_GUARD_STACK - 1));
	struct rme_guard *g = guards->top;

	if (!g)
		rme_sys_exit(128 + signal);
	guards->n_faults++;
	guards->top = g->outer;
	g->signal = signal;
	/* siginfo: si_signo, si_errno, si_code, padding, si_addr */
	g->fault_address = rme_u64((rme_addr)info + 16);
	rme_guard_resume(g->saved);
}

/* The handlers never return, but the kernel wants a restorer on x86-64. */
static void restorer(void)
{
	rme_sys_exit(127);
}

void rme_guard_pop(struct rme_guards *guards, struct rme_guard *g)
{
	__asm__ volatile("" : : : "memory"); /* no load of the block moves below */
	RME_STORE(guards->top, g->outer);
}

struct rme_guards *rme_guards_init(void *stack)
{
	struct rme_guards *guards = stack;
	struct rme_kernel_stack alt = {stack, 0, 0, RME_GUARD_STACK};

	guards->top = NULL;
	guards->n_faults = 0;
	rme_syscall6(RME_SYS_sigaltstack, (long)&alt, (long)&guards->old_stack, 0, 0, 0, 0);
	for (int i = 0; i < RME_GUARD_SIGNALS; i++) {
		/* NODEFER: the jump out leaves no signal blocked behind. */
		struct rme_kernel_sigaction act = {
		    (void *)on_fault, SA_SIGINFO_ | SA_ONSTACK_ | SA_NODEFER_ | RME_SA_RESTORER,
		    (void *)restorer, 0};
		rme_syscall6(RME_SYS_rt_sigaction, signal_at(i), (long)&act,
		             (long)&guards->old_action[i], 8, 0, 0);
	}
	return guards;
}

void rme_guards_deinit(struct rme_guards *guards)
{
	for (int i = 0; i < RME_GUARD_SIGNALS; i++)
		rme_syscall6(RME_SYS_rt_sigaction, signal_at(i), (long)&guards->old_action[i], 0, 8,
		             0, 0);
	rme_syscall6(RME_SYS_sigaltstack, (long)&guards->old_stack, 0, 0, 0, 0, 0);
}
