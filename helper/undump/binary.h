/* ELF files of the program: their build-ids, and where their code lies. */
#ifndef UD_BINARY_H
#define UD_BINARY_H

#include <libelf.h>

#include "undump/target.h"

/* NT_GNU_BUILD_ID: 20 bytes as a rule (SHA-1); size 0: there is none. */
struct ud_build_id {
	uint8_t size;
	uint8_t bytes[64];
};
bool ud_build_id_equal(const struct ud_build_id *a, const struct ud_build_id *b);
/* Hexadecimal digits and a zero. */
#define UD_BUILD_ID_TEXT 129
void ud_build_id_text(const struct ud_build_id *id, char *ret);

/* A PT_LOAD of a file. */
struct ud_load {
	uint64_t offset;
	uint64_t address;
	uint64_t size; /* of the part that comes from the file */
	uint32_t flags;
};

enum { UD_MAX_LOADS = 32 };

struct ud_binary {
	int fd;
	uint64_t size;
	uint64_t device;
	uint64_t inode;
	struct ud_build_id id;
	struct ud_load loads[UD_MAX_LOADS];
	size_t n_loads;
};

/* Opens a 64-bit x86-64 program or library; false when the file is none, or is not
 * there. Close ret->fd in the end. */
bool ud_binary_open(struct ud_binary *ret, const char *path);

/* The build-id of the image that the target has mapped at `base`; false when its ELF
 * header is not in the target, or is none. */
bool ud_build_id_in_target(const struct ud_target *target, uint64_t base, struct ud_build_id *ret);

#endif
