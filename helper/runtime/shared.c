#include "runtime/shared.h"

#include "runtime/sys.h"

enum { AT_FDCWD_ = -100, PROT_READ_ = 1, PROT_EXEC_ = 4 };

/* A line of /proc/self/maps so far: "7f14d0000000-7f14d0021000 rw-s …" (proc(5)) */
struct line {
	uint64_t number, start, end;
	char permissions[4];
	int field, n_permissions;
};

static void protect(const struct line *l, uint64_t keep)
{
	const char *p = l->permissions;

	if (l->n_permissions == 4 && p[1] == 'w' && p[3] == 's' &&
	    (keep < l->start || keep >= l->end))
		rme_syscall6(RME_SYS_mprotect, (long)l->start, (long)(l->end - l->start),
		             (p[0] == 'r' ? PROT_READ_ : 0) | (p[2] == 'x' ? PROT_EXEC_ : 0), 0, 0,
		             0);
}

static void take(struct line *l, char c, uint64_t keep)
{
	if (c == '\n') {
		protect(l, keep);
		*l = (struct line){0};
	} else if (l->field == 0 && c == '-') {
		l->start = l->number;
		l->number = 0;
		l->field = 1;
	} else if (l->field == 1 && c == ' ') {
		l->end = l->number;
		l->field = 2;
	} else if (l->field < 2) {
		l->number = l->number * 16 + (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	} else if (l->n_permissions < 4) {
		l->permissions[l->n_permissions++] = c;
	}
}

bool rme_shared_protect(uint64_t keep)
{
	char text[1024];
	struct line line = {0};
	long fd = rme_syscall6(RME_SYS_openat, AT_FDCWD_, (long)"/proc/self/maps", 0, 0, 0, 0), n;

	if (fd < 0)
		return false;
	while ((n = rme_syscall6(RME_SYS_read, fd, (long)text, sizeof text, 0, 0, 0)) > 0)
		for (long i = 0; i < n; i++)
			take(&line, text[i], keep);
	rme_syscall6(RME_SYS_close, fd, 0, 0, 0, 0, 0);
	return n == 0;
}
