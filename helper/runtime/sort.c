#include "runtime/sort.h"

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

static int by_address(const void *x, const void *y)
{
	rme_addr a = *(const rme_addr *)x, b = *(const rme_addr *)y;

	return a < b ? -1 : a > b;
}

void rme_addresses_sort(rme_addr *a, size_t n)
{
	rme_sort(a, n, sizeof *a, by_address);
}

bool rme_addresses_have(const rme_addr *a, size_t n, rme_addr wanted)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (a[middle] == wanted)
			return true;
		if (a[middle] < wanted)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}
