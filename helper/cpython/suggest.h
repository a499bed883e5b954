/* The names nearest to one that was not found, for the sentence that says so. */
#ifndef RME_CPYTHON_SUGGEST_H
#define RME_CPYTHON_SUGGEST_H

#include "cpython/python.h"

enum { RME_SUGGESTIONS = 8 };

struct rme_suggest {
	struct rme_python *py;
	const char *wanted;
	size_t n_wanted;
	uint64_t n_names; /* offered so far */
	struct {
		rme_addr object;  /* a str, or another key of a dict */
		const char *text; /* where object is 0 */
		unsigned score;
	} best[RME_SUGGESTIONS];
};

/* Offers one name: an object, or (object 0) a zero-terminated text. */
void rme_suggest_offer(struct rme_suggest *s, rme_addr object, const char *text);

/* Appends them: "; NOUN: a, b, cache and 12 more", or "; there are no NOUN". `keys`:
 * written as keys, "a", 17. */
void rme_suggest_append(struct rme_suggest *s, const char *noun, bool keys, struct rme_buffer *out);

#endif
