#include "undump/image.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "undump/cancel.h"

static bool has_header(const struct ud_target *t, uint64_t base)
{
	char magic[SELFMAG];

	return ud_target_read(t, base, magic, sizeof magic) == sizeof magic &&
	       !memcmp(magic, ELFMAG, SELFMAG);
}

/* A data file, or a library that was mapped to be read, not run: its segments are
 * there and none is executable. Where a core leaves its text out altogether (gdb),
 * it may be code, unless the ELF header is left out too and nothing else is mapped. */
static bool may_be_code(const struct ud_target *t, size_t first, size_t n)
{
	for (size_t i = first; i < first + n; i++) {
		const struct ud_segment *s = ud_target_segment(t, t->mappings[i].start);

		if (s ? s->flags & PF_X : n > 1 || has_header(t, t->mappings[i].start))
			return true;
	}
	return false;
}

/* Does the mapping begin an image? Its ELF header, or a place where one may be that
 * the core has left out. */
static bool begins_image(const struct ud_target *t, const struct ud_mapping *m)
{
	char first;

	return !m->offset && (has_header(t, m->start) || !ud_target_read(t, m->start, &first, 1));
}

static struct ud_image *append(struct ud_images *images)
{
	/* Doubled whenever the count is a power of two. */
	if (!(images->count & (images->count - 1)))
		images->items =
		    ud_must(realloc(images->items, (images->count ? images->count * 2 : 1) *
		                                       sizeof *images->items));
	struct ud_image *image = &images->items[images->count++];
	*image = (struct ud_image){.binary.fd = -1, .status = UD_IMAGE_UNVERIFIABLE};
	return image;
}

static void group_mappings(struct ud_images *images, const struct ud_target *t)
{
	for (size_t i = 0, n; i < t->n_mappings; i += n) {
		const struct ud_mapping *m = &t->mappings[i];

		n = 1;
		if (!begins_image(t, m))
			continue;
		while (i + n < t->n_mappings && !strcmp(m[n].path, m->path) &&
		       (m[n].offset || !begins_image(t, &m[n])))
			n++;
		if (!may_be_code(t, i, n))
			continue;
		struct ud_image *image = append(images);
		image->path = m->path;
		image->base = m->start;
		image->end = m[n - 1].end;
		image->mappings = m;
		image->n_mappings = n;
	}
}

/* A core without a list of files: what begins like an ELF image is one. */
static void scan_segments(struct ud_images *images, const struct ud_target *t)
{
	struct ud_build_id id;

	for (size_t i = 0; i < t->n_segments; i++) {
		if (!ud_build_id_in_target(t, t->segments[i].start, &id))
			continue;
		struct ud_image *image = append(images);
		image->base = t->segments[i].start;
		image->end = t->segments[i].end;
	}
}

static uint64_t lowest_address(const struct ud_binary *b)
{
	uint64_t lowest = UINT64_MAX;

	for (size_t i = 0; i < b->n_loads; i++) {
		if (b->loads[i].address < lowest)
			lowest = ud_page_down(b->loads[i].address);
	}
	return lowest;
}

/* Without a list of files, the file's own headers say where its pieces were mapped;
 * only what the core describes as such a piece counts. */
static void make_mappings(struct ud_image *image, const struct ud_target *t)
{
	const struct ud_binary *b = &image->binary;
	uint64_t lowest = lowest_address(b);

	image->own_mappings = ud_must(calloc(UD_MAX_LOADS, sizeof *image->own_mappings));
	image->mappings = image->own_mappings;
	for (size_t i = 0; i < b->n_loads; i++) {
		const struct ud_load *load = &b->loads[i];
		uint64_t start = image->base + ud_page_down(load->address) - lowest;
		uint64_t end =
		    start + ud_page_up(load->offset + load->size) - ud_page_down(load->offset);
		const struct ud_segment *s = ud_target_segment(t, start);

		if (!s || s->start != start || end > s->end ||
		    (s->flags & (PF_R | PF_X)) != (load->flags & (PF_R | PF_X)))
			continue;
		image->own_mappings[image->n_mappings++] =
		    (struct ud_mapping){start, end, ud_page_down(load->offset), NULL, 0, 0};
		image->end = end;
	}
}

