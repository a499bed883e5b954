#include "undump/pager.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The first touch of a chunk brings a window of it, the second all the rest. So a page
 * here and there costs sixteen, and a walk through everything two faults per
 * mebibyte; each takes two switches of the CPU, and more when it is busy. */
#define WINDOW (1ull << 16)
#define CHUNK  (1ull << 20)
enum { UNTOUCHED = 0, FILLED = 0xff }; /* else: 1 + number of the window that is there */

/* A walk in the order of allocation takes chunk after chunk, more or less, and mostly
 * downwards, where the kernel puts the next arena. What comes next is brought while the child
 * works, twice as much each time that it has come to the end of it. */
enum {
	AHEAD_MOST = 32,
	REACH = 2 /* chunks: so far from a run belongs to it */
};

#ifndef UFFD_USER_MODE_ONLY /* Linux 5.11 */
#define UFFD_USER_MODE_ONLY 1
#endif
#ifndef UFFDIO_POISON /* Linux 6.6 */
struct uffdio_poison {
	struct uffdio_range range;
	__u64 mode;
	__s64 updated;
};
#define UFFDIO_POISON _IOWR(UFFDIO, 0x08, struct uffdio_poison)
#endif

/* A seccomp filter that this process is under, a systemd unit's as a rule, may end who makes the
 * call: then somebody else tries it first. */
static bool may_be_called(void)
{
	const struct rlimit no_core = {0, 0};
	int status;

	pid_t pid = fork();
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		syscall(SYS_userfaultfd, O_CLOEXEC);
		_exit(0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status);
}

