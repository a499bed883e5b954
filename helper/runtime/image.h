/* Looking up dynamic symbols in an ELF image as it lies in memory: what dlsym
 * does, without a libc and without files. Nothing Python-specific here. */
#ifndef RME_RUNTIME_IMAGE_H
#define RME_RUNTIME_IMAGE_H

#include "runtime/memory.h"

struct rme_image_symbols {
	rme_addr bias; /* add to a symbol's value */
	rme_addr symtab;
	rme_addr strtab;
	uint64_t strtab_size;
	rme_addr gnu_hash; /* 0: none */
	rme_addr sysv_hash;
};

/* Reads the dynamic section of the image whose ELF header is mapped at `base`.
 * False when it is none or has no symbol table. May fault: hold a guard. */
bool rme_image_open(struct rme_image_symbols *image, rme_addr base, rme_addr end);

/* Address of a defined symbol, or 0. May fault: hold a guard. */
rme_addr rme_image_lookup(const struct rme_image_symbols *image, const char *name);

#endif
