#include "undump/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "reply/json.h"
#include "reply/kinds.h"

/* A caveat names this many files; the list "binaries" has them all. */
enum { NAMED = 4, MESSAGE = 4096 };

static const char *status_name(enum ud_image_status status)
{
	switch (status) {
	case UD_IMAGE_USED:
		return "used";
	case UD_IMAGE_MISSING:
		return "missing";
	case UD_IMAGE_MISMATCH:
		return "mismatch";
	case UD_IMAGE_UNVERIFIABLE:
		return "unverifiable";
	case UD_IMAGE_NOT_EXECUTABLE:
		return "not-executable";
	}
	return "";
}

static void add_build_id(struct rme_json *j, const char *key, const struct ud_build_id *id)
{
	char text[UD_BUILD_ID_TEXT];

	ud_build_id_text(id, text);
	if (id->size)
		rme_json_string(j, key, text);
	else
		rme_json_null(j, key);
}

static void add_binary(struct rme_json *j, const struct ud_image *image)
{
	rme_json_open(j, NULL);
	if (image->path)
		rme_json_string(j, "path", image->path);
	else
		rme_json_null(j, "path");
	rme_json_address(j, "base", image->base);
	rme_json_string(j, "status", status_name(image->status));
	if (image->file)
		rme_json_string(j, "file", image->file);
	else
		rme_json_null(j, "file");
	add_build_id(j, "wanted", &image->wanted);
	add_build_id(j, "found",
	             image->status == UD_IMAGE_MISMATCH ? &image->found : &image->binary.id);
	rme_json_close(j);
}

static void add_caveat(struct rme_json *j, enum rme_caveat_kind kind, uint64_t count,
                       uint64_t address, const char *message)
{
	rme_json_open(j, NULL);
	rme_json_string(j, "kind", rme_caveat_word(kind));
	rme_json_null(j, "type");
	rme_json_unsigned(j, "count", count);
	if (address)
		rme_json_address(j, "address", address);
	else
		rme_json_null(j, "address");
	rme_json_string(j, "message", message);
	rme_json_close(j);
}

/* "PATH (build-id …)" for the first files of a status; returns how many there are. */
static uint64_t name_files(const struct ud_images *images, enum ud_image_status status, char *ret,
                           size_t size)
{
	uint64_t n = 0;
	size_t used = 0;

	*ret = 0;
	for (size_t i = 0; i < images->count; i++) {
		const struct ud_image *image = &images->items[i];
		char wanted[UD_BUILD_ID_TEXT], found[UD_BUILD_ID_TEXT];

		if (image->status != status || n++ >= NAMED || used >= size)
			continue;
		ud_build_id_text(&image->wanted, wanted);
		ud_build_id_text(&image->found, found);
		used += (size_t)snprintf(ret + used, size - used, "%s%s", n > 1 ? ", " : "",
		                         image->path ? image->path : "a file without a name");
		if (used < size && status == UD_IMAGE_MISSING)
			used += (size_t)snprintf(ret + used, size - used, " (build-id %s)", wanted);
		if (used < size && status == UD_IMAGE_MISMATCH)
			used += (size_t)snprintf(ret + used, size - used,
			                         " (wanted build-id %s, %s has %s)", wanted,
			                         image->file, *found ? found : "none");
	}
	if (n > NAMED && used < size)
		snprintf(ret + used, size - used, " and %" PRIu64 " more", n - NAMED);
	return n;
}

static void add_file_caveats(struct rme_json *j, const struct ud_images *images)
{
	static const struct {
		enum ud_image_status status;
		enum rme_caveat_kind kind;
		char format[224];
	} kinds[] = {
	    {UD_IMAGE_MISSING, RME_CAVEAT_MISSING_BINARY,
	     "not found here: %s; types defined there are read by known layouts. To have their "
	     "code: py-config binaries DIR, a directory tree with these files"},
	    {UD_IMAGE_MISMATCH, RME_CAVEAT_WRONG_BINARY,
	     "not used, because it is not the file that the process ran: %s; types defined there "
	     "are read by known layouts. To have the right ones: py-config binaries DIR"},
	    {UD_IMAGE_UNVERIFIABLE, RME_CAVEAT_UNVERIFIABLE_BINARY,
	     "not used, because the core does not hold its build-id (it was built without one, "
	     "or coredump_filter leaves out ELF headers): %s; types defined there are read by "
	     "known layouts"},
	    {UD_IMAGE_NOT_EXECUTABLE, RME_CAVEAT_NOT_EXECUTABLE,
	     "its code is not used, because it lies on a file system that is mounted noexec: %s; "
	     "types defined there are read by known layouts"},
	};
	char files[MESSAGE], message[MESSAGE + 256];

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		uint64_t n = name_files(images, kinds[i].status, files, sizeof files);

		if (!n)
			continue;
		const char *hole = strstr(kinds[i].format, "%s");
		snprintf(message, sizeof message, "%.*s%s%s", (int)(hole - kinds[i].format),
		         kinds[i].format, files, hole + 2);
		add_caveat(j, kinds[i].kind, n, 0, message);
	}
}

