#include "undump/search.h"

#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "undump/fail.h"

/* A tree of binaries has thousands of files; whoever names "/" gets this many. */
enum { MAX_INDEX = 1 << 20, MAX_DEPTH = 64 };

struct ud_found {
	char *path;
	const char *name; /* the end of it */
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int by_name(const void *a, const void *b)
{
	const struct ud_found *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : strcmp(x->path, y->path);
}

static void build_index(struct ud_search *s)
{
	char **roots = ud_must(calloc(s->n_directories + 1, sizeof *roots));
	FTSENT *entry;

	s->indexed = true;
	for (size_t i = 0; i < s->n_directories; i++)
		roots[i] = (char *)s->directories[i];
	FTS *tree = s->n_directories ? fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL) : NULL;
	while (tree && s->n_index < MAX_INDEX && (entry = fts_read(tree))) {
		if (entry->fts_level > MAX_DEPTH)
			fts_set(tree, entry, FTS_SKIP);
		if (entry->fts_info != FTS_F && entry->fts_info != FTS_SL)
			continue;
		/* Doubled whenever the count is a power of two. */
		if (!(s->n_index & (s->n_index - 1)))
			s->index = ud_must(realloc(s->index, (s->n_index ? s->n_index * 2 : 1) *
			                                         sizeof *s->index));
		char *path = ud_must(strdup(entry->fts_path));
		s->index[s->n_index++] = (struct ud_found){path, base_name(path)};
	}
	if (tree)
		fts_close(tree);
	free(roots);
	if (s->n_index)
		qsort(s->index, s->n_index, sizeof *s->index, by_name);
}

/* "--map PATHINCORE=FILE": both may hold "=", so each "=" is tried. */
static bool try_maps(struct ud_search *s, const char *path, ud_candidate_fn fn, void *arg)
{
	for (size_t i = 0; i < s->n_maps; i++) {
		size_t n = path ? strlen(path) : 0;

		if (path && !strncmp(s->maps[i], path, n) && s->maps[i][n] == '=') {
			if (fn(arg, s->maps[i] + n + 1))
				return true;
		} else if (!path) {
			for (const char *c = strchr(s->maps[i], '='); c; c = strchr(c + 1, '=')) {
				if (fn(arg, c + 1))
					return true;
			}
		}
	}
	return false;
}

static bool try_index(struct ud_search *s, const char *name, ud_candidate_fn fn, void *arg)
{
	size_t low = 0, high;

	if (!s->indexed)
		build_index(s);
	high = s->n_index;
	while (name && low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(s->index[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < s->n_index && (!name || !strcmp(s->index[low].name, name)); low++) {
		if (fn(arg, s->index[low].path))
			return true;
	}
	return false;
}

bool ud_search_each(struct ud_search *s, const char *path, ud_candidate_fn fn, void *arg)
{
	static const char deleted[] = " (deleted)";
	char *plain = path ? ud_must(strdup(path)) : NULL, file[PATH_MAX + 64];
	size_t n = path ? strlen(path) : 0;
	bool absolute = path && path[0] == '/', found = try_maps(s, path, fn, arg);

	/* The kernel's remark on a file that was removed or replaced, as an upgrade
	 * does; what stands there now may still be the same. */
	if (n >= sizeof deleted && !strcmp(plain + n - (sizeof deleted - 1), deleted))
		plain[n - (sizeof deleted - 1)] = 0;
	if (!found && absolute && s->pid) {
		snprintf(file, sizeof file, "/proc/%lld/root%s", s->pid, plain);
		found = fn(arg, file);
	}
	for (size_t i = 0; !found && absolute && i < s->n_directories; i++) {
		snprintf(file, sizeof file, "%s%s", s->directories[i], plain);
		found = fn(arg, file);
		if (!found) {
			snprintf(file, sizeof file, "%s/%s", s->directories[i], base_name(plain));
			found = fn(arg, file);
		}
	}
	if (!found)
		found = try_index(s, path ? base_name(plain) : NULL, fn, arg);
	if (!found && absolute)
		found = fn(arg, plain);
	free(plain);
	return found;
}

bool ud_search_files(struct ud_search *s, const char *path, bool same_name, ud_candidate_fn fn,
                     void *arg)
{
	for (size_t i = 0; i < s->n_files; i++) {
		bool same = path && !strcmp(base_name(s->files[i]), base_name(path));

		if (same == same_name && fn(arg, s->files[i]))
			return true;
	}
	return false;
}

void ud_search_free(struct ud_search *s)
{
	for (size_t i = 0; i < s->n_index; i++)
		free(s->index[i].path);
	free(s->index);
	free(s->maps);
	free(s->directories);
	free(s->files);
}