int ud_pager_open(bool filtered)
{
	struct uffdio_api api = {.api = UFFD_API};
	int flags = O_CLOEXEC | O_NONBLOCK;

	if (filtered && !may_be_called())
		return -1;
	int fd = (int)syscall(SYS_userfaultfd, flags | UFFD_USER_MODE_ONLY);

	if (fd < 0 && errno == EINVAL)
		fd = (int)syscall(SYS_userfaultfd, flags);
	if (fd >= 0 && ioctl(fd, UFFDIO_API, &api) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Chunks keep to their boundaries, so a segment may begin and end inside of one. */
static size_t chunk_of(const struct ud_segment *s, uint64_t address)
{
	return address / CHUNK - s->start / CHUNK;
}

void ud_pager_init(struct ud_pager *pager, int uffd, const struct ud_target *target)
{
	*pager =
	    (struct ud_pager){.uffd = uffd, .target = target, .buffer = ud_must(malloc(CHUNK))};
	pager->chunks = ud_must(calloc(target->n_segments + 1, sizeof *pager->chunks));
}

void ud_pager_deinit(struct ud_pager *pager)
{
	for (size_t i = 0; i < pager->target->n_segments; i++)
		free(pager->chunks[i]);
	free(pager->chunks);
	if (pager->uffd >= 0)
		close(pager->uffd);
	free(pager->buffer);
}

static bool is_zero(const char *p, size_t n)
{
	return !n || (!p[0] && !memcmp(p, p + 1, n - 1));
}

/* Fills [start, start + n) of the child; false when its first page is not there. */
static bool fill(struct ud_pager *pager, uint64_t start, const char *content, size_t n)
{
	if (is_zero(content, n)) {
		struct uffdio_zeropage zero = {{start, n}, 0, 0};
		return ioctl(pager->uffd, UFFDIO_ZEROPAGE, &zero) == 0 || zero.zeropage > 0;
	}
	struct uffdio_copy copy = {start, (uint64_t)content, n, 0, 0};
	return ioctl(pager->uffd, UFFDIO_COPY, &copy) == 0 || copy.copy > 0;
}

static void give_up(struct ud_pager *pager, uint64_t page)
{
	struct uffdio_poison poison = {{page, UD_PAGE}, 0, 0};
	struct uffdio_zeropage zero = {{page, UD_PAGE}, 0, 0};

	pager->n_unreadable++;
	/* The child gets SIGBUS, which its fault guard knows; on older systems zeros. */
	if (ioctl(pager->uffd, UFFDIO_POISON, &poison) < 0)
		ioctl(pager->uffd, UFFDIO_ZEROPAGE, &zero);
}

static uint8_t *chunk_state(struct ud_pager *pager, const struct ud_segment *s, uint64_t page)
{
	uint8_t **chunks = &pager->chunks[s - pager->target->segments];

	if (!*chunks)
		*chunks = ud_must(calloc(chunk_of(s, s->have) + 1, 1));
	return *chunks + chunk_of(s, page);
}

/* Brings what the segment has of [start, end), as far as it can be read, and all or
 * nothing of it where a part belongs to a file; false when nothing came. */
static bool bring(struct ud_pager *pager, const struct ud_segment *s, uint64_t start, uint64_t end)
{
	start = start < s->start ? s->start : start;
	end = end > s->have ? s->have : end;
	if (start >= end)
		return false;
	size_t n = ud_page_down(ud_target_read(pager->target, start, pager->buffer, end - start));
	return n && fill(pager, start, pager->buffer, n);
}

/* The run that the chunk belongs to, made the first of them; NULL when there is none. */
static struct ud_run *find_run(struct ud_pager *pager, const struct ud_segment *s, uint64_t chunk)
{
	for (size_t i = 0; i < UD_RUNS; i++) {
		struct ud_run r = pager->runs[i];
		if (r.segment == s && chunk + REACH * CHUNK >= r.low &&
		    chunk < r.high + REACH * CHUNK) {
			memmove(pager->runs + 1, pager->runs, i * sizeof r);
			pager->runs[0] = r;
			return pager->runs;
		}
	}
	return NULL;
}

static void begin_run(struct ud_pager *pager, const struct ud_segment *s, uint64_t chunk)
{
	memmove(pager->runs + 1, pager->runs, (UD_RUNS - 1) * sizeof *pager->runs);
	pager->runs[0] = (struct ud_run){.segment = s, .low = chunk, .high = chunk + CHUNK};
}

static void extend(struct ud_run *r, uint64_t chunk)
{
	r->down = chunk < r->low;
	if (r->down)
		r->low = chunk;
	else
		r->high = chunk + CHUNK;
}

/* The child wants all of the chunk. */
static void go_on(struct ud_run *r, uint64_t chunk)
{
	if (chunk >= r->low && chunk < r->high)
		return;
	extend(r, chunk);
	r->n = 2 * r->n < AHEAD_MOST ? 2 * r->n + !r->n : AHEAD_MOST;
	r->left = r->n;
}

static bool bring_ahead(struct ud_pager *pager)
{
	struct ud_run *r = pager->runs;
	const struct ud_segment *s = r->segment;
	uint64_t chunk = r->down ? r->low - CHUNK : r->high;

	if (!r->left || chunk + CHUNK <= s->start || chunk >= s->have)
		return false;
	uint8_t *state = chunk_state(pager, s, chunk < s->start ? s->start : chunk);
	if (*state == UNTOUCHED) {
		if (!bring(pager, s, chunk, chunk + CHUNK)) {
			r->left = 0;
			return false;
		}
		*state = FILLED;
	}
	extend(r, chunk);
	r->left--;
	return true;
}

static void serve(struct ud_pager *pager, uint64_t page)
{
	const struct ud_segment *s = ud_target_segment(pager->target, page);
	struct uffdio_range range = {page, UD_PAGE};
	uint64_t chunk = page & ~(CHUNK - 1), window = page & ~(WINDOW - 1);
	char byte;

	pager->n_faults++;
	if (!s || page >= s->have) {
		give_up(pager, page);
		return;
	}
	uint8_t *state = chunk_state(pager, s, page);
	struct ud_run *run = *state == FILLED ? NULL : find_run(pager, s, chunk);
	if (*state == UNTOUCHED && run && run->n && bring(pager, s, chunk, chunk + CHUNK)) {
		*state = FILLED;
		go_on(run, chunk);
	} else if (*state == UNTOUCHED) {
		bring(pager, s, window, window + WINDOW);
		*state = (uint8_t)(1 + (window - chunk) / WINDOW);
	} else if (*state != FILLED) {
		uint64_t there = chunk + (*state - 1ull) * WINDOW;
		bring(pager, s, chunk, there);
		bring(pager, s, there + WINDOW, chunk + CHUNK);
		*state = FILLED;
		if (run)
			go_on(run, chunk);
		else
			begin_run(pager, s, chunk);
	}
	/* This page at least; as a rule it is there by now. */
	if (bring(pager, s, page, page + UD_PAGE))
		return;
	if (ud_target_read(pager->target, page, &byte, 1) == 1)
		ioctl(pager->uffd, UFFDIO_WAKE, &range);
	else
		give_up(pager, page);
}

void ud_pager_serve(struct ud_pager *pager)
{
	struct uffd_msg message;

	do {
		while (read(pager->uffd, &message, sizeof message) == sizeof message) {
			if (message.event == UFFD_EVENT_PAGEFAULT)
				serve(pager, ud_page_down(message.arg.pagefault.address));
		}
	} while (bring_ahead(pager));
}

void ud_pager_send(int channel, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	char byte = fd >= 0;
	struct iovec io = {&byte, 1};
	struct msghdr message = {.msg_iov = &io, .msg_iovlen = 1};

	if (fd >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof control.space;
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
	}
	sendmsg(channel, &message, MSG_NOSIGNAL);
}

int ud_pager_receive(int channel)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	char byte;
	struct iovec io = {&byte, 1};
	struct msghdr message = {.msg_iov = &io,
	                         .msg_iovlen = 1,
	                         .msg_control = &control,
	                         .msg_controllen = sizeof control.space};
	int fd = -1;

	if (recvmsg(channel, &message, MSG_CMSG_CLOEXEC) != 1)
		return -1;
	if (CMSG_FIRSTHDR(&message) && control.header.cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(&control.header), sizeof fd);
	return fd;
}
