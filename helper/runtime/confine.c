#include "runtime/confine.h"

#include <stddef.h>

#include "runtime/arch/abi.h"
#include "runtime/sys.h"

enum {
	PR_SET_SECCOMP_ = 22,
	PR_SET_NO_NEW_PRIVS_ = 38,
	SECCOMP_MODE_FILTER_ = 2,
	RET_TRAP = 0x00030000,
	RET_EBADF = 0x00050009,
	RET_ALLOW = 0x7fff0000,
	/* <linux/bpf_common.h> */
	LOAD_WORD = 0x20,
	JUMP_EQUAL = 0x15,
	JUMP_ABOVE_OR_EQUAL = 0x35,
	JUMP_ANY_BIT = 0x45,
	RETURN = 0x06,
	/* struct seccomp_data */
	NUMBER = 0,
	ARCH = 4,
	CODE_LOW = 8,
	CODE_HIGH = 12,
	ARGUMENT_0 = 16,
	ARGUMENT_1 = 24,
	MAX_STEPS = 96
};

/* struct sock_filter */
struct step {
	uint16_t code;
	uint8_t if_true, if_false; /* how many steps to skip */
	uint32_t value;
};

struct filter {
	struct step steps[MAX_STEPS];
	uint16_t n;
};

static void step(struct filter *f, uint16_t code, uint32_t value, uint8_t if_true, uint8_t if_false)
{
	f->steps[f->n++] = (struct step){code, if_true, if_false, value};
}

static void give(struct filter *f, uint32_t verdict)
{
	step(f, RETURN, verdict, 0, 0);
}

static void unless(struct filter *f, uint16_t jump, uint32_t value, uint32_t verdict)
{
	step(f, jump, value, 1, 0);
	give(f, verdict);
}

static void allow(struct filter *f, uint32_t number)
{
	step(f, JUMP_EQUAL, number, 0, 1);
	give(f, RET_ALLOW);
}

/* Allowed when an argument compares so; else `verdict`. */
static void allow_if(struct filter *f, uint32_t number, uint32_t argument, uint16_t jump,
                     uint32_t value, uint32_t verdict)
{
	step(f, JUMP_EQUAL, number, 0, 4);
	step(f, LOAD_WORD, argument, 0, 0);
	unless(f, jump, value, verdict);
	give(f, RET_ALLOW);
}

static void require_code(struct filter *f, struct rme_range code)
{
	/* A range across a multiple of 4 GiB is not worth more steps. */
	if (code.start >> 32 != code.end >> 32)
		return;
	step(f, LOAD_WORD, CODE_HIGH, 0, 0);
	unless(f, JUMP_EQUAL, (uint32_t)(code.start >> 32), RET_TRAP);
	step(f, LOAD_WORD, CODE_LOW, 0, 0);
	unless(f, JUMP_ABOVE_OR_EQUAL, (uint32_t)code.start, RET_TRAP);
	step(f, JUMP_ABOVE_OR_EQUAL, (uint32_t)code.end, 0, 1);
	give(f, RET_TRAP);
}

static void allow_snapshot(struct filter *f)
{
	allow(f, RME_SYS_rt_sigtimedwait);
	allow(f, RME_SYS_clock_gettime);
	allow(f, RME_SYS_futex);
	allow(f, RME_SYS_exit_group);
	/* the second thread of a walk */
	allow(f, RME_SYS_sched_yield);
	allow(f, RME_SYS_sched_getaffinity);
	allow(f, RME_SYS_sigaltstack);
	allow(f, RME_SYS_rt_sigaction);
	allow(f, RME_SYS_gettid);
	allow(f, RME_SYS_timer_create);
	allow(f, RME_SYS_timer_settime);
	allow(f, RME_SYS_timer_delete);
	allow_if(f, RME_SYS_clone, ARGUMENT_0, JUMP_ANY_BIT, 0x10000 /* CLONE_THREAD */, RET_TRAP);
	allow_if(f, RME_SYS_kill, ARGUMENT_1, JUMP_EQUAL, 0, RET_TRAP);
}

int64_t rme_confine(struct rme_range code, int channel)
{
	struct filter f = {.n = 0};
	struct {
		uint16_t n;
		const struct step *steps;
	} program; /* struct sock_fprog */

	step(&f, LOAD_WORD, ARCH, 0, 0);
	unless(&f, JUMP_EQUAL, RME_AUDIT_ARCH, RET_TRAP);
	require_code(&f, code);
	step(&f, LOAD_WORD, NUMBER, 0, 0);
	allow(&f, RME_SYS_rt_sigreturn);
	allow(&f, RME_SYS_madvise);
	allow(&f, RME_SYS_exit);
	allow_if(&f, RME_SYS_arch_prctl, ARGUMENT_0, JUMP_EQUAL, RME_ARCH_SET_FS, RET_TRAP);
	if (channel < 0) {
		allow_snapshot(&f);
	} else {
		allow_if(&f, RME_SYS_read, ARGUMENT_0, JUMP_EQUAL, (uint32_t)channel, RET_EBADF);
		allow_if(&f, RME_SYS_write, ARGUMENT_0, JUMP_EQUAL, (uint32_t)channel, RET_EBADF);
	}
	give(&f, RET_TRAP);
	program.n = f.n;
	program.steps = f.steps;
	long r = rme_syscall6(RME_SYS_prctl, PR_SET_NO_NEW_PRIVS_, 1, 0, 0, 0, 0);
	if (r >= 0)
		r = rme_syscall6(RME_SYS_prctl, PR_SET_SECCOMP_, SECCOMP_MODE_FILTER_,
		                 (long)&program, 0, 0, 0);
	return r;
}
