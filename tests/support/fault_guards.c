/* Runs a program that calls the helper in itself, and has the loads of its guarded blocks fault:
 * the n-th block that one place opens faults at its n-th load, until it has no more. So
 * each place where a guard comes back is reached from the first load on, whatever the
 * compiler has made of it.
 *
 *     fault_guards SAVE INIT FILE PROGRAM [ARGUMENT…]
 *
 * SAVE and INIT are the offsets of rme_guard_save and rme_guards_init in the library (hex). The
 * program writes the library's base (hex) to FILE and stops itself. Prints "OFFSET COUNT"
 * for each place that opens a block, and ends as the program ends. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_PLACES = 512, MAX_LOADS = 8, MAX_STEPS = 20000, OUTER = 8 * 8 };

struct place {
	uint64_t at;
	unsigned n_faults;
	bool done;
};

static const unsigned char FIRST_OF_SAVE[3] = {0x48, 0x89, 0x1f}; /* mov %rbx, (%rdi) */

static pid_t child;
static uint64_t base, guards;
static struct place places[MAX_PLACES];
static unsigned n_places;

static uint64_t peek(uint64_t at)
{
	errno = 0;
	return (uint64_t)ptrace(PTRACE_PEEKTEXT, child, (void *)at, NULL);
}

static unsigned char plant(uint64_t at, unsigned char byte)
{
	uint64_t word = peek(at);

	ptrace(PTRACE_POKETEXT, child, (void *)at, (void *)((word & ~0xffull) | byte));
	return word & 0xff;
}

static struct user_regs_struct registers(void)
{
	struct user_regs_struct r;

	ptrace(PTRACE_GETREGS, child, NULL, &r);
	return r;
}

/* Ends with the child, as it ended. */
static void wait_stop(int *signal)
{
	int status;

	waitpid(child, &status, 0);
	if (WIFSTOPPED(status)) {
		*signal = WSTOPSIG(status);
		return;
	}
	for (unsigned i = 0; i < n_places; i++)
		printf("%lx %u\n", (unsigned long)(places[i].at - base), places[i].n_faults);
	fflush(stdout);
	if (WIFSIGNALED(status))
		fprintf(stderr, "ended by signal %d\n", WTERMSIG(status));
	exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

/* False where something else than the step happened; the signal is then still to be given. */
static bool step(int *signal)
{
	ptrace(PTRACE_SINGLESTEP, child, NULL, NULL);
	wait_stop(signal);
	return *signal == SIGTRAP;
}

/* Whether the instruction reads memory by a pointer: not by the stack's or its own address. */
static bool is_load(uint64_t at)
{
	uint64_t words[2] = {peek(at), peek(at + 8)};
	const unsigned char *p = (const unsigned char *)words;
	bool two = false;

	while (*p == 0x66 || *p == 0xf2 || *p == 0xf3 || *p == 0xf0)
		p++;
	bool wide_base = (*p & 0xf1) == 0x41; /* REX.B: r12 and r13 are no rsp and rbp */
	if ((*p & 0xf0) == 0x40)
		p++;
	if (*p == 0x0f) {
		two = true;
		p++;
	}
	unsigned char op = *p, modrm = p[1], sib = p[2];
	if (modrm >> 6 == 3 || (modrm & 0xc7) == 5)
		return false;
	unsigned char reg = (modrm & 7) == 4 ? sib & 7 : modrm & 7;
	if (!wide_base && (reg == 4 || (reg == 5 && modrm >> 6)))
		return false;
	if (two)
		return op == 0xb6 || op == 0xb7 || op == 0xbe || op == 0xbf || op == 0x10 ||
		       op == 0x6f;
	return op == 0x8b || op == 0x8a || op == 0x63 || op == 0x3b || op == 0x39 || op == 0x38 ||
	       op == 0x3a || op == 0x85 || op == 0x84 || op == 0x80 || op == 0x81 || op == 0x83 ||
	       op == 0xf6 || op == 0xf7;
}

static struct place *place_at(uint64_t at)
{
	for (unsigned i = 0; i < n_places; i++)
		if (places[i].at == at)
			return &places[i];
	if (n_places == MAX_PLACES)
		abort();
	places[n_places] = (struct place){at, 0, false};
	return &places[n_places++];
}

/* The child stands behind the call that opened guard `g`. Returns the signal to go on with. */
static int disturb(struct place *place, uint64_t g)
{
	unsigned n_loads = 0;
	int signal = 0;

	for (unsigned i = 0; i < 40 && peek(guards) != g; i++)
		if (!step(&signal))
			return signal;
	for (unsigned i = 0; i < MAX_STEPS && peek(guards) == g; i++) {
		if (is_load(registers().rip) && n_loads++ == place->n_faults) {
			place->done = ++place->n_faults == MAX_LOADS;
			return SIGSEGV;
		}
		if (!step(&signal))
			return signal;
	}
	place->done = true;
	return 0;
}

int main(int argc, char **argv)
{
	uint64_t save = strtoul(argv[1], NULL, 16), init = strtoul(argv[2], NULL, 16);
	unsigned char init_byte;
	int signal = 0;
	bool once = false;

	if (argc < 5)
		return 2;
	child = fork();
	if (!child) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execv(argv[4], argv + 4);
		_exit(127);
	}
	wait_stop(&signal);
	ptrace(PTRACE_SETOPTIONS, child, NULL, (void *)PTRACE_O_EXITKILL);
	while (signal != SIGSTOP) {
		ptrace(PTRACE_CONT, child, NULL, signal == SIGTRAP ? NULL : (void *)(long)signal);
		wait_stop(&signal);
	}
	FILE *f = fopen(argv[3], "r");
	unsigned long read_base;
	if (!f || fscanf(f, "%lx", &read_base) != 1)
		return 2;
	base = read_base;
	uint64_t first = peek(base + save);
	if (memcmp(&first, FIRST_OF_SAVE, sizeof FIRST_OF_SAVE))
		return 2;
	plant(base + save, 0xcc);
	init_byte = plant(base + init, 0xcc);
	for (signal = 0;;) {
		ptrace(PTRACE_CONT, child, NULL, (void *)(long)signal);
		wait_stop(&signal);
		struct user_regs_struct r = registers();
		uint64_t at = r.rip - 1;
		if (signal != SIGTRAP || (at != base + save && at != base + init))
			continue;
		signal = 0;
		if (at == base + init) {
			guards = r.rdi;
			once = false;
			r.rip = at;
			ptrace(PTRACE_SETREGS, child, NULL, &r);
			plant(at, init_byte);
			step(&signal);
			plant(at, 0xcc);
			signal = 0;
			continue;
		}
		/* Its first instruction is done here: that is quicker than taking the breakpoint
		 * out. */
		ptrace(PTRACE_POKEDATA, child, (void *)r.rdi, (void *)r.rbx);
		r.rip = at + sizeof FIRST_OF_SAVE;
		ptrace(PTRACE_SETREGS, child, NULL, &r);
		uint64_t back = peek(r.rsp);
		struct place *place = place_at(back);
		if (place->done || once)
			continue; /* an early fault is the end of most questions */
		while (registers().rip != back)
			step(&signal);
		signal = disturb(place, r.rdi);
		once = signal == SIGSEGV;
	}
}
