/* Where a file that a core names may be on this machine. */
#ifndef UD_SEARCH_H
#define UD_SEARCH_H

#include <stdbool.h>
#include <stddef.h>

/* Calls fn for each place to look at, the best first, until it returns true. */
typedef bool (*ud_candidate_fn)(void *arg, const char *file);

struct ud_found; /* a file below a search directory */

struct ud_search {
	const char **maps; /* PATHINCORE=FILE */
	size_t n_maps;
	const char **directories;
	size_t n_directories;
	const char **files; /* each may be any file of the core: its build-id tells */
	size_t n_files;
	long long pid;          /* of a live process, 0: none: its own root comes first */
	struct ud_found *index; /* by file name; made when it is first needed */
	size_t n_index;
	bool indexed;
};

/* `path` as the core names it; NULL: not known, every file is a candidate. */
bool ud_search_each(struct ud_search *search, const char *path, ud_candidate_fn fn, void *arg);

/* Calls fn for each of search->files that is named as `path` is, or for each that is
 * not, until it returns true. */
bool ud_search_files(struct ud_search *search, const char *path, bool same_name, ud_candidate_fn fn,
                     void *arg);
void ud_search_free(struct ud_search *search);

#endif
