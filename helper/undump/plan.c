/* The layers of the child's memory, from the bottom: places that must stay empty,
 * what the files of the target hold, what the target itself holds, and on top the
 * code of the files. So what the target holds is never executable, and code is
 * never anything but the file's. */
#include "undump/plan.h"

#include <elf.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Below it the kernel lets nobody map anything (vm.mmap_min_addr), and a core that
 * has something there wants null pointers to be read. */
#define LOWEST 0x10000ull

static void add(struct ud_plan *plan, struct ud_map map)
{
	if (map.start < LOWEST) {
		map.offset += LOWEST - map.start;
		map.start = LOWEST;
	}
	if (map.start >= map.end)
		return;
	if (plan->n_maps == plan->capacity) {
		plan->capacity = plan->capacity ? plan->capacity * 2 : 256;
		plan->maps = ud_must(realloc(plan->maps, plan->capacity * sizeof *plan->maps));
	}
	plan->maps[plan->n_maps++] = map;
	plan->paged |= map.kind == UD_MAP_PAGED;
}

static void add_file(struct ud_plan *plan, struct ud_ranges *have, const struct ud_image *image,
                     uint64_t start, uint64_t end, uint64_t offset, int prot)
{
	uint64_t size = ud_page_up(image->binary.size);

	if (offset >= size)
		return;
	if (end - start > size - offset)
		end = start + (size - offset);
	add(plan,
	    (struct ud_map){start, end, offset, image->binary.fd, (uint16_t)prot, UD_MAP_FILE});
	ud_ranges_add(have, start, end);
}

static bool is_here(const struct ud_image *image)
{
	return image->status == UD_IMAGE_USED || image->status == UD_IMAGE_NOT_EXECUTABLE;
}

static void add_images(struct ud_plan *plan, struct ud_ranges *have, const struct ud_target *t,
                       const struct ud_images *images)
{
	for (size_t i = 0; i < images->count; i++) {
		const struct ud_image *image = &images->items[i];

		for (size_t k = 0; is_here(image) && k < image->n_mappings; k++) {
			const struct ud_mapping *m = &image->mappings[k];
			const struct ud_segment *s = ud_target_segment(t, m->start);
			int prot = PROT_READ | (s && s->flags & PF_W ? PROT_WRITE : 0);

			add_file(plan, have, image, m->start, m->end, m->offset, prot);
		}
	}
}

static void add_contents(struct ud_plan *plan, struct ud_ranges *have, const struct ud_target *t)
{
	for (size_t i = 0; i < t->n_segments; i++) {
		const struct ud_segment *s = &t->segments[i];
		/* gdb writes the segments of a core wherever the last one ended. */
		bool aligned = !t->live && s->offset % UD_PAGE == 0;
		int prot = PROT_READ | (s->flags & PF_W ? PROT_WRITE : 0);

		if (s->have == s->start)
			continue;
		add(plan, (struct ud_map){s->start, s->have, s->offset, t->fd, (uint16_t)prot,
		                          aligned ? UD_MAP_FILE : UD_MAP_PAGED});
		ud_ranges_add(have, s->start, s->have);
	}
}

static void add_code(struct ud_plan *plan, struct ud_ranges *have, const struct ud_images *images)
{
	for (size_t i = 0; i < images->count; i++) {
		const struct ud_image *image = &images->items[i];

		for (size_t k = 0; k < image->code.count; k++) {
			struct rme_range code = image->code.items[k];

			/* A range may be of several mappings that continue each other. */
			for (size_t n = 0; n < image->n_mappings; n++) {
				const struct ud_mapping *m = &image->mappings[n];
				uint64_t from = m->start > code.start ? m->start : code.start;
				uint64_t to = m->end < code.end ? m->end : code.end;

				if (from < to)
					add_file(plan, have, image, from, to,
					         m->offset + (from - m->start),
					         PROT_READ | PROT_EXEC);
			}
		}
	}
}

void ud_plan_make(struct ud_plan *ret, const struct ud_target *target,
                  const struct ud_images *images)
{
	struct ud_ranges have = {0};

	*ret = (struct ud_plan){0};
	for (size_t i = 0; i < target->n_segments; i++) {
		const struct ud_segment *s = &target->segments[i];

		ud_ranges_add(&ret->all, s->start, s->end);
		/* What the process itself could not touch is not missing. */
		if (!s->flags)
			ud_ranges_add(&have, s->start, s->end);
	}
	for (size_t i = 0; i < target->n_mappings; i++)
		ud_ranges_add(&ret->all, target->mappings[i].start, target->mappings[i].end);
	ud_ranges_merge(&ret->all);
	for (size_t i = 0; i < ret->all.count; i++)
		add(ret, (struct ud_map){ret->all.items[i].start, ret->all.items[i].end, 0, -1,
		                         PROT_NONE, UD_MAP_RESERVE});
	if (!target->live)
		add_images(ret, &have, target, images);
	add_contents(ret, &have, target);
	add_code(ret, &have, images);
	ud_ranges_merge(&have);
	ud_ranges_subtract(&ret->all, &have, &ret->missing);
	ud_ranges_free(&have);
}

void ud_plan_free(struct ud_plan *plan)
{
	free(plan->maps);
	ud_ranges_free(&plan->all);
	ud_ranges_free(&plan->missing);
}
