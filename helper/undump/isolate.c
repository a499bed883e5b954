/* The child's side: give up what it may do, then what it has, then enter the stub. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/sys.h"
#include "undump/child.h"
#include "undump/pager.h"

#if defined(__has_include)
#if __has_include(<sys/rseq.h>)
#include <sys/rseq.h>
#define HAVE_RSEQ 1
#endif
#endif

static void set_limit(int which, rlim_t soft, rlim_t hard)
{
	struct rlimit limit = {soft, hard};

	setrlimit(which, &limit);
}

static void give_up_rights(const struct ud_limits *limits)
{
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	/* No core of the core, and nobody but root looks into the child. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	set_limit(RLIMIT_CORE, 0, 0);
	set_limit(RLIMIT_FSIZE, 0, 0);
	set_limit(RLIMIT_NPROC, 0, 0);
	set_limit(RLIMIT_MEMLOCK, 0, 0);
	/* SIGXCPU, which tells why. The parent moves it for each question. */
	set_limit(RLIMIT_CPU, limits->cpu_seconds, RLIM_INFINITY);
}

static void reset_signals(void)
{
	sigset_t none;

	for (int i = 1; i < 32; i++)
		signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The kernel writes to the area that glibc registered whenever the thread changes
 * its CPU, and kills the process when the area is gone. The size is that of the
 * registration, which glibc does not tell: 32 bytes, or more since 2.41. */
static bool leave_rseq(void)
{
#ifdef HAVE_RSEQ
	char *area = (char *)__builtin_thread_pointer() + __rseq_offset;

	if (!__rseq_size)
		return true;
	if (syscall(SYS_rseq, area, __rseq_size, RSEQ_FLAG_UNREGISTER, RSEQ_SIG) == 0)
		return true;
	for (unsigned size = 32; size <= 512; size += 4) {
		if (syscall(SYS_rseq, area, size, RSEQ_FLAG_UNREGISTER, RSEQ_SIG) == 0)
			return true;
	}
	return errno == ENOSYS;
#else
	return true;
#endif
}

/* Everything that is mapped but the place itself. */
static bool list_unmap(const struct ud_place *place)
{
	struct rme_range *own = place->unmap;
	long n = ud_place_own_mappings(own), kept = 0;

	for (long i = 0; i < n; i++) {
		if (own[i].end <= place->start || own[i].start >= place->end)
			own[kept++] = own[i];
	}
	place->job->n_unmap = (uint64_t)kept;
	return n > 0;
}

static void enter(void *arg)
{
	const struct ud_place *place = arg;

	place->enter(place->job);
}

void ud_child_enter(const struct ud_place *place, pid_t parent, const struct ud_limits *limits,
                    const int channels[2], bool paged)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent)
		_exit(1);
	reset_signals();
	if (paged)
		place->job->uffd = ud_pager_open(limits->filtered);
	ud_pager_send(channels[0], (int)place->job->uffd);
	place->job->channel = channels[1];
	give_up_rights(limits);
	if (!leave_rseq() || !list_unmap(place)) {
		place->status->error = -errno;
		_exit(1);
	}
	/* From here on nothing of libc may run: it is about to be unmapped. */
	rme_cpu_run_on_stack((void *)place->stack_top, enter, (void *)place);
}
