/* Calls run(block) while some memory of this process cannot be read: as in a core that
 * lacks what lies unchanged in files. No libc, which may be among what is lacking. */
#include <stdint.h>

struct range {
	uint64_t start, end;
	uint64_t protection; /* as it was */
};

static void protect(const struct range *r, uint64_t protection)
{
	long number = 10; /* mprotect */

	__asm__ volatile("syscall"
	                 : "+a"(number)
	                 : "D"(r->start), "S"(r->end - r->start), "d"(protection)
	                 : "rcx", "r11", "memory");
}

int64_t blind_run(int64_t (*run)(void *), void *block, const struct range *ranges, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		protect(&ranges[i], 0);
	int64_t result = run(block);
	for (uint64_t i = 0; i < n; i++)
		protect(&ranges[i], ranges[i].protection);
	return result;
}
