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

/* Memory of the child in bytes: what is its own, not the files' (anonymous and shared pages), and
 * the most that it had. */
static uint64_t own_memory(pid_t pid, uint64_t *ret_most)
{
	char path[64], line[128];
	unsigned long long anonymous = 0, shared = 0, most = 0;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof line, file)) {
		if (!sscanf(line, "VmHWM: %llu", &most) &&
		    !sscanf(line, "RssAnon: %llu", &anonymous))
			sscanf(line, "RssShmem: %llu", &shared);
	}
	if (file)
		fclose(file);
	*ret_most = most * 1024;
	return (anonymous + shared) * 1024;
}

static void report_progress(const struct ud_child *w)
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

static void check_memory(struct ud_child *w)
{
	uint64_t most;

	w->too_much = own_memory(w->pid, &most) > w->limits->memory;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* How long a walk that was cancelled gets to say so. */
enum { CANCEL_MS = 300 };

/* Until the child has answered (true) or has ended (*status is its wait status). */
static bool watch(struct ud_child *w, int *status)
{
	uint64_t tick = now_ms() + TICK_MS, end = UINT64_MAX;

	for (;;) {
		struct pollfd fds[3] = {
		    {w->signals, POLLIN, 0}, {w->channel, POLLIN, 0}, {w->pager.uffd, POLLIN, 0}};
		uint64_t now = now_ms(), next = end < tick ? end : tick;
		int wait = now < next ? (int)(next - now) : 0;
		char byte;

		if (poll(fds, w->pager.uffd >= 0 ? 3 : 2, wait) < 0 && errno != EINTR)
			end = 0;
		if (fds[2].revents & POLLIN)
			ud_pager_serve(&w->pager);
		if (fds[0].revents & POLLIN) {
			struct signalfd_siginfo info;
			if (read(w->signals, &info, sizeof info) == sizeof info &&
			    info.ssi_signo != SIGCHLD) {
				w->cancelled = true;
				w->place->block->cancel = 1;
				end = info.ssi_signo == SIGINT ? now_ms() + CANCEL_MS : 0;
			}
		}
		if (fds[1].revents & POLLIN && read(w->channel, &byte, 1) == 1)
			return true;
		if (waitpid(w->pid, status, WNOHANG) == w->pid) {
			w->pid = 0;
			return false;
		}
		if (now_ms() >= tick) {
			report_progress(w);
			check_memory(w);
			tick = now_ms() + TICK_MS;
		}
		/* The child dies with this process, which may end no other itself (rights.h). */
		if (w->too_much || now_ms() >= end) {
			w->pid = 0;
			return false;
		}
	}
}

/* The child wrote the block and the reply: what they say is checked. */
static bool take_reply(const struct ud_child *w, struct ud_outcome *ret, struct rme_error *error)
{
	uint64_t size = __atomic_load_n(&w->place->block->reply_size, __ATOMIC_ACQUIRE);

	if (w->place->block->state != RME_DONE || size < 2 || size > w->place->reply_capacity ||
	    w->place->reply[0] != '{' || w->place->reply[size - 1] != '}')
		return ud_fail(error, RME_ERROR_DIED, "the analysis ended without an answer");
	ret->reply_size = size;
	return true;
}

/* Why it has ended. */
static bool judge(const struct ud_child *w, int status, struct rme_error *error)
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
		    "the analysis was killed, perhaps because the system ran out of memory");
	return ud_fail(error, RME_ERROR_DIED, "the analysis crashed: %s",
	               strsignal(WTERMSIG(status)));
}

bool ud_child_start(struct ud_child *ret, const struct ud_place *place,
                    const struct ud_target *target, const struct ud_plan *plan,
                    const struct ud_limits *limits, struct rme_error *error)
{
	enum { PAGER, JOB };
	pid_t parent = getpid();
	int here[2] = {-1, -1}, there[2] = {-1, -1};
	sigset_t set;

	*ret = (struct ud_child){.place = place, .limits = limits, .channel = -1};
	ret->pager.uffd = -1;
	ud_signals_watched(&set);
	ret->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	for (int i = PAGER; i <= JOB && ret->signals >= 0; i++) {
		int pair[2];
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
			return ud_fail(error, RME_ERROR_SYSTEM,
			               "the analysis cannot be started: %s", strerror(errno));
		here[i] = pair[0];
		there[i] = pair[1];
	}
	ret->channel = here[JOB];
	ret->pid = ret->signals >= 0 ? fork() : -1;
	if (ret->pid == 0)
		ud_child_enter(place, parent, limits, there, plan->paged && !limits->eager);
	close(there[PAGER]);
	close(there[JOB]);
	if (ret->pid < 0) {
		ret->pid = 0;
		return ud_fail(error, RME_ERROR_SYSTEM, "the analysis cannot be started: %s",
		               strerror(errno));
	}
	ud_pager_init(&ret->pager, ud_pager_receive(here[PAGER]), target);
	close(here[PAGER]);
	return true;
}

/* What it has computed so far does not count. */
static void renew_time(const struct ud_child *child)
{
	struct timespec used;
	struct rlimit limit = {child->limits->cpu_seconds, RLIM_INFINITY};
	clockid_t clock;

	if (clock_getcpuclockid(child->pid, &clock) == 0 && clock_gettime(clock, &used) == 0)
		limit.rlim_cur += (rlim_t)used.tv_sec;
	prlimit(child->pid, RLIMIT_CPU, &limit, NULL);
}

bool ud_child_ask(struct ud_child *child, struct ud_outcome *ret, struct rme_error *error)
{
	int status = 0;
	char byte = 1;

	*ret = (struct ud_outcome){0};
	child->cancelled = child->too_much = false;
	if (!child->pid)
		return ud_fail(error, RME_ERROR_DIED, "the analysis has ended");
	if (child->place->status->stage == UD_STAGE_ANSWERING)
		renew_time(child);
	/* Where it has ended, watch() tells. */
	if (write(child->channel, &byte, 1) < 0)
		errno = 0;
	bool answered = watch(child, &status);
	ret->n_faults = child->pager.n_faults;
	ret->n_unreadable = child->pager.n_unreadable;
	if (!answered)
		return judge(child, status, error);
	own_memory(child->pid, &ret->max_rss);
	return take_reply(child, ret, error);
}

bool ud_child_idle(struct ud_child *child, int fd)
{
	struct pollfd fds[2] = {{child->signals, POLLIN, 0}, {fd, POLLIN, 0}};
	struct signalfd_siginfo info;

	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return false;
		/* A Ctrl-C is for a question that has been answered. */
		if (fds[0].revents & POLLIN &&
		    read(child->signals, &info, sizeof info) == sizeof info &&
		    info.ssi_signo == SIGTERM)
			return false;
		if (fds[1].revents)
			return true;
	}
}

void ud_child_end(struct ud_child *child)
{
	/* The child sees the end of its channel, or dies with this process. */
	if (child->pager.target)
		ud_pager_deinit(&child->pager);
	if (child->channel >= 0)
		close(child->channel);
	if (child->signals >= 0)
		close(child->signals);
}
