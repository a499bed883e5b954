#include "undump/request.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "undump/runtime.h"

/* A request is a few names; the tables that undump adds are a few megabytes at worst. */
enum { MAX_REQUEST = 1 << 24 };

static bool read_all(struct ud_request *r, int fd)
{
	r->capacity = MAX_REQUEST;
	r->data = ud_must(malloc(r->capacity));
	for (;;) {
		ssize_t n = read(fd, (char *)r->data + r->size, r->capacity - r->size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0;
		r->size += (size_t)n;
		if (r->size == r->capacity)
			return false;
	}
}

static bool valid_table(const struct ud_request *r, struct rme_table table, size_t element)
{
	return !table.count ||
	       (table.offset % 8 == 0 && table.offset >= sizeof *r->data &&
	        table.offset <= r->size && table.count <= (r->size - table.offset) / element);
}

static bool read_exactly(int fd, void *ret, size_t n)
{
	while (n) {
		ssize_t r = read(fd, ret, n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return false;
		ret = (char *)ret + r;
		n -= (size_t)r;
	}
	return true;
}

static bool check(struct ud_request *ret, struct rme_error *error)
{
	if (ret->size < sizeof *ret->data || ret->data->abi != RME_ABI)
		return ud_fail(error, RME_ERROR_BAD_REQUEST,
		               "the request is not one of this version (%zu bytes); do the plugin "
		               "and rememberme-undump come from the same installation?",
		               ret->size);
	if (!valid_table(ret, ret->data->threads, sizeof(struct rme_thread)) ||
	    !valid_table(ret, ret->data->exprs, sizeof(struct rme_expr)))
		return ud_fail(error, RME_ERROR_BAD_REQUEST,
		               "the tables of the request lie outside of it");
	return true;
}

bool ud_request_read(struct ud_request *ret, const char *path, struct rme_error *error)
{
	int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : dup(STDIN_FILENO);

	*ret = (struct ud_request){0};
	bool ok = fd >= 0 && read_all(ret, fd);
	if (fd >= 0)
		close(fd);
	if (!ok)
		return ud_fail(error, RME_ERROR_BAD_REQUEST, "the request %s cannot be read: %s",
		               path, strerror(errno));
	return check(ret, error);
}

bool ud_request_receive(struct ud_request *ret, int fd, struct rme_error *error)
{
	uint64_t size;

	*ret = (struct ud_request){0};
	if (!read_exactly(fd, &size, sizeof size))
		return false;
	if (size >= MAX_REQUEST)
		return ud_fail(error, RME_ERROR_BAD_REQUEST, "the request is too large");
	ret->capacity = MAX_REQUEST;
	ret->data = ud_must(malloc(ret->capacity));
	ret->size = size;
	if (!read_exactly(fd, ret->data, size))
		return ud_fail(error, RME_ERROR_BAD_REQUEST, "the request is cut off");
	return check(ret, error);
}

/* A new table at the end, 8-byte aligned. */
static struct rme_table append(struct ud_request *r, const void *items, size_t count, size_t size)
{
	size_t at = (r->size + 7) & ~7ul, end = at + count * size;

	if (end > r->capacity) {
		r->capacity = end * 2;
		r->data = ud_must(realloc(r->data, r->capacity));
	}
	memset((char *)r->data + r->size, 0, at - r->size);
	if (count)
		memcpy((char *)r->data + at, items, count * size);
	r->size = end;
	return (struct rme_table){(uint32_t)at, (uint32_t)count};
}

/* The images that the helper may look for symbols in: those that were code. */
static void add_images(struct ud_request *r, const struct ud_images *images)
{
	struct rme_image *table = ud_must(calloc(images->count + 1, sizeof *table));
	struct ud_ranges code = {0};
	size_t n = 0;

	for (size_t i = 0; i < images->count; i++) {
		const struct ud_image *image = &images->items[i];

		/* A library that was only read, by a tool that looks into files. */
		if (image->status == UD_IMAGE_USED && !image->code.count)
			continue;
		table[n++] = (struct rme_image){image->base, image->end};
		for (size_t k = 0; k < image->code.count; k++)
			ud_ranges_add(&code, image->code.items[k].start, image->code.items[k].end);
	}
	ud_ranges_merge(&code);
	struct rme_table t = append(r, table, n, sizeof *table);
	r->data->images = t;
	t = append(r, code.items, code.count, sizeof *code.items);
	r->data->code = t;
	ud_ranges_free(&code);
	free(table);
}

static struct rme_thread *find_thread(struct rme_thread *threads, size_t n, uint64_t lwp)
{
	for (size_t i = 0; i < n; i++) {
		if (threads[i].lwp == lwp)
			return &threads[i];
	}
	return NULL;
}

/* Keeps the debugger's numbers; threads that it did not name get the next ones. */
static void add_threads(struct ud_request *r, const struct ud_target *target)
{
	size_t given = r->data->threads.count, n = given;
	struct rme_thread *table = ud_must(calloc(given + target->n_threads + 1, sizeof *table));
	uint64_t number = 0;

	if (given)
		memcpy(table, (char *)r->data + r->data->threads.offset, given * sizeof *table);
	for (size_t i = 0; i < given; i++) {
		if (table[i].number > number)
			number = table[i].number;
	}
	for (size_t i = 0; i < target->n_threads; i++) {
		const struct ud_thread *thread = &target->threads[i];
		/* The caller's list is in the core's order as a rule: look there first. */
		struct rme_thread *known = i < given && table[i].lwp == thread->lwp
		                               ? &table[i]
		                               : find_thread(table, given, thread->lwp);

		if (known) {
			known->thread_pointer = thread->thread_pointer;
			known->stack_pointer = thread->stack_pointer;
		} else {
			table[n++] = (struct rme_thread){
			    ++number, thread->lwp, thread->thread_pointer, thread->stack_pointer};
		}
	}
	struct rme_table t = append(r, table, n, sizeof *table);
	r->data->threads = t;
	free(table);
}

static uint32_t mapped_flags(const struct ud_segment *s)
{
	return (s->flags & PF_R ? RME_VMA_READ : 0u) | (s->flags & PF_W ? RME_VMA_WRITE : 0u) |
	       (s->flags & PF_X ? RME_VMA_EXEC : 0u) | s->mapped;
}

/* What the target had mapped, in pieces of one file each. */
static void add_mappings(struct ud_request *r, const struct ud_target *target)
{
	struct rme_vma *table =
	    ud_must(calloc(target->n_segments + 2 * target->n_mappings + 1, sizeof *table));
	size_t n = 0, k = 0, n_names = 1, last = target->n_mappings;
	char *names = ud_must(calloc(1, 1));

	for (size_t i = 0; i < target->n_segments; i++) {
		const struct ud_segment *s = &target->segments[i];
		uint64_t at = s->start;

		while (at < s->end) {
			while (k < target->n_mappings && target->mappings[k].end <= at)
				k++;
			const struct ud_mapping *m =
			    k < target->n_mappings ? &target->mappings[k] : NULL;
			bool inside = m && m->start <= at;
			uint64_t end = inside ? m->end : m && m->start < s->end ? m->start : s->end;

			if (end > s->end)
				end = s->end;
			table[n] = (struct rme_vma){at, end, mapped_flags(s), 0};
			if (inside) {
				if (last == target->n_mappings ||
				    strcmp(target->mappings[last].path, m->path)) {
					size_t length = strlen(m->path) + 1;

					names = ud_must(realloc(names, n_names + length));
					memcpy(names + n_names, m->path, length);
					n_names += length;
					last = k;
				}
				table[n].flags |= RME_VMA_FILE;
				table[n].name = (uint32_t)(n_names - strlen(m->path) - 1);
			}
			n++;
			at = end;
		}
	}
	struct rme_table t = append(r, table, n, sizeof *table);
	r->data->mappings = t;
	t = append(r, names, n_names, 1);
	r->data->names = t;
	free(table);
	free(names);
}

static bool select_thread(struct ud_request *r, const struct ud_target *target, uint64_t lwp,
                          struct rme_error *error)
{
	struct rme_thread *threads =
	    (struct rme_thread *)((char *)r->data + r->data->threads.offset);
	size_t n = r->data->threads.count;

	if (!lwp)
		lwp = r->data->lwp;
	if (!lwp && target->n_threads)
		lwp = target->threads[0].lwp;
	const struct rme_thread *thread = find_thread(threads, n, lwp);
	if (!target->live && !thread)
		return ud_fail(error, RME_ERROR_NO_SUCH_THREAD,
		               "the core has no thread with the number %llu",
		               (unsigned long long)lwp);
	r->data->lwp = lwp;
	if (thread && thread->thread_pointer)
		r->data->thread_pointer = thread->thread_pointer;
	/* Without it the helper would ask the CPU, and learn undump's. */
	if (target->live && !r->data->thread_pointer)
		return ud_fail(
		    error, RME_ERROR_BAD_REQUEST,
		    "the request does not tell the thread pointer (fs base) of the selected "
		    "thread, which only a debugger can read in a live process");
	return true;
}

bool ud_request_complete(struct ud_request *request, const struct ud_target *target,
                         const struct ud_images *images, const struct ud_plan *plan, uint64_t lwp,
                         struct rme_error *error)
{
	add_images(request, images);
	add_threads(request, target);
	add_mappings(request, target);
	struct rme_table t =
	    append(request, plan->missing.items, plan->missing.count, sizeof *plan->missing.items);
	request->data->missing = t;
	request->data->flags |= RME_CHECK_CODE;
	if (!request->data->runtime)
		request->data->runtime = ud_runtime_find(target, images);
	return select_thread(request, target, lwp, error);
}

void ud_request_free(struct ud_request *request)
{
	free(request->data);
}
