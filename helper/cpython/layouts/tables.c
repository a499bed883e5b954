#include "cpython/layout.h"

#include <stddef.h>

/* Oldest first; rme_layout_for() relies on it. */
static const struct rme_layout layouts[] = {
#include "tables.inc"
};

enum { N_LAYOUTS = sizeof(layouts) / sizeof(layouts[0]) };

const struct rme_layout *rme_layout_at(unsigned index)
{
	return index < N_LAYOUTS ? &layouts[index] : NULL;
}

static bool serves(const struct rme_layout *layout, uint32_t version)
{
	uint32_t minor = version & 0xffff0000;

	return layout->minor_first <= minor && minor <= layout->minor_last;
}

/* The tables that are not newer than the debuggee from the newest on, then the newer
 * ones from the oldest on. */
const struct rme_layout *rme_layout_for(uint32_t version, unsigned n)
{
	for (unsigned i = N_LAYOUTS; i-- > 0;) {
		if (serves(&layouts[i], version) && layouts[i].version <= version && n-- == 0)
			return &layouts[i];
	}
	for (unsigned i = 0; i < N_LAYOUTS; i++) {
		if (serves(&layouts[i], version) && layouts[i].version > version && n-- == 0)
			return &layouts[i];
	}
	return NULL;
}
