#include "cpython/suggest.h"

#include "cpython/key.h"
#include "cpython/str.h"

enum { NAME_BYTES = 64, MAX_SCORED = 10000 };

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

/* How alike two names are: a common beginning, or one inside the other. */
static unsigned score(const char *a, size_t n_a, const char *b, size_t n_b)
{
	size_t n = 0;

	while (n < n_a && n < n_b && lower(a[n]) == lower(b[n]))
		n++;
	if (n >= 2)
		return (unsigned)(2 * n + (n == n_a || n == n_b));
	for (size_t i = 1; n_a >= 3 && i + n_a <= n_b; i++) {
		for (n = 0; n < n_a && lower(a[n]) == lower(b[i + n]);)
			n++;
		if (n == n_a)
			return 3;
	}
	return 0;
}

/* A text of the debuggee may have no end. */
static void text_append(const char *text, struct rme_buffer *out)
{
	for (size_t i = 0; i < NAME_BYTES && text[i]; i++)
		rme_buffer_char(out, text[i]);
}

void rme_suggest_offer(struct rme_suggest *s, rme_addr object, const char *text)
{
	char name[NAME_BYTES];
	struct rme_buffer b = {name, sizeof name, 0, false};
	unsigned value = 0, i;

	if (s->n_names++ < MAX_SCORED) {
		if (object)
			rme_str_append(s->py, object, NAME_BYTES / 4, &b);
		else
			text_append(text, &b);
		value = 1 + score(s->wanted, s->n_wanted, name, b.size);
	}
	/* Equals stay in the order in which they were offered. */
	for (i = RME_SUGGESTIONS; i && value > s->best[i - 1].score; i--)
		if (i < RME_SUGGESTIONS)
			s->best[i] = s->best[i - 1];
	if (i < RME_SUGGESTIONS) {
		s->best[i].object = object;
		s->best[i].text = text;
		s->best[i].score = value;
	}
}

void rme_suggest_append(struct rme_suggest *s, const char *noun, bool keys, struct rme_buffer *out)
{
	unsigned i;

	if (!s->n_names) {
		rme_buffer_text(out, "; there are no ");
		rme_buffer_text(out, noun);
		return;
	}
	rme_buffer_text(out, "; ");
	rme_buffer_text(out, noun);
	for (i = 0; i < RME_SUGGESTIONS && s->best[i].score; i++) {
		rme_buffer_text(out, i ? ", " : ": ");
		if (!s->best[i].object)
			text_append(s->best[i].text, out);
		else if (keys)
			rme_key_append(s->py, s->best[i].object, out);
		else
			rme_str_append(s->py, s->best[i].object, NAME_BYTES / 2, out);
	}
	if (s->n_names > i) {
		rme_buffer_text(out, " and ");
		rme_buffer_unsigned(out, s->n_names - i);
		rme_buffer_text(out, " more");
	}
}
