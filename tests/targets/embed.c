/* A program with CPython in it that is not up yet, or is down again:
 * `embed LIBPYTHON before|after`. Knows the stage (stage.py) and two functions. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void path_of(char *out, size_t n, const char *name)
{
	snprintf(out, n, "%s/%s", getenv("STAGE_DIR"), name);
}

static void wait_for_test(void)
{
	char path[4096], byte;
	int fd;
	FILE *ready;

	alarm(300);
	path_of(path, sizeof path, "go");
	fd = open(path, O_RDWR);
	path_of(path, sizeof path, "ready.new");
	ready = fopen(path, "w");
	fprintf(ready, "{\"pid\": %d}\n", (int)getpid());
	fclose(ready);
	char done[4096];
	path_of(done, sizeof done, "ready.json");
	rename(path, done);
	if (read(fd, &byte, 1) != 1)
		exit(3);
	close(fd);
}

int main(int argc, char **argv)
{
	void *library = argc == 3 ? dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL) : NULL;

	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		return 2;
	}
	void (*initialize)(void) = (void (*)(void))dlsym(library, "Py_Initialize");
	int (*finalize)(void) = (int (*)(void))dlsym(library, "Py_FinalizeEx");
	if (!strcmp(argv[2], "before"))
		wait_for_test();
	initialize();
	if (!strcmp(argv[2], "between"))
		wait_for_test();
	finalize();
	if (!strcmp(argv[2], "after"))
		wait_for_test();
	return 0;
}
