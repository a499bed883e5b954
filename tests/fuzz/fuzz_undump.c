/* Everything that undump reads before the sandbox closes: the headers and notes of a
 * core, the build-ids in it and in the files, the plan. A libFuzzer target; with a
 * main of its own it replays files, and changes of them, where there is no libFuzzer:
 *
 *     fuzz_undump [-changes=N] FILE... */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "undump/plan.h"
#include "undump/runtime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "broken promise: %s\n", what);
		abort();
	}
}

/* What plan.h and target.h promise, whatever the core says. */
static void check_plan(const struct ud_target *t, const struct ud_plan *plan)
{
	for (size_t i = 0; i < t->n_segments; i++) {
		const struct ud_segment *s = &t->segments[i];

		check(s->start < s->end && s->start <= s->have && s->have <= s->end,
		      "a segment has a size and holds a part of it");
		check(s->end <= RME_ADDRESS_END && !(s->start % UD_PAGE) && !(s->have % UD_PAGE),
		      "a segment is whole pages of user space");
		check(!i || t->segments[i - 1].end <= s->start, "segments do not overlap");
	}
	for (size_t i = 0; i < plan->n_maps; i++) {
		const struct ud_map *m = &plan->maps[i];

		check(m->start < m->end && m->end <= RME_ADDRESS_END, "a map lies in user space");
		check(m->kind != UD_MAP_FILE || !(m->offset % UD_PAGE), "a map can be made");
		check(m->fd != t->fd || !(m->prot & PROT_EXEC),
		      "a core's page is never executable");
		check(!(m->prot & PROT_EXEC) || !(m->prot & PROT_WRITE), "code cannot be written");
	}
	for (size_t i = 0; i < plan->missing.count; i++)
		check(plan->missing.items[i].start < plan->missing.items[i].end,
		      "ranges have a size");
}

static void read_core(const char *path)
{
	struct ud_target target = {.fd = -1};
	struct rme_error error = {0};
	struct ud_search search = {0};
	struct ud_images images;
	struct ud_plan plan;

	if (ud_core_open(&target, path, &error)) {
		check(target.n_threads > 0, "a core has a thread");
		ud_images_find(&images, &target, &search);
		ud_plan_make(&plan, &target, &images);
		ud_runtime_find(&target, &images);
		check_plan(&target, &plan);
		ud_plan_free(&plan);
		ud_images_free(&images);
	} else {
		check(error.kind && *error.message, "an error has a kind and a sentence");
	}
	ud_target_close(&target);
	ud_search_free(&search);
}

static void read_binary(const char *path)
{
	struct ud_binary binary;

	if (ud_binary_open(&binary, path)) {
		check(binary.n_loads > 0 && binary.n_loads <= UD_MAX_LOADS,
		      "a program has segments");
		close(binary.fd);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	char path[64];

	if (fd < 0)
		fd = memfd_create("input", MFD_CLOEXEC);
	if (ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	read_core(path);
	read_binary(path);
	return 0;
}

#ifdef RME_FUZZ_MAIN
/* xorshift: the same changes in each run. */
static uint64_t random_number(void)
{
	static uint64_t state = 88172645463325252ull;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static void change(uint8_t *data, size_t size)
{
	static const uint64_t numbers[] = {
	    0,         1,          0x7f, 0xffff, UINT32_MAX,         UINT64_MAX,
	    INT64_MAX, 1ull << 47, 4096, 4095,   0xffffffffff600000, 1ull << 62};

	for (uint64_t n = 1 + random_number() % 4; n; n--) {
		size_t width = 1ull << random_number() % 4;
		/* The headers decide most: half of the changes fall there. */
		size_t at = random_number() % (random_number() % 2 && size > 512 ? 512 : size);
		uint64_t number = numbers[random_number() % (sizeof numbers / sizeof *numbers)];

		if (random_number() % 2)
			number = random_number();
		if (at + width <= size)
			memcpy(data + at, &number, width);
	}
}

static void replay(const char *path, unsigned long changes)
{
	int fd = open(path, O_RDONLY);
	off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	uint8_t *data, *copy;

	if (size < 0) {
		perror(path);
		exit(2);
	}
	data = malloc((size_t)size + 1);
	copy = malloc((size_t)size + 1);
	if (!data || !copy || pread(fd, data, (size_t)size, 0) != size)
		abort();
	close(fd);
	LLVMFuzzerTestOneInput(data, (size_t)size);
	for (; changes && size; changes--) {
		memcpy(copy, data, (size_t)size);
		change(copy, (size_t)size);
		LLVMFuzzerTestOneInput(copy, random_number() % 8 ? (size_t)size
		                                                 : random_number() % (size_t)size);
	}
	free(data);
	free(copy);
}

int main(int argc, char **argv)
{
	unsigned long changes = 0;

	for (int i = 1; i < argc; i++) {
		if (!strncmp(argv[i], "-changes=", 9))
			changes = strtoul(argv[i] + 9, NULL, 10);
		else
			replay(argv[i], changes);
	}
	return 0;
}
#endif
