/* Loads from the debuggee's memory, and the few memory functions that the
 * compiler may call. Nothing Python-specific here.
 *
 * An address of the debuggee is an rme_addr, never a pointer, so that nothing is
 * dereferenced by mistake: every load is spelled out, and may fault (guard.h). */
#ifndef RME_RUNTIME_MEMORY_H
#define RME_RUNTIME_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/arch/abi.h"

typedef uint64_t rme_addr;

/* Memory of the debuggee is not ours for AddressSanitizer to watch over. */
#define RME_FOREIGN __attribute__((no_sanitize_address))

static inline RME_FOREIGN uint8_t rme_u8(rme_addr a)
{
	return *(const volatile uint8_t *)a;
}
static inline RME_FOREIGN int8_t rme_i8(rme_addr a)
{
	return *(const volatile int8_t *)a;
}
static inline RME_FOREIGN uint16_t rme_u16(rme_addr a)
{
	return ((const struct { uint16_t v; } __attribute__((packed, may_alias)) *)a)->v;
}
static inline RME_FOREIGN uint32_t rme_u32(rme_addr a)
{
	return ((const struct { uint32_t v; } __attribute__((packed, may_alias)) *)a)->v;
}
static inline int32_t rme_i32(rme_addr a)
{
	return (int32_t)rme_u32(a);
}
static inline RME_FOREIGN uint64_t rme_u64(rme_addr a)
{
	return ((const struct { uint64_t v; } __attribute__((packed, may_alias)) *)a)->v;
}
static inline int64_t rme_i64(rme_addr a)
{
	return (int64_t)rme_u64(a);
}
static inline rme_addr rme_ptr(rme_addr a)
{
	return rme_u64(a);
}

static inline void rme_fault(void)
{
	(void)rme_u8(1ull << 63);
}

void rme_probe_large(rme_addr block, uint64_t size);

/* Faults when a large block does not lie in mapped memory: a damaged length must not be
 * believed. Small ones are not worth the load. */
static inline void rme_probe(rme_addr block, uint64_t size)
{
	if (__builtin_expect(size > 65536, 0))
		rme_probe_large(block, size);
}

/* The bytes of `n` items of `each` in a block, which is probed. */
static inline uint64_t rme_probe_items(rme_addr block, uint64_t n, uint64_t each)
{
	if (n >> RME_ADDRESS_BITS)
		rme_fault();
	rme_probe(block, n * each);
	return n * each;
}

/* As in the C standard library; the compiler may emit calls to the mem* ones. */
void *memcpy(void *dest, const void *src, size_t n);
void *memmove(void *dest, const void *src, size_t n);
void *memset(void *dest, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);

size_t rme_strlen(const char *s);
bool rme_streq(const char *a, const char *b);
/* Compares `n` bytes at `a` with the zero-terminated `s` of the same length. */
bool rme_bytes_are(const void *a, size_t n, const char *s);

#endif
