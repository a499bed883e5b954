#include "undump/child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "undump/cancel.h"
#include "undump/pager.h"

enum { TICK_MS = 200 };

/* Memory that is the child's own, not the files': anonymous and shared pages. */
static uint64_t own_memory(pid_t pid)
{
	char path[64], line[128];
	unsigned long long anonymous = 0, shared = 0;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof line, file)) {
		if (!sscanf(line, "RssAnon: %llu", &anonymous))
			sscanf(line, "RssShmem: %llu", &shared);
	}
	if (file)
		fclose(file);
	return (anonymous + shared) * 1024;
}

struct watch {
	const struct ud_place *place;
	const struct ud_limits *limits;
	struct ud_outcome *outcome;
	struct ud_pager pager;
	pid_t pid;
	int signals;
	bool cancelled;
	bool too_much;
};

static void report_progress(const struct watch *w)
{
	char line[128];
	int n;

	if (w->limits->progress < 0)
		return;
	if (__atomic_load_n(&w->place->status->stage, __ATOMIC_ACQUIRE) == UD_STAGE_MAPPING)
		n = snprintf(line, sizeof line, "mapping 0 0\n");
	else
		n = snprintf(line, sizeof line, "objects %llu %llu\n",
		             (unsigned long long)w->place->block->progress_objects,
		             (unsigned long long)w->place->block->progress_bytes);
	/* Nobody listens any more: nobody waits for the answer. */
	if (write(w->limits->progress, line, (size_t)n) < 0 && errno == EPIPE)
		_exit(1);
}

static void check_memory(struct watch *w)
{
	w->too_much = own_memory(w->pid) > w->limits->memory;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Until the child has ended, or is to end: returns its wait status. */
static int watch(struct watch *w)
{
	uint64_t tick = now_ms() + TICK_MS;
	struct rusage usage;
	int status = 0;

	for (;;) {
		struct pollfd fds[2] = {{w->signals, POLLIN, 0}, {w->pager.uffd, POLLIN, 0}};
		uint64_t now = now_ms();
		int wait = now < tick ? (int)(tick - now) : 0;

		if (poll(fds, w->pager.uffd >= 0 ? 2 : 1, wait) < 0 && errno != EINTR)
			w->cancelled = true;
		if (fds[1].revents & POLLIN)
			ud_pager_serve(&w->pager);
		if (fds[0].revents & POLLIN) {
			struct signalfd_siginfo info;
			if (read(w->signals, &info, sizeof info) == sizeof info &&
			    info.ssi_signo != SIGCHLD)
				w->cancelled = true;
		}
		if (wait4(w->pid, &status, WNOHANG, &usage) == w->pid) {
			w->outcome->max_rss = (uint64_t)usage.ru_maxrss * 1024;
			return status;
		}
		if (now_ms() >= tick) {
			report_progress(w);
			check_memory(w);
			tick = now_ms() + TICK_MS;
		}
		/* The child dies with this process, which may end no other itself (rights.h). */
		if (w->cancelled || w->too_much)
			return status;
	}
}

static bool judge(const struct watch *w, int status, struct rme_error *error)
{
	const struct ud_status *s = w->place->status;

	bool interrupted =
	    WIFSIGNALED(status) && (WTERMSIG(status) == SIGINT || WTERMSIG(status) == SIGTERM);

	if (w->cancelled || interrupted)
		return ud_fail(error, RME_ERROR_CANCELLED, "cancelled");
	if (w->too_much)
		return ud_fail(error, RME_ERROR_MEMORY_LIMIT,
		               "the analysis was ended because it had taken %llu MiB of memory",
		               (unsigned long long)w->limits->memory >> 20);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		uint64_t size = w->place->block->reply_size;

		/* The child wrote the block: what it says is checked. */
		if (w->place->block->state == RME_DONE && size >= 2 &&
		    size <= w->place->reply_capacity && w->place->reply[0] == '{' &&
		    w->place->reply[size - 1] == '}') {
			w->outcome->reply_size = size;
			return true;
		}
		return ud_fail(error, RME_ERROR_DIED, "the analysis ended without an answer");
	}
	if (WIFEXITED(status) && s->stage == UD_STAGE_NO_MEMORY)
		return ud_fail(error, RME_ERROR_SYSTEM,
		               "no address space is left for the analysis");
	if (WIFEXITED(status) && s->stage == UD_STAGE_NO_SECCOMP)
		return ud_fail(
		    error, RME_ERROR_SYSTEM,
		    "the analysis could not be confined: neither seccomp's strict mode nor a "
		    "filter of its own could be set (%s); without one nothing is analysed, "
		    "because a core may come from anybody. Where this runs under another "
		    "filter (a container, a systemd unit), let it call prctl",
		    strerror((int)-s->error));
	if (WIFEXITED(status))
		return ud_fail(error, RME_ERROR_DIED, "the analysis ended with status %d%s%s",
		               WEXITSTATUS(status), s->error ? ": " : "",
		               s->error ? strerror((int)-s->error) : "");
	if (WTERMSIG(status) == SIGXCPU)
		return ud_fail(error, RME_ERROR_TIME_LIMIT,
		               "the analysis was ended after %llu seconds of computing",
		               (unsigned long long)w->limits->cpu_seconds);
	if (WTERMSIG(status) == SIGSYS && s->stage == UD_STAGE_MAPPING)
		return ud_fail(error, RME_ERROR_SYSTEM,
		               "the analysis could not be prepared: a seccomp filter that this "
		               "runs under (a container, a systemd unit) ends who makes one of its "
		               "system calls");
	if (WTERMSIG(status) == SIGSYS)
		return ud_fail(error, RME_ERROR_DIED,
		               "the analysis was ended: code of a type in the core made a system "
		               "call, which it may not");
	if (WTERMSIG(status) == SIGKILL)
		return ud_fail(
		    error, RME_ERROR_DIED,
		    "the analysis was killed: the system ran out of memory, or code of a "
		    "type in the core made a system call, which it may not");
	return ud_fail(error, RME_ERROR_DIED, "the analysis crashed: %s",
	               strsignal(WTERMSIG(status)));
}

bool ud_child_run(const struct ud_place *place, const struct ud_target *target,
                  const struct ud_plan *plan, const struct ud_limits *limits,
                  struct ud_outcome *ret, struct rme_error *error)
{
	struct watch w = {.place = place, .limits = limits, .outcome = ret};
	pid_t parent = getpid();
	sigset_t set;
	int channel[2];

	*ret = (struct ud_outcome){0};
	place->block->kept_fd = limits->kept;
	ud_signals_watched(&set);
	w.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (w.signals < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel) < 0)
		return ud_fail(error, RME_ERROR_SYSTEM, "the analysis cannot be started: %s",
		               strerror(errno));
	w.pid = fork();
	if (w.pid == 0)
		ud_child_enter(place, parent, limits, channel[1], plan->paged && !limits->eager);
	close(channel[1]);
	if (w.pid < 0) {
		ud_fail(error, RME_ERROR_SYSTEM, "the analysis cannot be started: %s",
		        strerror(errno));
		close(channel[0]);
		close(w.signals);
		return false;
	}
	ud_pager_init(&w.pager, ud_pager_receive(channel[0]), target);
	close(channel[0]);
	int status = watch(&w);
	bool ok = judge(&w, status, error);
	ret->n_faults = w.pager.n_faults;
	ret->n_unreadable = w.pager.n_unreadable;
	ud_pager_deinit(&w.pager);
	close(w.signals);
	return ok;
}
