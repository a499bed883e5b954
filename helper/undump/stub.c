/* What runs in the child when nothing of undump is left in it. It is a freestanding
 * library of its own, not a part of librememberme.so, because that one is written
 * into living programs and should hold no code that unmaps and maps memory. */
#include "undump/stub.h"

#include <stdbool.h>

#include "runtime/confine.h"
#include "runtime/memory.h"
#include "runtime/sys.h"

enum {
	SYS_ioctl_ = 16,
	SYS_pread64_ = 17,
	PROT_WRITE_ = 2,
	MAP_PRIVATE_ = 2,
	MAP_FIXED_ = 0x10,
	MAP_ANONYMOUS_ = 0x20,
	MAP_NORESERVE_ = 0x4000,
	RLIMIT_NOFILE_ = 7,
	RLIMIT_AS_ = 9,
	MANY_DESCRIPTORS = 65536
};

/* <linux/userfaultfd.h> */
#define UFFDIO_REGISTER_ 0xc020aa00ul
struct register_ {
	uint64_t start, size, mode, ioctls;
};

static void failed(struct ud_status *status, uint64_t address, int64_t error)
{
	if (!status->n_failed++) {
		status->failed = address;
		status->error = error;
	}
}

static bool is_zero(const uint8_t *page)
{
	for (uint64_t i = 0; i < RME_PAGE; i += 8) {
		if (rme_u64((rme_addr)page + i))
			return false;
	}
	return true;
}

/* Without userfaultfd: all of it, but no page that holds nothing. */
static void copy_in(const struct ud_job *job, const struct ud_map *m)
{
	uint64_t n = m->end - m->start;

	for (uint64_t done = 0; done < n;) {
		uint64_t want = n - done < UD_BOUNCE ? n - done : UD_BOUNCE;
		long r = rme_syscall6(SYS_pread64_, m->fd, (long)job->bounce, (long)want,
		                      (long)(m->offset + done), 0, 0);
		/* A page of a live process that cannot be read stays empty. */
		if (r < (long)RME_PAGE && want > RME_PAGE)
			r = rme_syscall6(SYS_pread64_, m->fd, (long)job->bounce, RME_PAGE,
			                 (long)(m->offset + done), 0, 0);
		uint64_t whole = r > 0 ? (uint64_t)r & ~(RME_PAGE - 1) : 0;
		for (uint64_t i = 0; i < whole; i += RME_PAGE) {
			if (!is_zero(job->bounce + i))
				memcpy((void *)(m->start + done + i), job->bounce + i, RME_PAGE);
		}
		done += whole ? whole : RME_PAGE;
	}
}

static long map_at(const struct ud_map *m, int prot, int flags, int fd, uint64_t offset)
{
	return rme_syscall6(RME_SYS_mmap, (long)m->start, (long)(m->end - m->start), prot,
	                    MAP_PRIVATE_ | MAP_FIXED_ | MAP_NORESERVE_ | flags, fd, (long)offset);
}

/* Memory that is promised to nobody is not granted everywhere (vm.overcommit_memory
 * 2); what cannot be written need not be promised. */
static long map_file(const struct ud_map *m)
{
	long r = map_at(m, m->prot, 0, m->fd, m->offset);

	if (r == -RME_ENOMEM && m->prot & PROT_WRITE_)
		r = map_at(m, m->prot & ~PROT_WRITE_, 0, m->fd, m->offset);
	return r;
}

static long map_paged(const struct ud_job *job, const struct ud_map *m)
{
	struct register_ reg = {m->start, m->end - m->start, 1 /* MISSING */, 0};
	int prot = m->prot;
	long r;

	if (job->uffd < 0)
		prot |= PROT_WRITE_;
	r = map_at(m, prot, MAP_ANONYMOUS_, -1, 0);
	if (r < 0 && r > -4096)
		return r;
	if (job->uffd >= 0)
		return rme_syscall6(SYS_ioctl_, job->uffd, UFFDIO_REGISTER_, (long)&reg, 0, 0, 0);
	copy_in(job, m);
	return 0;
}

static void map_all(const struct ud_job *job)
{
	for (uint64_t i = 0; i < job->n_maps; i++) {
		const struct ud_map *m = &job->maps[i];
		long r;

		switch (m->kind) {
		case UD_MAP_FILE:
			r = map_file(m);
			break;
		case UD_MAP_PAGED:
			r = map_paged(job, m);
			break;
		default:
			r = map_at(m, m->prot, MAP_ANONYMOUS_, -1, 0);
		}
		if (r < 0 && r > -4096)
			failed(job->status, m->start, r);
	}
}

/* All descriptors from `first` to `last`. */
static void close_range(int first, int last)
{
	if (last < first || rme_syscall6(RME_SYS_close_range, first, last, 0, 0, 0, 0) == 0)
		return;
	for (int fd = first; fd <= last && fd < MANY_DESCRIPTORS; fd++) /* before Linux 5.9 */
		rme_syscall6(RME_SYS_close, fd, 0, 0, 0, 0, 0);
}

static void set_limit(int which, uint64_t value)
{
	uint64_t limit[2] = {value, value};

	rme_syscall6(RME_SYS_prlimit64, 0, which, (long)limit, 0, 0, 0);
}

/* One question after the other, until the parent has closed its end. */
static void serve(const struct ud_job *job)
{
	struct rme_block *block = job->block;
	uint8_t byte;

	while (rme_syscall6(RME_SYS_read, job->channel, (long)&byte, 1, 0, 0, 0) == 1) {
		const struct rme_request *r = (const struct rme_request *)block->request;
		rme_syscall6(RME_SYS_arch_prctl, RME_ARCH_SET_FS, (long)r->thread_pointer, 0, 0, 0,
		             0);
		job->answer(block);
		if (rme_syscall6(RME_SYS_write, job->channel, (long)&byte, 1, 0, 0, 0) != 1)
			break;
	}
}

void ud_stub_enter(struct ud_job *job)
{
	/* One by one: the kernel may seal some of its own, which then stay. */
	for (uint64_t i = 0; i < job->n_unmap; i++)
		rme_sys_unmap((void *)job->unmap[i].start, job->unmap[i].end - job->unmap[i].start);
	map_all(job);
	close_range(0, (int)job->channel - 1);
	close_range((int)job->channel + 1, 0x7fffffff);
	set_limit(RLIMIT_NOFILE_, 0);
	if (job->prepare(job->block) < 0) {
		job->status->stage = UD_STAGE_NO_MEMORY;
		rme_sys_exit(1);
	}
	set_limit(RLIMIT_AS_, 0);
	job->status->stage = UD_STAGE_ANSWERING;
	long r = rme_confine(job->code, (int)job->channel);
	if (r < 0) {
		job->status->stage = UD_STAGE_NO_SECCOMP;
		job->status->error = r;
		rme_sys_exit(1);
	}
	serve(job);
	rme_sys_exit(0);
}
