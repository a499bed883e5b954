#include "runtime/snapshot.h"

#include "runtime/memory.h"
#include "runtime/sys.h"

enum {
	CLONE_UNTRACED_ = 0x00800000,
	PR_SET_PDEATHSIG_ = 1,
	PR_SET_NAME_ = 15,
	PR_GET_CHILD_SUBREAPER_ = 37,
	PR_SET_PTRACER_ = 0x59616d61,
	SIGKILL_ = 9,
	WNOHANG_ = 1,
	WALL_ = 0x40000000,
	SIG_SETMASK_ = 2,
	FUTEX_WAIT_ = 0, /* not PRIVATE: the word is shared with the snapshot */
	FUTEX_WAKE_ = 1,
	CLOCK_MONOTONIC_ = 1,
	SIGURG_ = 23,
	AT_FDCWD_ = -100,
	RLIMIT_CORE_ = 4,
	RLIMIT_NOFILE_ = 7,
	RLIMIT_AS_ = 9,
	MANY_DESCRIPTORS = 65536
};

/* Signals 4, 5, 7, 8, 11, 27, 31 stay open for the fault guard; everything else, a Ctrl-C
 * of the terminal or the program's own alarm, is the debuggee's business. */
#define SNAPSHOT_MASK                                                                              \
	(~0ull &                                                                                   \
	 ~(1ull << 3 | 1ull << 4 | 1ull << 6 | 1ull << 7 | 1ull << 10 | 1ull << 26 | 1ull << 30))

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

/* A socket must see that its peer has closed it, a lock that it was released. */
static void close_descriptors(void)
{
	uint64_t limit[2] = {1024, 1024};

	if (rme_syscall6(RME_SYS_close_range, 0, 0x7fffffff, 0, 0, 0, 0) == 0)
		return;
	rme_syscall6(RME_SYS_prlimit64, 0, RLIMIT_NOFILE_, 0, (long)limit, 0, 0);
	for (uint64_t fd = 0; fd < limit[1] && fd < MANY_DESCRIPTORS; fd++) /* before Linux 5.9 */
		rme_syscall6(RME_SYS_close, (long)fd, 0, 0, 0, 0, 0);
}

/* What a snapshot does first, before it takes memory. */
static void settle(void)
{
	uint64_t mine = SNAPSHOT_MASK;

	close_descriptors();
	offer_to_oom_killer();
	adjust_limits();
	rme_syscall6(RME_SYS_rt_sigprocmask, SIG_SETMASK_, (long)&mine, 0, 8, 0, 0);
}

int64_t rme_snapshot_start(struct rme_block *block, void (*fn)(struct rme_block *))
{
	uint64_t all = ~0ull, old;
	long pid;

	block->state = RME_RUNNING;
	/* Nothing may be delivered in the child before its mask is set. */
	rme_syscall6(RME_SYS_rt_sigprocmask, SIG_SETMASK_, (long)&all, (long)&old, 8, 0, 0);
	pid = rme_syscall6(RME_SYS_clone, CLONE_UNTRACED_, 0, 0, 0, 0, 0);
	if (pid == 0) {
		rme_syscall6(RME_SYS_prctl, PR_SET_PDEATHSIG_, SIGKILL_, 0, 0, 0, 0);
		settle();
		fn(block);
		rme_snapshot_tell(block);
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

/* Orphans that this process leaves would be its own to reap. */
static bool reaps_orphans(void)
{
	int32_t is = 0;

	return rme_syscall6(RME_SYS_getpid, 0, 0, 0, 0, 0, 0) == 1 ||
	       rme_syscall6(RME_SYS_prctl, PR_GET_CHILD_SUBREAPER_, (long)&is, 0, 0, 0, 0) < 0 ||
	       is;
}

/* The block of the snapshot lies where that of the debuggee does, but can be written. */
static bool own_block(struct rme_block *block)
{
	struct rme_block given = *block;
	long at = rme_syscall6(RME_SYS_mmap, (long)block, RME_PAGE, 3 /* READ|WRITE */,
	                       0x32 /* PRIVATE|FIXED|ANONYMOUS */, -1, 0);
	uint8_t *room = rme_sys_reserve(given.request_capacity + given.reply_capacity);

	if (at != (long)block || !room)
		return false;
	*block = given;
	block->reply = (uint64_t)room + given.request_capacity;
	__atomic_store_n(&block->request, (uint64_t)room, __ATOMIC_RELEASE);
	return true;
}

int64_t rme_snapshot_orphan(struct rme_block *block, void (*fn)(struct rme_block *))
{
	uint64_t all = ~0ull, old;
	volatile int64_t copy = -RME_ENOMEM;
	long child;

	if (reaps_orphans())
		return -RME_ECHILD;
	rme_syscall6(RME_SYS_rt_sigprocmask, SIG_SETMASK_, (long)&all, (long)&old, 8, 0, 0);
	child = rme_cpu_clone_orphan(&copy);
	if (child == 0) {
		settle();
		rme_syscall6(RME_SYS_prctl, PR_SET_NAME_, (long)"rememberme", 0, 0, 0, 0);
		rme_syscall6(RME_SYS_prctl, PR_SET_PTRACER_, block->debugger, 0, 0, 0, 0);
		if (own_block(block))
			fn(block);
		rme_syscall6(RME_SYS_exit_group, 1, 0, 0, 0, 0, 0);
		__builtin_unreachable();
	}
	rme_syscall6(RME_SYS_rt_sigprocmask, SIG_SETMASK_, (long)&old, 0, 8, 0, 0);
	return child < 0 ? child : copy;
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

void rme_snapshot_tell(struct rme_block *block)
{
	rme_syscall6(RME_SYS_futex, (long)&block->state, FUTEX_WAKE_, 1, 0, 0, 0);
}

static uint64_t seconds(void)
{
	int64_t now[2] = {0, 0};

	rme_syscall6(RME_SYS_clock_gettime, CLOCK_MONOTONIC_, (long)now, 0, 0, 0, 0);
	return (uint64_t)now[0];
}

/* Whoever is root's debugger may not be signalled, but it is there. */
static bool is_gone(int32_t pid)
{
	return pid && rme_syscall6(RME_SYS_kill, pid, 0, 0, 0, 0, 0) == -RME_ESRCH;
}

void rme_snapshot_await(struct rme_block *block)
{
	enum { SHORT = 100 };
	uint64_t wake = 1ull << (SIGURG_ - 1), end = seconds() + block->lease_s;

	/* A SIGURG, which does no harm to whoever gets it, wakes it at once; who cannot send one
	 * waits for a nap at most. */
	for (int n = 0; state_load(block) != RME_RUNNING; n++) {
		int64_t nap[2] = {0, n < SHORT ? 1000000 : 20000000};
		rme_syscall6(RME_SYS_rt_sigtimedwait, (long)&wake, 0, (long)nap, 8, 0, 0);
		if (n >= SHORT &&
		    (is_gone(block->debugger) || (block->lease_s && seconds() >= end)))
			rme_syscall6(RME_SYS_exit_group, 0, 0, 0, 0, 0, 0);
	}
}

void rme_snapshot_stop(struct rme_block *block)
{
	if (block->pid <= 0)
		return;
	rme_syscall6(RME_SYS_kill, block->pid, SIGKILL_, 0, 0, 0, 0);
	reap(block, 0);
	block->pid = 0;
}
