#include "runtime/snapshot.h"

#include "runtime/memory.h"
#include "runtime/sys.h"

enum {
	CLONE_UNTRACED_ = 0x00800000,
	PR_SET_PDEATHSIG_ = 1,
	SIGKILL_ = 9,
	WNOHANG_ = 1,
	WALL_ = 0x40000000,
	SIG_SETMASK_ = 2,
	FUTEX_WAIT_ = 0, /* not PRIVATE: the word is shared with the snapshot */
	FUTEX_WAKE_ = 1,
	AT_FDCWD_ = -100,
	RLIMIT_CORE_ = 4,
	RLIMIT_AS_ = 9
};

/* Signals 4, 5, 7, 8, 11 stay open for the fault guard; everything else, a Ctrl-C
 * of the terminal or the program's own alarm, is the debuggee's business. */
#define SNAPSHOT_MASK (~0ull & ~(1ull << 3 | 1ull << 4 | 1ull << 6 | 1ull << 7 | 1ull << 10))

static uint32_t state_load(struct rme_block *block)
{
	return __atomic_load_n(&block->state, __ATOMIC_ACQUIRE);
}

/* The snapshot offers itself first to the OOM killer: it must never cost the
 * program its life. Failing (no /proc) changes nothing else. */
static void offer_to_oom_killer(void)
{
	long fd = rme_syscall6(RME_SYS_openat, AT_FDCWD_, (long)"/proc/self/oom_score_adj",
	                       1 /* O_WRONLY */, 0, 0, 0);
	if (fd < 0)
		return;
	rme_syscall6(RME_SYS_write, fd, (long)"1000", 4, 0, 0, 0);
	rme_syscall6(RME_SYS_close, fd, 0, 0, 0, 0, 0);
}

/* An address-space limit of the program must not bound the reservation of its
 * snapshot, which is a promise of nothing. */
static void adjust_limits(void)
{
	uint64_t limit[2];

	if (rme_syscall6(RME_SYS_prlimit64, 0, RLIMIT_AS_, 0, (long)limit, 0, 0) < 0)
		return;
	limit[0] = limit[1];
	rme_syscall6(RME_SYS_prlimit64, 0, RLIMIT_AS_, (long)limit, 0, 0, 0);
	/* Nor may a snapshot that is killed leave a core of the program behind. The hard limit
	 * as well: whoever is not root may lower it, but not raise it to the one above. */
	limit[0] = limit[1] = 0;
	rme_syscall6(RME_SYS_prlimit64, 0, RLIMIT_CORE_, (long)limit, 0, 0, 0);
}

int64_t rme_snapshot_start(struct rme_block *block, void (*fn)(struct rme_block *))
{
	uint64_t all = ~0ull, mine = SNAPSHOT_MASK, old;
	long pid;

	block->state = RME_RUNNING;
	/* Nothing may be delivered in the child before its mask is set. */
	rme_syscall6(RME_SYS_rt_sigprocmask, SIG_SETMASK_, (long)&all, (long)&old, 8, 0, 0);
	pid = rme_syscall6(RME_SYS_clone, CLONE_UNTRACED_, 0, 0, 0, 0, 0);
	if (pid == 0) {
		rme_syscall6(RME_SYS_prctl, PR_SET_PDEATHSIG_, SIGKILL_, 0, 0, 0, 0);
		offer_to_oom_killer();
		adjust_limits();
		rme_syscall6(RME_SYS_rt_sigprocmask, SIG_SETMASK_, (long)&mine, 0, 8, 0, 0);
		fn(block);
		rme_syscall6(RME_SYS_futex, (long)&block->state, FUTEX_WAKE_, 1, 0, 0, 0);
		rme_syscall6(RME_SYS_exit_group, 0, 0, 0, 0, 0, 0);
		__builtin_unreachable();
	}
	if (pid > 0)
		block->pid = (int32_t)pid;
	else
		block->state = RME_IDLE;
	rme_syscall6(RME_SYS_rt_sigprocmask, SIG_SETMASK_, (long)&old, 0, 8, 0, 0);
	return pid;
}

static long reap(struct rme_block *block, int flags)
{
	int32_t status = 0;
	long r;

	do
		r = rme_syscall6(RME_SYS_wait4, block->pid, (long)&status, WALL_ | flags, 0, 0, 0);
	while (r == -RME_EINTR);
	if (r == block->pid)
		block->status = status;
	return r;
}

int64_t rme_snapshot_wait(struct rme_block *block, uint64_t wait_ms)
{
	/* Short naps: a snapshot that is killed never wakes the futex. */
	for (uint64_t waited = 0;; waited += 20) {
		int64_t nap[2] = {0, 20000000};
		uint32_t state = state_load(block);

		if (!block->pid)
			return state;
		if (state == RME_DONE) {
			reap(block, 0);
			block->pid = 0;
			return state;
		}
		long r = reap(block, WNOHANG_);
		if (r == block->pid || r < 0) {
			block->pid = 0;
			if (state_load(block) != RME_DONE)
				block->state = RME_DIED;
			return block->state;
		}
		if (state != RME_RUNNING || waited >= wait_ms)
			return state;
		rme_syscall6(RME_SYS_futex, (long)&block->state, FUTEX_WAIT_, RME_RUNNING,
		             (long)nap, 0, 0);
	}
}

static void set_state(struct rme_block *block, uint32_t state)
{
	__atomic_store_n(&block->state, state, __ATOMIC_RELEASE);
	rme_syscall6(RME_SYS_futex, (long)&block->state, FUTEX_WAKE_, 1, 0, 0, 0);
}

bool rme_snapshot_ask(struct rme_block *block, uint32_t state)
{
	enum { LIMIT_MS = 10000 };
	uint32_t answer = 0;

	block->answer = 0;
	set_state(block, state);
	/* Short naps: what the debugger writes wakes no futex. */
	for (int left = LIMIT_MS; left && !block->cancel; left--) {
		int64_t nap[2] = {0, 1000000};
		uint32_t before = answer;
		rme_syscall6(RME_SYS_futex, (long)&block->answer, FUTEX_WAIT_, answer, (long)nap, 0,
		             0);
		answer = __atomic_load_n(&block->answer, __ATOMIC_ACQUIRE);
		if (answer == RME_ANSWER_DONE || answer == RME_ANSWER_NO)
			break;
		if (answer != before)
			left = LIMIT_MS;
	}
	set_state(block, RME_RUNNING);
	return answer == RME_ANSWER_DONE;
}

void rme_snapshot_stop(struct rme_block *block)
{
	if (block->pid <= 0)
		return;
	rme_syscall6(RME_SYS_kill, block->pid, SIGKILL_, 0, 0, 0, 0);
	reap(block, 0);
	block->pid = 0;
}
