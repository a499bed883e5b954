#include "runtime/sort.h"

#include "runtime/memory.h"

/* Heapsort: no memory, no worst case. */
static void sift_down(char *base, size_t root, size_t n, size_t size,
                      int (*compare)(const void *, const void *))
{
	char tmp[256];

	for (;;) {
		size_t child = 2 * root + 1;
		if (child >= n)
			return;
		if (child + 1 < n && compare(base + child * size, base + (child + 1) * size) < 0)
			child++;
		if (compare(base + root * size, base + child * size) >= 0)
			return;
		memcpy(tmp, base + root * size, size);
		memcpy(base + root * size, base + child * size, size);
		memcpy(base + child * size, tmp, size);
		root = child;
	}
}

void rme_sort(void *base, size_t n, size_t size, int (*compare)(const void *, const void *))
{
	char *b = base, tmp[256];

	for (size_t i = n / 2; i--;)
		sift_down(b, i, n, size, compare);
	for (size_t end = n; end-- > 1;) {
		memcpy(tmp, b, size);
		memcpy(b, b + end * size, size);
		memcpy(b + end * size, tmp, size);
		sift_down(b, 0, end, size, compare);
	}
}
