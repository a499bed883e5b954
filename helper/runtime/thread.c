#include "runtime/thread.h"

#include "runtime/sys.h"

#define STACK_SIZE (1ul << 20)

enum {
	/* VM, FS, FILES, SIGHAND, THREAD, SYSVSEM, CHILD_CLEARTID, UNTRACED */
	FLAGS = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000 | 0x200000 | 0x800000
};

static void run(void *arg)
{
	struct rme_helper_thread *t = arg;

	t->guards = rme_guards_init(t->guard_stack);
	rme_guards_watch(t->guards, t->watched_ms);
	t->fn(t->arg);
	rme_guards_unwatch(t->guards);
}

bool rme_helper_thread_init(struct rme_helper_thread *t, struct rme_arena *arena)
{
	uint8_t *room = rme_arena_alloc(arena, 2 * RME_GUARD_STACK);

	t->stack = rme_arena_alloc(arena, STACK_SIZE);
	if (!room || !t->stack)
		return false;
	t->guard_stack = (void *)(((uint64_t)room + RME_GUARD_STACK - 1) & ~(RME_GUARD_STACK - 1));
	t->guards = t->guard_stack;
	return true;
}

bool rme_helper_thread_start(struct rme_helper_thread *t)
{
	t->running = 1;
	return rme_cpu_clone_thread(FLAGS, t->stack + STACK_SIZE, run, t, &t->running) > 0;
}

void rme_helper_thread_join(struct rme_helper_thread *t)
{
	while (__atomic_load_n(&t->running, __ATOMIC_ACQUIRE))
		rme_syscall6(RME_SYS_sched_yield, 0, 0, 0, 0, 0, 0);
}

int rme_cpus(void)
{
	uint64_t mask[128] = {0};
	int n = 0;
	long size = rme_syscall6(RME_SYS_sched_getaffinity, 0, sizeof mask, (long)mask, 0, 0, 0);

	for (long i = 0; i < size / 8; i++)
		for (uint64_t m = mask[i]; m; m &= m - 1)
			n++;
	return n;
}