/* The parts of the image that are executable in the file and were mapped where the
 * file's own headers put them. */
static void find_code(struct ud_image *image)
{
	const struct ud_binary *b = &image->binary;
	uint64_t lowest = lowest_address(b);

	for (size_t i = 0; i < b->n_loads; i++) {
		const struct ud_load *load = &b->loads[i];
		uint64_t start = image->base + ud_page_down(load->address) - lowest;
		uint64_t offset = ud_page_down(load->offset);
		uint64_t size = ud_page_up(load->offset + load->size) - offset;

		if (!(load->flags & PF_X) || load->offset > b->size ||
		    load->size > b->size - load->offset)
			continue;
		for (size_t k = 0; k < image->n_mappings; k++) {
			const struct ud_mapping *m = &image->mappings[k];
			uint64_t from = m->start > start ? m->start : start;
			uint64_t to = m->end < start + size ? m->end : start + size;

			if (from < to && m->offset + (from - m->start) == offset + (from - start))
				ud_ranges_add(&image->code, from, to);
		}
	}
	ud_ranges_merge(&image->code);
}

struct attempt {
	struct ud_image *image;
	const struct ud_target *target;
	bool quiet; /* a file that does not fit is no news: it was not looked for by name */
};

/* Is this file the one that the target ran? The same build-id says so; of a live
 * process also that it is the very file. */
static bool try_file(void *arg, const char *file)
{
	struct attempt *a = arg;
	struct ud_image *image = a->image;
	struct ud_binary binary;

	if (!ud_binary_open(&binary, file))
		return false;
	bool same = ud_build_id_equal(&image->wanted, &binary.id);
	if (a->target->live && !image->wanted.size)
		same = binary.inode == image->mappings->inode &&
		       binary.device == image->mappings->device;
	if (!same) {
		if (!image->file && image->path && !a->quiet) {
			image->file = ud_must(strdup(file));
			image->found = binary.id;
		}
		close(binary.fd);
		return false;
	}
	free(image->file);
	image->file = ud_must(strdup(file));
	image->binary = binary;
	return true;
}

static bool can_execute(int fd)
{
	void *p = mmap(NULL, UD_PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);

	if (p == MAP_FAILED)
		return false;
	munmap(p, UD_PAGE);
	return true;
}

static void resolve(struct ud_image *image, const struct ud_target *t, struct ud_search *search)
{
	struct attempt attempt = {image, t, false}, quiet = {image, t, true};
	bool found;

	ud_build_id_in_target(t, image->base, &image->wanted);
	if (!image->wanted.size && !t->live)
		return;
	found = ud_search_files(search, image->path, true, try_file, &quiet) ||
	        ud_search_each(search, image->path, try_file, &attempt) ||
	        ud_search_files(search, image->path, false, try_file, &quiet);
	if (!found && t->live) {
		/* The file is not where it was, but the kernel still has it. */
		char file[96];
		snprintf(file, sizeof file, "/proc/%lld/map_files/%llx-%llx", (long long)t->pid,
		         (unsigned long long)image->mappings->start,
		         (unsigned long long)image->mappings->end);
		found = try_file(&attempt, file);
	}
	if (found) {
		image->status = UD_IMAGE_USED;
		if (!image->path)
			make_mappings(image, t);
		if (can_execute(image->binary.fd))
			find_code(image);
		else
			image->status = UD_IMAGE_NOT_EXECUTABLE;
	} else if (image->wanted.size) {
		image->status = image->file ? UD_IMAGE_MISMATCH : UD_IMAGE_MISSING;
	}
}

void ud_images_find(struct ud_images *ret, const struct ud_target *target, struct ud_search *search)
{
	*ret = (struct ud_images){0};
	if (target->has_mappings)
		group_mappings(ret, target);
	else
		scan_segments(ret, target);
	for (size_t i = 0; i < ret->count && !ud_cancelled(); i++)
		resolve(&ret->items[i], target, search);
}

void ud_images_free(struct ud_images *images)
{
	for (size_t i = 0; i < images->count; i++) {
		struct ud_image *image = &images->items[i];

		if (image->binary.fd >= 0)
			close(image->binary.fd);
		free(image->file);
		free(image->own_mappings);
		ud_ranges_free(&image->code);
	}
	free(images->items);
}
