/* What undump hands to the stub (stub.c), the piece of code that is left in the
 * child when everything else is unmapped. Addresses are those of the child. */
#ifndef UD_STUB_H
#define UD_STUB_H

#include <stdint.h>

#include "rememberme.h"

enum ud_map_kind {
	UD_MAP_RESERVE = 0, /* nothing: keeps the place free, a touch faults */
	UD_MAP_FILE = 1,    /* private mapping of fd at offset */
	UD_MAP_PAGED = 2    /* anonymous; its pages come when they are touched, or, without
	                       userfaultfd, are read from fd at offset right away */
};

struct ud_map {
	uint64_t start;
	uint64_t end;
	uint64_t offset;
	int32_t fd;
	uint16_t prot; /* PROT_* */
	uint16_t kind; /* enum ud_map_kind */
};

enum ud_stage {
	UD_STAGE_MAPPING = 0,
	UD_STAGE_ANSWERING = 1,
	UD_STAGE_NO_MEMORY = 2, /* rme_prepare found no address space */
	UD_STAGE_NO_SECCOMP = 3
};

/* Shared with the parent. */
struct ud_status {
	uint32_t stage;    /* enum ud_stage */
	uint32_t n_failed; /* maps that could not be made */
	uint64_t failed;   /* where the first of them is */
	int64_t error;     /* and why, a negative errno */
	uint64_t reserved;
};

struct ud_job {
	const struct rme_range *unmap; /* what the child has of undump */
	uint64_t n_unmap;
	const struct ud_map *maps; /* in this order: later ones cover earlier ones */
	uint64_t n_maps;
	struct ud_status *status;
	struct rme_block *block;
	int64_t (*prepare)(struct rme_block *block);
	int64_t (*answer)(struct rme_block *block);
	struct rme_range code; /* of the stub and the helper */
	uint8_t *bounce;       /* UD_BOUNCE bytes */
	int64_t uffd;          /* -1: none */
	int64_t channel;       /* a byte comes when there is a request, and goes when there
	                          is a reply */
};

#define UD_BOUNCE 65536ul

/* The entry of the stub: never returns. */
RME_EXPORT void ud_stub_enter(struct ud_job *job);

#endif
