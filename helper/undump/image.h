/* The ELF images of the target, and for each the file here that is the same. */
#ifndef UD_IMAGE_H
#define UD_IMAGE_H

#include "undump/binary.h"
#include "undump/ranges.h"
#include "undump/search.h"

enum ud_image_status {
	UD_IMAGE_USED,          /* the file here has the same build-id */
	UD_IMAGE_MISSING,       /* no such file here */
	UD_IMAGE_MISMATCH,      /* the files here have other build-ids */
	UD_IMAGE_UNVERIFIABLE,  /* the target does not tell a build-id */
	UD_IMAGE_NOT_EXECUTABLE /* the same, but the file system forbids to run it */
};

struct ud_image {
	const char *path; /* in the target; NULL: not known */
	uint64_t base;    /* where its ELF header is mapped */
	uint64_t end;     /* of its last mapping */
	const struct ud_mapping *mappings;
	size_t n_mappings;
	struct ud_mapping *own_mappings; /* made up from the file when the core has no list */
	enum ud_image_status status;
	struct ud_build_id wanted;
	struct ud_build_id found; /* of `file` when it does not match */
	char *file;               /* here; NULL: none */
	struct ud_binary binary;  /* when status is USED: open */
	struct ud_ranges code;    /* what of it may run: mapped from there in the target */
};

struct ud_images {
	struct ud_image *items;
	size_t count;
};

void ud_images_find(struct ud_images *ret, const struct ud_target *target,
                    struct ud_search *search);
void ud_images_free(struct ud_images *images);

#endif
