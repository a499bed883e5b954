#include "runtime/memory.h"
#include "runtime/arch/cpu.h"

#define HIDDEN __attribute__((visibility("hidden")))

/* Byte loops that the compiler must not turn back into calls of themselves: the
 * helper is built with -fno-builtin for this file's definitions. */

HIDDEN RME_FOREIGN void *memcpy(void *dest, const void *src, size_t n)
{
	rme_cpu_copy(dest, src, n);
	return dest;
}

HIDDEN RME_FOREIGN void *memmove(void *dest, const void *src, size_t n)
{
	unsigned char *d = dest;
	const unsigned char *s = src;

	if (d <= s || d >= s + n)
		return memcpy(dest, src, n);
	while (n--) {
		d[n] = s[n];
		__asm__ volatile("" : : : "memory");
	}
	return dest;
}

HIDDEN void *memset(void *dest, int c, size_t n)
{
	rme_cpu_fill(dest, c, n);
	return dest;
}

HIDDEN RME_FOREIGN int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	for (; n--; x++, y++) {
		if (*x != *y)
			return *x < *y ? -1 : 1;
		__asm__ volatile("" : : : "memory");
	}
	return 0;
}

RME_FOREIGN size_t rme_strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

RME_FOREIGN bool rme_streq(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

bool rme_bytes_are(const void *a, size_t n, const char *s)
{
	return rme_strlen(s) == n && memcmp(a, s, n) == 0;
}

void rme_probe_large(rme_addr block, uint64_t size)
{
	if (size >> RME_ADDRESS_BITS)
		rme_fault();
	/* In between, too: far away may be something else. */
	for (uint64_t at = 65536; at < size; at *= 2)
		(void)rme_u8(block + at);
	(void)rme_u8(block + size - 1);
}
