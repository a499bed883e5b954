#include "undump/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

/* The search begins here: far from the ends, where processes live. */
#define FIRST_CHOICE 0x100000000000ull
#define LOWEST       0x100000ull
#define MARGIN       0x100000ull /* nothing of the target is this near */

extern const char ud_stub_start[], ud_stub_end[]; /* stub_blob.c */

/* Each line begins with "START-END"; [vsyscall] is above user space. */
static long parse_maps(struct rme_range *ret, int fd)
{
	char text[4096];
	uint64_t number = 0;
	ssize_t n;
	long count = 0;
	int field = 0; /* 0: start, 1: end, 2: the rest of the line */

	while ((n = read(fd, text, sizeof text)) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			char c = text[i];

			if (c == '\n') {
				field = 0;
				number = 0;
			} else if (field == 2) {
				continue;
			} else if (c == '-' || c == ' ') {
				if (count == UD_MAX_UNMAP)
					return -1;
				if (field++ == 0)
					ret[count].start = number;
				else if (number <= RME_ADDRESS_END)
					ret[count++].end = number;
				number = 0;
			} else {
				number =
				    number * 16 + (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
			}
		}
	}
	return n < 0 ? -1 : count;
}

long ud_place_own_mappings(struct rme_range *ret)
{
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	long count = fd < 0 ? -1 : parse_maps(ret, fd);

	if (fd >= 0)
		close(fd);
	return count;
}

/* The first gap of `size` bytes at or above `from`. */
static uint64_t find_gap(const struct ud_ranges *taken, uint64_t from, uint64_t size)
{
	uint64_t at = from;

	for (size_t i = 0; i < taken->count; i++) {
		if (taken->items[i].end + MARGIN <= at)
			continue;
		if (taken->items[i].start >= MARGIN && taken->items[i].start - MARGIN >= at + size)
			break;
		at = taken->items[i].end + MARGIN;
	}
	return at + size <= RME_ADDRESS_END - MARGIN ? at : 0;
}

static uint64_t reserve(const struct ud_plan *plan, uint64_t size)
{
	struct rme_range *own = ud_must(calloc(UD_MAX_UNMAP, sizeof *own));
	struct ud_ranges taken = {0};
	long n = ud_place_own_mappings(own);
	uint64_t at;

	for (long i = 0; i < n; i++)
		ud_ranges_add(&taken, own[i].start, own[i].end);
	for (size_t i = 0; i < plan->all.count; i++)
		ud_ranges_add(&taken, plan->all.items[i].start, plan->all.items[i].end);
	ud_ranges_merge(&taken);
	at = find_gap(&taken, FIRST_CHOICE, size);
	if (!at)
		at = find_gap(&taken, LOWEST, size);
	ud_ranges_free(&taken);
	free(own);
	if (!at || mmap((void *)at, size, PROT_NONE,
	                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1,
	                0) != (void *)at)
		return 0;
	return at;
}

/* Hands out pieces of the place, each whole pages with an empty page behind it. */
struct cut {
	uint64_t at;
	uint64_t end;
	bool failed;
};

static uint64_t cut(struct cut *c, uint64_t size, int flags)
{
	uint64_t at = c->at;

	size = ud_page_up(size ? size : 1);
	c->at += size + UD_PAGE;
	if (c->failed || c->at > c->end ||
	    mmap((void *)at, size, PROT_READ | PROT_WRITE,
	         MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED | flags, -1, 0) == MAP_FAILED)
		c->failed = true;
	return at;
}

/* A request is 16 MiB at most (request.c); what undump adds to it are tables. */
#define REQUEST_CAPACITY (64ul << 20)

