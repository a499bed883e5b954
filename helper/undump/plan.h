/* What the child is to map where, so that it looks like the target. */
#ifndef UD_PLAN_H
#define UD_PLAN_H

#include "undump/image.h"
#include "undump/stub.h"

struct ud_plan {
	struct ud_map *maps;
	size_t n_maps;
	size_t capacity;
	struct ud_ranges all;     /* every address that the target had */
	struct ud_ranges missing; /* of these, what neither it nor a file supplies */
	bool paged;               /* some maps are UD_MAP_PAGED */
};

void ud_plan_make(struct ud_plan *ret, const struct ud_target *target,
                  const struct ud_images *images);
void ud_plan_free(struct ud_plan *plan);

#endif
