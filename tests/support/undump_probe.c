/* A helper library for tests of undump: freestanding like the real one, but what it
 * answers is what a test wants to know of the child that it runs in. The request's
 * `query` says what; addresses are the payload of the exprs. */
#include "rememberme.h"
#include "reply/json.h"
#include "runtime/memory.h"
#include "runtime/sys.h"

enum probe {
	PROBE_WORDS = 1,   /* the 8 bytes at each address */
	PROBE_TABLES = 2,  /* the request as the helper gets it */
	PROBE_TOUCH = 3,   /* reads a byte of each page between pairs of addresses, every
	                      `limit`th at a time */
	PROBE_SYSCALL = 4, /* system call number `limit` with the arguments of `depth` */
	PROBE_SPIN = 5,    /* counts for ever */
	PROBE_CALL = 6,    /* calls the function at the address, with the next ones as arguments */
	PROBE_WRITE = 7,   /* writes to the address */
	PROBE_GARBAGE = 8, /* a reply that is no JSON object */
	PROBE_GREEDY = 9   /* touches memory without end */
};

static const char text[] = "/tmp/undump-probe";

RME_EXPORT int64_t rme_prepare(struct rme_block *block)
{
	/* Proof that before the sandbox closes things are possible. */
	block->reserved = (uint64_t)rme_syscall6(39 /* getpid */, 0, 0, 0, 0, 0, 0);
	block->arena_size = 1ull << 36;
	block->arena = (uint64_t)rme_sys_reserve(block->arena_size);
	return block->arena ? 0 : -RME_ENOMEM;
}

static uint64_t address(const struct rme_request *r, uint32_t i)
{
	return rme_u64((rme_addr)r + r->exprs.offset + i * 24ull + 16);
}

static void add_ranges(struct rme_json *j, const char *key, const struct rme_request *r,
                       struct rme_table t, uint32_t words)
{
	const uint64_t *item = (const uint64_t *)((const char *)r + t.offset);

	rme_json_array(j, key);
	for (uint32_t i = 0; i < t.count; i++) {
		rme_json_array(j, NULL);
		for (uint32_t k = 0; k < words; k++)
			rme_json_unsigned(j, NULL, *item++);
		rme_json_array_end(j);
	}
	rme_json_array_end(j);
}

static void tables(struct rme_json *j, const struct rme_request *r, const struct rme_block *block)
{
	add_ranges(j, "images", r, r->images, 2);
	add_ranges(j, "code", r, r->code, 2);
	add_ranges(j, "missing", r, r->missing, 2);
	add_ranges(j, "threads", r, r->threads, 4);
	rme_json_unsigned(j, "lwp", r->lwp);
	rme_json_unsigned(j, "thread_pointer", r->thread_pointer);
	rme_json_unsigned(j, "runtime", r->runtime);
	rme_json_unsigned(j, "flags", r->flags);
	rme_json_unsigned(j, "here", (uint64_t)&text);
	rme_json_unsigned(j, "child", block->reserved);
	rme_json_unsigned(j, "n_exprs", r->exprs.count);
}

static void system_call(struct rme_json *j, uint32_t number, uint32_t which)
{
	long path = (long)text, a[3] = {0, 0, 0};

	switch (which) {
	case 1: /* open(text, O_RDWR|O_CREAT, 0600) */
		a[0] = path, a[1] = 0102, a[2] = 0600;
		break;
	case 2: /* socket, clone: numbers */
		a[0] = 2, a[1] = 1;
		break;
	case 3: /* write, read: descriptor 1 */
		a[0] = 1, a[1] = path, a[2] = 4;
		break;
	}
	rme_json_signed(j, "result", rme_syscall6(number, a[0], a[1], a[2], 0, 0, 0));
}

static void touch(struct rme_json *j, struct rme_block *block, const struct rme_request *r)
{
	uint64_t sum = 0, step = r->limit ? r->limit : 1;

	for (uint32_t i = 0; i + 1 < r->exprs.count; i += 2) {
		uint64_t start = address(r, i), n = (address(r, i + 1) - start) / RME_PAGE;

		for (uint64_t k = 0; k < n; k++) {
			sum += rme_u8(start + k * step % n * RME_PAGE);
			block->progress_objects++;
		}
	}
	rme_json_unsigned(j, "sum", sum);
}

RME_EXPORT int64_t rme_answer(struct rme_block *block)
{
	const struct rme_request *r = (const struct rme_request *)block->request;
	struct rme_buffer out = {(char *)block->reply, block->reply_capacity, 0, false};
	struct rme_json j = {&out, false};

	rme_json_open(&j, NULL);
	switch (r->query) {
	case PROBE_WORDS:
		rme_json_array(&j, "words");
		for (uint32_t i = 0; i < r->exprs.count; i++)
			rme_json_unsigned(&j, NULL, rme_u64(address(r, i)));
		rme_json_array_end(&j);
		break;
	case PROBE_TABLES:
		tables(&j, r, block);
		break;
	case PROBE_TOUCH:
		touch(&j, block, r);
		break;
	case PROBE_SYSCALL:
		system_call(&j, r->limit, r->depth);
		break;
	case PROBE_SPIN:
		for (;;)
			*(volatile uint64_t *)&block->progress_objects += 1;
	case PROBE_CALL:
		rme_json_unsigned(&j, "result",
		                  ((uint64_t(*)(uint64_t, uint64_t))address(r, 0))(
				      r->exprs.count > 1 ? address(r, 1) : 0,
				      r->exprs.count > 2 ? address(r, 2) : 0));
		break;
	case PROBE_WRITE:
		*(volatile uint64_t *)address(r, 0) = 0x1122334455667788;
		rme_json_unsigned(&j, "word", rme_u64(address(r, 0)));
		break;
	case PROBE_GREEDY:
		for (uint64_t at = 0; at < block->arena_size; at += RME_PAGE)
			*(volatile uint8_t *)(block->arena + at) = 1;
		break;
	}
	rme_json_close(&j);
	if (r->query == PROBE_GARBAGE)
		memcpy(out.data, "]", 1);
	block->reply_size = out.size;
	__atomic_store_n(&block->state, RME_DONE, __ATOMIC_RELEASE);
	return RME_DONE;
}
