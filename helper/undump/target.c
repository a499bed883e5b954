#include "undump/target.h"

#include <stdlib.h>
#include <unistd.h>

void ud_target_close(struct ud_target *target)
{
	if (target->fd >= 0)
		close(target->fd);
	target->fd = -1;
	free(target->segments);
	free(target->mappings);
	free(target->threads);
	free(target->paths);
}

const struct ud_segment *ud_target_segment(const struct ud_target *target, uint64_t address)
{
	size_t low = 0, high = target->n_segments;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (target->segments[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == target->n_segments || address < target->segments[low].start)
		return NULL;
	return &target->segments[low];
}

size_t ud_target_read(const struct ud_target *target, uint64_t address, void *ret, size_t n)
{
	const struct ud_segment *s = ud_target_segment(target, address);
	size_t done = 0;

	if (!s || address >= s->have)
		return 0;
	if (n > s->have - address)
		n = s->have - address;
	while (done < n) {
		ssize_t r = pread(target->fd, (char *)ret + done, n - done,
		                  (off_t)(s->offset + (address - s->start) + done));
		if (r <= 0)
			break;
		done += (size_t)r;
	}
	return done;
}
