/* Places in C to be stopped at, for stops.py: loaded there by ctypes. Knows no Python. */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* Where the tests set a breakpoint. */
__attribute__((noinline)) void rme_test_stop(void)
{
	__asm__ volatile("" ::: "memory");
}

/* A tp_traverse: visits nothing, and has a breakpoint in it when it is called by the
 * collector, and still when the helper calls it. */
int rme_test_traverse(void *self, void *visit, void *arg)
{
	(void)self, (void)visit, (void)arg;
	rme_test_stop();
	return 0;
}

static volatile sig_atomic_t n_signals;

static void on_signal(int number)
{
	(void)number;
	n_signals++;
	rme_test_stop();
}

int rme_test_handle(int number)
{
	struct sigaction action;

	memset(&action, 0, sizeof action);
	action.sa_handler = on_signal;
	action.sa_flags = SA_RESTART;
	return sigaction(number, &action, NULL);
}

int rme_test_signals(void)
{
	return n_signals;
}

static void *run_foreign(void *arg)
{
	int *fds = arg;
	char byte;

	rme_test_stop();
	while (read(fds[0], &byte, 1) == 1 && byte != 'q')
		;
	return NULL;
}

/* A thread that is not Python's: blocks in read until 'q' is written. */
int rme_test_thread(pthread_t *thread, int *fds)
{
	return pthread_create(thread, NULL, run_foreign, fds);
}

int rme_test_join(pthread_t thread)
{
	return pthread_join(thread, NULL);
}

/* Work that holds no lock and takes a while, called with and without the GIL. */
unsigned long rme_test_compute(unsigned long rounds)
{
	unsigned long x = 88172645463325252ul;

	for (unsigned long i = 0; i < rounds; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
	}
	return x;
}

void rme_test_crash(void)
{
	*(volatile int *)8 = 1;
}
