/* Freestanding libraries (the helper, the stub): a flat copy of their segments works at
 * any address, once the addresses that it holds of itself are put right. */
#ifndef UD_BLOB_H
#define UD_BLOB_H

#include <libelf.h>

#include "undump/fail.h"
#include "undump/target.h"

struct ud_blob {
	Elf *elf;
	char *file;  /* the whole of it */
	size_t size; /* of the copy in memory, whole pages */
};

/* From a file, or from `n` bytes of memory that stay where they are: "bad-library". */
bool ud_blob_open(struct ud_blob *ret, const char *path, struct rme_error *error);
bool ud_blob_open_memory(struct ud_blob *ret, const void *data, size_t n, struct rme_error *error);

/* Copies the segments to `address`, where `blob->size` bytes are reserved, and relocates
 * them; nothing of them can be written afterwards. False with errno when the system
 * refuses. */
bool ud_blob_load(const struct ud_blob *blob, uint64_t address);

/* Offset of an exported function from `address`, or 0. */
uint64_t ud_blob_symbol(const struct ud_blob *blob, const char *name);

void ud_blob_close(struct ud_blob *blob);

#endif
