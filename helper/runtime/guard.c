#include "runtime/guard.h"

#include "runtime/code.h"
#include "runtime/sys.h"

enum {
	SIGILL_ = 4,
	SIGTRAP_ = 5,
	SIGBUS_ = 7,
	SIGFPE_ = 8,
	SIGSEGV_ = 11,
	SIGSYS_ = 31,
	SA_SIGINFO_ = 4,
	SA_ONSTACK_ = 0x08000000,
	SA_NODEFER_ = 0x40000000,
	CLOCK_THREAD_CPUTIME_ID_ = 3,
	SIGEV_THREAD_ID_ = 4
};

RME_CPU_DEFINE_SAVE("rme_guard_save", "rme_guard_resume")
RME_CPU_DEFINE_SIGRETURN("rme_guard_return")
void rme_guard_return(void);

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
	case 4:
		return SIGSYS_;
	default:
		return SIGTRAP_;
	}
}

/* The state lies at the bottom of the stack that handlers run on. A signal frame
 * with the widest vector registers takes less than 12 KiB of it. */
static inline struct rme_guards *guards_here(void)
{
	uint64_t here = (uint64_t)__builtin_frame_address(0);

	return (struct rme_guards *)(here & ~(RME_GUARD_STACK - 1));
}

void rme_guards_raise(struct rme_guards *guards, int signal)
{
	struct rme_guard *g = guards->top;

	if (!g)
		rme_sys_exit(128 + signal);
	guards->n_faults++;
	guards->signal = signal;
	guards->top = g->outer;
	g->signal = signal;
	rme_guard_resume(g->saved);
}

static void on_fault(int signal, const int32_t *info)
{
	struct rme_guards *guards = guards_here();

	/* siginfo: si_signo, si_errno, si_code, padding, si_addr */
	if (guards->top)
		guards->top->fault_address = rme_u64((rme_addr)info + 16);
	rme_guards_raise(guards, signal);
}

enum { TICKS = 4 }; /* in the time that a call may take */

/* Every quarter of that time which the thread has computed. Our own code is never left in the
 * middle of something: if it was called back, the next tick may find the caller. */
static void on_tick(int signal, const int32_t *info, const void *context)
{
	struct rme_guards *guards = guards_here();
	struct rme_range own = rme_own_code();
	uint64_t at = rme_cpu_context_code(context);

	(void)info;
	if (guards->n_calls != guards->n_calls_before) {
		guards->n_calls_before = guards->n_calls;
		guards->n_ticks = 0;
	} else if (guards->top && ++guards->n_ticks >= TICKS && (at < own.start || at >= own.end)) {
		guards->n_ticks = 0;
		rme_guards_raise(guards, signal);
	}
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

	*guards = (struct rme_guards){0};
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

static void set_timer(struct rme_guards *guards, uint32_t ms)
{
	int64_t period = (int64_t)ms * 1000000 / TICKS;
	int64_t spec[4] = {period / 1000000000, period % 1000000000, period / 1000000000,
	                   period % 1000000000};

	rme_syscall6(RME_SYS_timer_settime, guards->timer, 0, (long)spec, 0, 0, 0);
}

void rme_guards_watch(struct rme_guards *guards, uint32_t ms)
{
	struct rme_kernel_sigaction act = {
	    (void *)on_tick, SA_SIGINFO_ | SA_ONSTACK_ | SA_NODEFER_ | RME_SA_RESTORER,
	    (void *)rme_guard_return, 0};
	/* struct sigevent: value, signal, how, thread */
	int32_t event[16] = {0, 0, RME_GUARD_SLOW, SIGEV_THREAD_ID_};

	if (!ms)
		return;
	event[4] = (int32_t)rme_syscall6(RME_SYS_gettid, 0, 0, 0, 0, 0, 0);
	rme_syscall6(RME_SYS_rt_sigaction, RME_GUARD_SLOW, (long)&act, 0, 8, 0, 0);
	if (rme_syscall6(RME_SYS_timer_create, CLOCK_THREAD_CPUTIME_ID_, (long)event,
	                 (long)&guards->timer, 0, 0, 0) < 0)
		return;
	guards->watched_ms = ms;
	set_timer(guards, ms);
}

void rme_guards_unwatch(struct rme_guards *guards)
{
	if (guards->watched_ms)
		rme_syscall6(RME_SYS_timer_delete, guards->timer, 0, 0, 0, 0, 0);
	guards->watched_ms = 0;
}

void rme_guards_deinit(struct rme_guards *guards)
{
	for (int i = 0; i < RME_GUARD_SIGNALS; i++)
		rme_syscall6(RME_SYS_rt_sigaction, signal_at(i), (long)&guards->old_action[i], 0, 8,
		             0, 0);
	rme_syscall6(RME_SYS_sigaltstack, (long)&guards->old_stack, 0, 0, 0, 0, 0);
}
