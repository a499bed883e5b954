#include "undump/rights.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/arch/abi.h"

#ifndef CAP_CHECKPOINT_RESTORE /* Linux 5.9: /proc/PID/map_files */
#define CAP_CHECKPOINT_RESTORE 40
#endif
#ifndef SYS_rseq
#define SYS_rseq 334
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

/* What reading, mapping and watching take, by the C library as by the child's stub. openat,
 * clone and ioctl are told apart below. */
static const uint16_t allowed[] = {
    SYS_read,
    SYS_pread64,
    SYS_write,
    SYS_writev,
    SYS_close,
    SYS_close_range,
    SYS_fstat,
    SYS_stat,
    SYS_lstat,
    SYS_newfstatat,
    SYS_statx,
    SYS_statfs,
    SYS_fstatfs,
    SYS_lseek,
    SYS_getdents64,
    SYS_dup,
    SYS_fcntl,
    SYS_mmap,
    SYS_munmap,
    SYS_mprotect,
    SYS_mremap,
    SYS_madvise,
    SYS_brk,
    SYS_poll,
    SYS_ppoll,
    SYS_wait4,
    SYS_fork,
    SYS_exit,
    SYS_exit_group,
    SYS_getpid,
    SYS_getppid,
    SYS_gettid,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_sigaltstack,
    SYS_signalfd4,
    SYS_restart_syscall,
    SYS_socketpair,
    SYS_sendmsg,
    SYS_recvmsg,
    SYS_getrlimit,
    SYS_setrlimit,
    SYS_prlimit64,
    SYS_prctl,
    SYS_arch_prctl,
    SYS_rseq,
    SYS_userfaultfd,
    SYS_futex,
    SYS_set_robust_list,
    SYS_set_tid_address,
    SYS_clock_gettime,
    SYS_timer_create,
    SYS_timer_settime,
    SYS_clock_nanosleep,
    SYS_getrandom,
    SYS_sysinfo,
    SYS_sched_yield,
    SYS_getrusage,
    SYS_sched_getaffinity,
};
enum { N_ALLOWED = sizeof allowed / sizeof *allowed, MOST = 2 * N_ALLOWED + 40 };

#define NEW_NAMESPACES                                                                             \
	(0x00000080u /* NEWTIME */ | 0x00020000u /* NEWNS */ | 0x02000000u /* NEWCGROUP */ |       \
	 0x04000000u /* NEWUTS */ | 0x08000000u /* NEWIPC */ | 0x10000000u /* NEWUSER */ |         \
	 0x20000000u /* NEWPID */ | 0x40000000u /* NEWNET */)
#define WRITES (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND)
enum { UFFDIO_TYPE = 0xaa, TCGETS_ = 0x5401, ARGUMENT = 8 /* bytes each */ };

struct program {
	struct sock_filter lines[MOST];
	unsigned short n;
};

static void add(struct program *p, uint16_t code, uint32_t k, uint8_t if_true, uint8_t if_false)
{
	p->lines[p->n++] = (struct sock_filter){code, if_true, if_false, k};
}

static void load_argument(struct program *p, unsigned number)
{
	add(p, BPF_LD | BPF_W | BPF_ABS,
	    (uint32_t)offsetof(struct seccomp_data, args) + number * ARGUMENT, 0, 0);
}

static void finish(struct program *p, uint32_t action)
{
	add(p, BPF_RET | BPF_K, action, 0, 0);
}

/* Of `number` only with none of the bits in argument `argument`. */
static void allow_without(struct program *p, uint32_t number, unsigned argument, uint32_t bits)
{
	add(p, BPF_JMP | BPF_JEQ | BPF_K, number, 0, 4);
	load_argument(p, argument);
	add(p, BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1);
	finish(p, SECCOMP_RET_ERRNO | EACCES);
	finish(p, SECCOMP_RET_ALLOW);
}

static void allow_ioctls(struct program *p)
{
	add(p, BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 7);
	load_argument(p, 1);
	add(p, BPF_JMP | BPF_JEQ | BPF_K, TCGETS_, 3, 0);
	add(p, BPF_ALU | BPF_RSH | BPF_K, 8, 0, 0);
	add(p, BPF_ALU | BPF_AND | BPF_K, 0xff, 0, 0);
	add(p, BPF_JMP | BPF_JEQ | BPF_K, UFFDIO_TYPE, 0, 1);
	finish(p, SECCOMP_RET_ALLOW);
	finish(p, SECCOMP_RET_ERRNO | ENOTTY);
}

static bool filter_calls(void)
{
	struct program p = {.n = 0};

	add(&p, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
	add(&p, BPF_JMP | BPF_JEQ | BPF_K, RME_AUDIT_ARCH, 1, 0);
	finish(&p, SECCOMP_RET_KILL_THREAD);
	add(&p, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
	for (unsigned i = 0; i < N_ALLOWED; i++) {
		add(&p, BPF_JMP | BPF_JEQ | BPF_K, allowed[i], 0, 1);
		finish(&p, SECCOMP_RET_ALLOW);
	}
	allow_without(&p, SYS_openat, 2, WRITES);
	allow_without(&p, SYS_clone, 0, NEW_NAMESPACES);
	allow_ioctls(&p);
	finish(&p, SECCOMP_RET_ERRNO | EPERM);

	struct sock_fprog program = {p.n, p.lines};
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

/* Files of others, and the memory of others, to read. */
static bool drop_capabilities(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2] = {{0}};

	if (syscall(SYS_capget, &header, data) < 0)
		return false;
	const uint32_t keep[2] = {1u << CAP_DAC_READ_SEARCH | 1u << CAP_SYS_PTRACE,
	                          1u << (CAP_CHECKPOINT_RESTORE - 32)};
	for (int i = 0; i < 2; i++) {
		data[i].effective &= keep[i];
		data[i].permitted &= keep[i];
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &header, data) == 0;
}

/* The system's memory is for others first: the child has this from its parent, which is small. */
static void go_first_when_memory_is_short(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	/* Nothing is lost when this fails. */
	if (write(fd, "1000", 4) < 0)
		errno = 0;
	close(fd);
}

struct ud_rights ud_rights_give_up(void)
{
	go_first_when_memory_is_short();
	struct ud_rights rights = {prctl(PR_GET_SECCOMP, 0, 0, 0, 0) > 0, NULL};
	bool dropped = drop_capabilities(), filtered = filter_calls();

	if (!dropped && !filtered)
		rights.kept = "undump read the core with all the rights of its user: it could "
			      "neither drop capabilities nor filter its system calls";
	else if (!filtered)
		rights.kept = "undump read the core without a filter of system calls, which this "
			      "system did not let it set";
	else if (!dropped)
		rights.kept =
		    "undump read the core with all its capabilities, which this system did "
		    "not let it drop";
	return rights;
}
