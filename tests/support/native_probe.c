/* A program that allocates and frees at random in several threads, knows which blocks it
 * holds, and compares what helper/native finds of its own malloc with that and with
 * mallinfo2. For tests/unit/test_native_malloc.py; prints one line of JSON.
 *
 *     native_probe SEED THREADS STEPS LARGEST [corrupt]
 */
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "native/malloc.h"

enum { MAX_LIVE = 1 << 16, MAX_THREADS = 64, MAX_MAPPINGS = 1 << 14 };

struct worker {
	pthread_t thread;
	unsigned seed;
	long steps, largest;
	void *live[MAX_LIVE];
	size_t sizes[MAX_LIVE];
	long n;
};

static struct worker workers[MAX_THREADS];
static pthread_barrier_t done, end;
static struct rme_vma table[MAX_MAPPINGS];
static char text[4 << 20];

static void *allocate(unsigned *seed, size_t n)
{
	void *p = NULL;

	switch (rand_r(seed) % 8) {
	case 0:
		return posix_memalign(&p, 16ul << rand_r(seed) % 9, n) ? NULL : p;
	case 1:
		return calloc(1, n);
	default:
		return malloc(n);
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (long i = 0; i < w->steps; i++) {
		long k = w->n ? rand_r(&w->seed) % w->n : 0;
		if (w->n == MAX_LIVE || (w->n && rand_r(&w->seed) % 100 < 45)) {
			free(w->live[k]);
			w->n--;
			w->live[k] = w->live[w->n];
			w->sizes[k] = w->sizes[w->n];
			continue;
		}
		size_t size =
		    rand_r(&w->seed) % 20 ? rand_r(&w->seed) % 2000 : rand_r(&w->seed) % w->largest;
		w->live[w->n] = allocate(&w->seed, size);
		if (!w->live[w->n])
			abort();
		memset(w->live[w->n], 0x5a, size);
		w->sizes[w->n++] = size;
	}
	pthread_barrier_wait(&done);
	pthread_barrier_wait(&end);
	return NULL;
}

/* Without malloc: it would change what is compared. */
static uint64_t read_mappings(void)
{
	int fd = open("/proc/self/maps", O_RDONLY);
	size_t n = 0;
	ssize_t got;
	uint64_t count = 0;

	while ((got = read(fd, text + n, sizeof text - 1 - n)) > 0)
		n += (size_t)got;
	close(fd);
	text[n] = 0;
	for (char *line = text; *line && count < MAX_MAPPINGS;) {
		char *next = strchr(line, '\n'), flags[5];
		unsigned long start, stop, inode;
		int path = 0;
		*next = 0;
		if (sscanf(line, "%lx-%lx %4s %*s %*s %lu %n", &start, &stop, flags, &inode,
		           &path) >= 4)
			table[count++] =
			    (struct rme_vma){start, stop,
			                     (flags[0] == 'r' ? RME_VMA_READ : 0) |
			                         (flags[1] == 'w' ? RME_VMA_WRITE : 0) |
			                         (flags[3] == 's' ? RME_VMA_SHARED : 0) |
			                         (inode ? RME_VMA_FILE : 0) |
			                         (strstr(line, "[stack]") ? RME_VMA_STACK : 0),
			                     0};
		line = next + 1;
	}
	return count;
}

static void *reserve(size_t n)
{
	return mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
	            -1, 0);
}

int main(int argc, char **argv)
{
	int n_threads = atoi(argv[2]);
	size_t room = 1ul << 32;
	char *memory = reserve(room + RME_GUARD_STACK);
	static char guard_stack[2 * RME_GUARD_STACK];
	struct rme_arena arena = {(uint8_t *)memory, room, 0};
	char *aligned =
	    (char *)(((uintptr_t)guard_stack + RME_GUARD_STACK - 1) & ~(RME_GUARD_STACK - 1));
	struct rme_mappings mappings = {table, 0};
	struct rme_malloc m;

	pthread_barrier_init(&done, NULL, (unsigned)n_threads + 1);
	pthread_barrier_init(&end, NULL, (unsigned)n_threads + 1);
	for (int i = 0; i < n_threads; i++) {
		workers[i].seed = (unsigned)atoi(argv[1]) * 1000 + (unsigned)i;
		workers[i].steps = atol(argv[3]);
		workers[i].largest = atol(argv[4]);
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	}
	pthread_barrier_wait(&done);
	if (argc > 5) /* the size of one block is overwritten, as by a program that wrote too far */
		((uint64_t *)workers[0].live[workers[0].n / 2])[-1] = 0x4141414141414141;
	struct mallinfo2 info = mallinfo2();
	mappings.n = read_mappings();
	/* The room for what is found is no block. */
	struct rme_range taken = {(uint64_t)memory, (uint64_t)memory + room + RME_GUARD_STACK};
	bool found = rme_malloc_init(&m, &mappings, &taken, 1, &arena, rme_guards_init(aligned));
	uint64_t missing = 0, wrong_size = 0, system = 0, walked = 0, used = 0, free_bytes = 0;
	uint64_t cached = 0, live = 0, n_used = 0;
	for (int i = 0; i < n_threads; i++) {
		for (long k = 0; k < workers[i].n; k++) {
			const struct rme_native_block *b =
			    found ? rme_malloc_find(&m, (uint64_t)workers[i].live[k]) : NULL;
			live++;
			if (!b || b->at != (uint64_t)workers[i].live[k] ||
			    b->size & RME_BLOCK_CACHED)
				missing++;
			else if (argc == 5 &&
			         rme_block_usable(b) != malloc_usable_size(workers[i].live[k]))
				wrong_size++;
		}
	}
	for (uint32_t i = 0; found && i < m.n_arenas; i++) {
		system += m.arenas[i].system_bytes;
		walked += m.arenas[i].walked_bytes;
		used += m.arenas[i].used_bytes;
		n_used += m.arenas[i].n_used;
		free_bytes += m.arenas[i].free_bytes;
		cached += m.arenas[i].cached_bytes;
	}
	printf("{\"found\":%d,\"arenas\":%u,\"live\":%lu,\"missing\":%lu,\"wrong_size\":%lu,"
	       "\"system\":%lu,\"walked\":%lu,\"used\":%lu,\"n_used\":%lu,\"free\":%lu,"
	       "\"cached\":%lu,\"n_mapped\":%lu,\"mapped\":%lu,\"n_mapped_expected\":%ld,"
	       "\"damaged\":%lu,\"arena\":%lu,\"uordblks\":%lu,\"fordblks\":%lu,\"fsmblks\":%lu,"
	       "\"hblks\":%lu,\"hblkhd\":%lu}\n",
	       found, found ? m.n_arenas : 0, live, missing, wrong_size, system, walked, used,
	       n_used, free_bytes, cached, m.n_mapped, m.mapped_bytes, (long)m.n_mapped_expected,
	       m.n_damaged, info.arena, info.uordblks, info.fordblks, info.fsmblks, info.hblks,
	       info.hblkhd);
	fflush(stdout);
	_exit(0);
}