static void add_caveats(struct rme_json *j, const struct ud_report *r)
{
	const struct ud_status *status = r->place->status;
	char message[256];

	add_file_caveats(j, r->images);
	if (!r->target->has_mappings)
		add_caveat(
		    j, RME_CAVEAT_NO_FILE_LIST, 1, 0,
		    "the core does not name the files that the process had mapped: only those "
		    "whose build-id is found below py-config binaries DIR are used");
	if (r->rights_kept)
		add_caveat(j, RME_CAVEAT_NOT_CONFINED, 0, 0, r->rights_kept);
	if (r->target->truncated) {
		snprintf(message, sizeof message,
		         "the core is cut off: %" PRIu64 " bytes of memory are not in the file",
		         r->target->truncated);
		add_caveat(j, RME_CAVEAT_TRUNCATED_CORE, r->target->truncated, 0, message);
	}
	if (status->n_failed) {
		snprintf(message, sizeof message, "%u pieces of memory could not be mapped: %s",
		         status->n_failed, strerror((int)-status->error));
		add_caveat(j, RME_CAVEAT_UNREADABLE, status->n_failed, status->failed, message);
	}
	if (r->outcome->n_unreadable) {
		snprintf(message, sizeof message, "%" PRIu64 " pages of memory could not be read",
		         r->outcome->n_unreadable);
		add_caveat(j, RME_CAVEAT_UNREADABLE, r->outcome->n_unreadable, 0, message);
	}
}

static void add_undump(struct rme_json *j, const struct ud_report *r)
{
	rme_json_open(j, "undump");
	rme_json_signed(j, "pid", r->target->pid);
	rme_json_unsigned(j, "lwp", r->request->data->lwp);
	rme_json_signed(j, "signal", r->target->signal);
	rme_json_unsigned(j, "threads", r->target->n_threads);
	rme_json_unsigned(j, "max_rss", r->outcome->max_rss);
	rme_json_unsigned(j, "faults", r->outcome->n_faults);
	rme_json_array(j, "binaries");
	for (size_t i = 0; i < r->images->count; i++)
		add_binary(j, &r->images->items[i]);
	rme_json_array_end(j);
	rme_json_open(j, "missing");
	rme_json_unsigned(j, "ranges", r->plan->missing.count);
	rme_json_unsigned(j, "bytes", ud_ranges_bytes(&r->plan->missing));
	rme_json_close(j);
	rme_json_array(j, "caveats");
	add_caveats(j, r);
	rme_json_array_end(j);
	rme_json_close(j);
}

/* Each byte of a path takes six characters at worst, twice: in the list and in a
 * caveat. */
static size_t capacity_for(const struct ud_images *images)
{
	size_t n = 16 * MESSAGE * 6;

	for (size_t i = 0; i < images->count; i++) {
		const struct ud_image *image = &images->items[i];

		n += 1024 + 6 * ((image->path ? strlen(image->path) : 0) +
		                 (image->file ? strlen(image->file) : 0));
	}
	return n;
}

static void frame(uint64_t size, bool framed)
{
	if (framed)
		fwrite(&size, sizeof size, 1, stdout);
}

void ud_report_error(const struct rme_error *error, bool framed)
{
	char text[8192];
	struct rme_buffer out = {.data = text, .capacity = sizeof text};
	struct rme_json j = {.out = &out};

	rme_json_open(&j, NULL);
	rme_json_open(&j, "error");
	rme_json_string(&j, "kind", rme_error_word(error->kind));
	rme_json_string(&j, "message", error->message);
	rme_json_close(&j);
	rme_json_close(&j);
	frame(out.size + 1, framed);
	fwrite(text, 1, out.size, stdout);
	putchar('\n');
}

/* Has the object a member "error" of its own? */
static bool is_failure(const char *reply, size_t n)
{
	static const char key[] = "\"error\":";
	int depth = 0;

	for (size_t i = 0; i < n; i++) {
		if (reply[i] == '{' || reply[i] == '[')
			depth++;
		else if (reply[i] == '}' || reply[i] == ']')
			depth--;
		if (reply[i] != '"')
			continue;
		if (depth == 1 && n - i >= sizeof key && !memcmp(reply + i, key, sizeof key - 1))
			return true;
		for (i++; i < n && reply[i] != '"'; i++)
			i += reply[i] == '\\';
	}
	return false;
}

bool ud_report_answer(const struct ud_report *report, bool framed)
{
	const char *reply = report->place->reply;
	size_t size = report->outcome->reply_size - 1;
	size_t capacity = capacity_for(report->images);
	struct rme_buffer out = {.data = ud_must(malloc(capacity)), .capacity = capacity};
	struct rme_json j = {.out = &out, .need_comma = size > 1};

	add_undump(&j, report);
	/* The reply without its closing brace, then one more member. */
	frame(size + out.size + 2, framed);
	fwrite(reply, 1, size, stdout);
	fwrite(out.data, 1, out.size, stdout);
	fputs("}\n", stdout);
	free(out.data);
	return !is_failure(reply, size);
}
