#include "undump/runtime.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#define COOKIE "xdebugpy"
enum { PIECE = 1 << 20 };

/* After the cookie stands PY_VERSION_HEX, as eight bytes. */
static bool is_runtime(const char *p)
{
	uint64_t version;

	if (memcmp(p, COOKIE, 8))
		return false;
	memcpy(&version, p + 8, sizeof version);
	return version >= 0x030d0000 && version < 0x04000000;
}

static uint64_t search(const struct ud_target *t, uint64_t start, uint64_t end, char *piece)
{
	/* Pieces overlap by the two words that are looked at. */
	for (uint64_t at = start; at < end; at += PIECE - 16) {
		size_t n = ud_target_read(t, at, piece, end - at < PIECE ? end - at : PIECE);

		for (size_t i = 0; i + 16 <= n; i += 8) {
			if (is_runtime(piece + i))
				return at + i;
		}
	}
	return 0;
}

uint64_t ud_runtime_find(const struct ud_target *target, const struct ud_images *images)
{
	char *piece = ud_must(malloc(PIECE));
	uint64_t found = 0;

	for (size_t i = 0; i < images->count && !found; i++) {
		const struct ud_image *image = &images->items[i];

		for (size_t k = 0; k < target->n_segments && !found; k++) {
			const struct ud_segment *s = &target->segments[k];

			if (image->status != UD_IMAGE_USED && s->flags & PF_W &&
			    s->start >= image->base && s->start < image->end)
				found = search(target, s->start, s->have, piece);
		}
	}
	free(piece);
	return found;
}
