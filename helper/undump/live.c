/* A live process that a debugger holds: its memory through /proc/PID/mem, page by
 * page as it is asked for (pager.c). Nothing is executed in it or written to it. */
#include "undump/target.h"

#include "rememberme.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

struct line {
	uint64_t start, end, offset, device, inode;
	uint32_t flags, mapped;
	const char *name; /* "": none */
};

/* "7f14d0000000-7f14d0021000 rw-p 00000000 00:00 0    [heap]" (proc(5)) */
static bool parse(char *text, struct line *ret)
{
	unsigned long long start, end, offset, inode;
	unsigned major_, minor_;
	char permissions[5];
	int name = 0;

	if (sscanf(text, "%llx-%llx %4s %llx %x:%x %llu %n", &start, &end, permissions, &offset,
	           &major_, &minor_, &inode, &name) < 7 ||
	    end > RME_ADDRESS_END || start >= end)
		return false;
	text[strcspn(text, "\n")] = 0;
	*ret = (struct line){start,
	                     end,
	                     offset,
	                     makedev(major_, minor_),
	                     inode,
	                     0,
	                     permissions[3] == 's' ? RME_VMA_SHARED : 0u,
	                     text + name};
	ret->flags = (permissions[0] == 'r' ? PF_R : 0u) | (permissions[1] == 'w' ? PF_W : 0u) |
	             (permissions[2] == 'x' ? PF_X : 0u);
	if (!strcmp(ret->name, "[stack]"))
		ret->mapped |= RME_VMA_STACK;
	return true;
}

static void *grow(void *items, size_t n, size_t size)
{
	/* Doubled whenever the count is a power of two. */
	return n & (n - 1) ? items : ud_must(realloc(items, (n ? n * 2 : 1) * size));
}

static void add(struct ud_target *t, const struct line *line)
{
	bool special = !strncmp(line->name, "[vvar", 5); /* the kernel's, not readable this way */

	t->segments = grow(t->segments, t->n_segments, sizeof *t->segments);
	t->segments[t->n_segments++] =
	    (struct ud_segment){line->start,
	                        line->end,
	                        line->flags & PF_R && !special ? line->end : line->start,
	                        line->start,
	                        special ? 0 : line->flags,
	                        line->mapped};
	if (line->name[0] != '/')
		return;
	t->mappings = grow(t->mappings, t->n_mappings, sizeof *t->mappings);
	/* The paths move while they grow: their places are kept, and turned into
	 * pointers at the end. */
	t->mappings[t->n_mappings++] = (struct ud_mapping){line->start, line->end,    line->offset,
	                                                   NULL,        line->device, line->inode};
}

static bool read_maps(struct ud_target *t, int64_t pid)
{
	char path[64], *text = NULL;
	size_t capacity = 0, names = 0;
	struct line line;

	snprintf(path, sizeof path, "/proc/%lld/maps", (long long)pid);
	FILE *maps = fopen(path, "re");
	if (!maps)
		return false;
	while (getline(&text, &capacity, maps) > 0) {
		size_t before = t->n_mappings;

		if (!parse(text, &line))
			continue;
		add(t, &line);
		if (t->n_mappings == before)
			continue;
		size_t n = strlen(line.name) + 1;
		t->paths = ud_must(realloc(t->paths, names + n));
		memcpy(t->paths + names, line.name, n);
		names += n;
	}
	free(text);
	fclose(maps);
	names = 0;
	for (size_t i = 0; i < t->n_mappings; i++) {
		t->mappings[i].path = t->paths + names;
		names += strlen(t->paths + names) + 1;
	}
	return true;
}

/* A process that runs would change under the walk. */
static bool is_stopped(int64_t pid)
{
	char path[64], text[512];
	size_t n = 0;

	snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
	FILE *file = fopen(path, "re");
	if (!file)
		return false;
	n = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	text[n] = 0;
	/* "PID (name) STATE …", and the name may hold anything. */
	const char *end = strrchr(text, ')');
	return end && (end[2] == 'T' || end[2] == 't');
}

bool ud_live_open(struct ud_target *target, int64_t pid, int memory, struct rme_error *error)
{
	unsigned char ident[EI_NIDENT] = {0};
	char path[64];

	*target = (struct ud_target){.fd = memory, .live = true, .pid = pid, .has_mappings = true};
	snprintf(path, sizeof path, "/proc/%lld/mem", (long long)pid);
	if (memory < 0)
		target->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (target->fd < 0 && errno == ENOENT)
		return ud_fail(error, RME_ERROR_NO_PROCESS, "there is no process %lld",
		               (long long)pid);
	if (target->fd < 0 || !read_maps(target, pid))
		return ud_fail(
		    error, RME_ERROR_SYSTEM,
		    "the memory of process %lld cannot be read: %s; reading it takes the "
		    "rights of a debugger",
		    (long long)pid, strerror(errno));
	if (!target->n_segments)
		return ud_fail(error, RME_ERROR_NO_PROCESS,
		               "process %lld has no memory: it has ended", (long long)pid);
	if (!is_stopped(pid))
		return ud_fail(
		    error, RME_ERROR_NO_PROCESS,
		    "process %lld is running; its memory can be read while a debugger has "
		    "it stopped",
		    (long long)pid);
	for (size_t i = 0; i < target->n_mappings; i++) {
		if (target->mappings[i].offset == 0 &&
		    ud_target_read(target, target->mappings[i].start, ident, sizeof ident) ==
		        sizeof ident &&
		    !memcmp(ident, ELFMAG, SELFMAG) && ident[EI_CLASS] == ELFCLASS32)
			return ud_fail(
			    error, RME_ERROR_UNSUPPORTED_CORE,
			    "process %lld is a 32-bit process; only 64-bit x86-64 processes "
			    "can be read",
			    (long long)pid);
	}
	return true;
}