bool ud_place_make(struct ud_place *ret, const struct ud_plan *plan, const struct ud_blob *library,
                   uint64_t reply_capacity, struct rme_error *error)
{
	struct ud_blob stub;
	uint64_t maps_size = plan->n_maps * sizeof *plan->maps;
	uint64_t unmap_size = UD_MAX_UNMAP * sizeof *ret->unmap;

	*ret = (struct ud_place){.reply_capacity = reply_capacity};
	if (!ud_blob_open_memory(&stub, ud_stub_start, (size_t)(ud_stub_end - ud_stub_start),
	                         error))
		return false;
	uint64_t prepare = ud_blob_symbol(library, "rme_prepare");
	uint64_t answer = ud_blob_symbol(library, "rme_answer");
	if (!prepare || !answer)
		return ud_fail(error, RME_ERROR_BAD_LIBRARY,
		               "the helper library has no rme_prepare and rme_answer: it is not "
		               "librememberme.so, or an old one");
	/* Sixteen pages for the empty ones and the rounding of each piece. */
	uint64_t size = ud_page_up(stub.size + library->size + maps_size + unmap_size +
	                           REQUEST_CAPACITY + reply_capacity + UD_STACK + UD_BOUNCE) +
	                32 * UD_PAGE;
	ret->start = reserve(plan, size);
	if (!ret->start)
		return ud_fail(error, RME_ERROR_SYSTEM, "no %llu bytes of address space are free",
		               (unsigned long long)size);
	ret->end = ret->start + size;
	struct cut c = {ret->start + UD_PAGE, ret->end, false};

	uint64_t stub_at = c.at;
	c.at += stub.size + UD_PAGE;
	uint64_t library_at = c.at;
	c.at += library->size + UD_PAGE;
	c.failed = !ud_blob_load(&stub, stub_at) || !ud_blob_load(library, library_at);
	ret->status = (struct ud_status *)cut(&c, sizeof *ret->status, MAP_SHARED);
	ret->block = (struct rme_block *)cut(&c, sizeof *ret->block, MAP_SHARED);
	ret->reply = (char *)cut(&c, reply_capacity, MAP_SHARED);
	ret->request = (char *)cut(&c, REQUEST_CAPACITY, MAP_SHARED);
	ret->job = (struct ud_job *)cut(&c, sizeof *ret->job, MAP_PRIVATE);
	ret->unmap = (struct rme_range *)cut(&c, unmap_size, MAP_PRIVATE);
	struct ud_map *maps = (struct ud_map *)cut(&c, maps_size, MAP_PRIVATE);
	uint8_t *bounce = (uint8_t *)cut(&c, UD_BOUNCE, MAP_PRIVATE);
	ret->stack_top = cut(&c, UD_STACK, MAP_PRIVATE) + UD_STACK;
	if (c.failed) {
		ud_blob_close(&stub);
		return ud_fail(error, RME_ERROR_SYSTEM, "memory for the child cannot be had: %s",
		               strerror(errno));
	}
	memcpy(maps, plan->maps, maps_size);
	ret->enter = (void (*)(struct ud_job *))(stub_at + ud_blob_symbol(&stub, "ud_stub_enter"));
	ud_blob_close(&stub);
	*ret->block = (struct rme_block){.magic = RME_MAGIC,
	                                 .abi = RME_ABI,
	                                 .request = (uint64_t)ret->request,
	                                 .request_capacity = REQUEST_CAPACITY,
	                                 .reply = (uint64_t)ret->reply,
	                                 .reply_capacity = reply_capacity};
	*ret->job =
	    (struct ud_job){.unmap = ret->unmap,
	                    .maps = maps,
	                    .n_maps = plan->n_maps,
	                    .status = ret->status,
	                    .block = ret->block,
	                    .prepare = (int64_t(*)(struct rme_block *))(library_at + prepare),
	                    .answer = (int64_t(*)(struct rme_block *))(library_at + answer),
	                    .code = {ret->start, ret->end},
	                    .bounce = bounce,
	                    .uffd = -1};
	return true;
}

bool ud_place_ask(const struct ud_place *place, const struct ud_request *request,
                  struct rme_error *error)
{
	struct rme_block *block = place->block;

	if (request->size > REQUEST_CAPACITY)
		return ud_fail(error, RME_ERROR_BAD_REQUEST, "the request is too large: %zu bytes",
		               request->size);
	/* The child may have written to the block: nothing of it is read again. */
	memcpy(place->request, request->data, request->size);
	block->request = (uint64_t)place->request;
	block->request_size = request->size;
	block->reply = (uint64_t)place->reply;
	block->reply_capacity = place->reply_capacity;
	block->reply_size = 0;
	block->progress_objects = block->progress_bytes = 0;
	block->cancel = 0;
	block->state = RME_RUNNING;
	return true;
}
