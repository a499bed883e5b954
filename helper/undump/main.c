/* rememberme-undump: answers a question about the core of a CPython process, or
 * about a stopped one, by becoming that process in a sandbox and running the helper
 * library there.
 *
 *     rememberme-undump --library librememberme.so --request FILE
 *             (--core FILE | --pid N [--mem FD])
 *             [--map PATHINCORE=FILE]... [--file FILE]... [--search DIR]... [--lwp N]
 *             [--progress FD] [--kept FD] [--cpu SECONDS] [--memory BYTES] [--reply-max BYTES]
 *             [--eager]
 *
 * The request is a struct rme_request (rememberme.h). Standard output gets one JSON
 * object: the helper's reply with a member "undump" added, or {"error":…}. Status 0:
 * an answer; 1: an error object; 2: a wrong command line. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "undump/cancel.h"
#include "undump/report.h"
#include "undump/rights.h"

enum { DEFAULT_CPU = 3600, DEFAULT_REPLY = 256 << 20 };

struct options {
	const char *library;
	const char *request;
	const char *core;
	uint64_t pid;
	uint64_t memory_fd;
	uint64_t lwp;
	uint64_t reply_max;
	struct ud_limits limits;
	struct ud_search search;
	const char *rights_kept; /* ud_rights.kept */
};

/* Most of what the system could give without driving out others. */
static uint64_t available_memory(void)
{
	unsigned long long kib;
	uint64_t bytes = UINT64_MAX;
	char line[128];
	FILE *file = fopen("/proc/meminfo", "re");

	while (file && fgets(line, sizeof line, file)) {
		if (sscanf(line, "MemAvailable: %llu", &kib) == 1)
			bytes = kib * 1024 / 10 * 9;
	}
	if (file)
		fclose(file);
	return bytes;
}

static bool parse_number(const char *text, uint64_t *ret)
{
	char *end;

	*ret = strtoull(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end;
}

static bool parse_options(struct options *o, int argc, char **argv, struct rme_error *error)
{
	static const struct option options[] = {
	    {"library", required_argument, NULL, 'l'},   {"request", required_argument, NULL, 'r'},
	    {"core", required_argument, NULL, 'c'},      {"pid", required_argument, NULL, 'p'},
	    {"mem", required_argument, NULL, 'm'},       {"map", required_argument, NULL, 'f'},
	    {"search", required_argument, NULL, 's'},    {"lwp", required_argument, NULL, 't'},
	    {"progress", required_argument, NULL, 'g'},  {"kept", required_argument, NULL, 'k'},
	    {"cpu", required_argument, NULL, 'u'},       {"memory", required_argument, NULL, 'y'},
	    {"reply-max", required_argument, NULL, 'x'}, {"eager", no_argument, NULL, 'e'},
	    {"file", required_argument, NULL, 'b'},      {NULL, 0, NULL, 0},
	};
	uint64_t n;
	int c, index;

	o->memory_fd = UINT64_MAX;
	o->limits = (struct ud_limits){DEFAULT_CPU, available_memory(), -1, 0, false, false};
	o->reply_max = DEFAULT_REPLY;
	o->search.maps = ud_must(calloc((size_t)argc, sizeof(char *)));
	o->search.directories = ud_must(calloc((size_t)argc, sizeof(char *)));
	o->search.files = ud_must(calloc((size_t)argc, sizeof(char *)));
	opterr = 0;
	while ((c = getopt_long(argc, argv, "", options, &index)) != -1) {
		bool ok = true;

		switch (c) {
		case 'l':
			o->library = optarg;
			break;
		case 'r':
			o->request = optarg;
			break;
		case 'c':
			o->core = optarg;
			break;
		case 'p':
			ok = parse_number(optarg, &o->pid) && o->pid && o->pid <= INT32_MAX;
			break;
		case 'm':
			ok = parse_number(optarg, &o->memory_fd) && o->memory_fd <= INT32_MAX;
			break;
		case 'f':
			ok = strchr(optarg, '=') != NULL;
			o->search.maps[o->search.n_maps++] = optarg;
			break;
		case 'b':
			o->search.files[o->search.n_files++] = optarg;
			break;
		case 's':
			o->search.directories[o->search.n_directories++] = optarg;
			break;
		case 't':
			ok = parse_number(optarg, &o->lwp);
			break;
		case 'g':
			ok = parse_number(optarg, &n) && n <= INT32_MAX;
			o->limits.progress = (int)n;
			break;
		case 'k':
			ok = parse_number(optarg, &n) && n > STDERR_FILENO && n < INT32_MAX;
			o->limits.kept = (int)n;
			break;
		case 'u':
			ok = parse_number(optarg, &o->limits.cpu_seconds);
			break;
		case 'y':
			ok = parse_number(optarg, &o->limits.memory);
			break;
		case 'x':
			ok = parse_number(optarg, &o->reply_max) && o->reply_max >= UD_PAGE &&
			     o->reply_max <= 1ull << 36;
			break;
		case 'e':
			o->limits.eager = true;
			break;
		default:
			return ud_fail(error, RME_ERROR_USAGE,
			               "unknown option, or no value for it: %s", argv[optind - 1]);
		}
		if (!ok)
			return ud_fail(error, RME_ERROR_USAGE, "--%s cannot be %s",
			               options[index].name, optarg);
	}
	if (optind < argc)
		return ud_fail(error, RME_ERROR_USAGE, "unexpected argument: %s", argv[optind]);
	if (!o->library || !o->request || !o->core == !o->pid)
		return ud_fail(error, RME_ERROR_USAGE,
		               "wanted: --library, --request, and either --core or --pid");
	return true;
}

static bool answer(struct options *o, const struct ud_target *target, bool *ret_is_answer,
                   struct rme_error *error)
{
	struct ud_request request = {0};
	struct ud_images images = {0};
	struct ud_plan plan = {0};
	struct ud_blob library = {0};
	struct ud_place place;
	struct ud_outcome outcome;
	struct ud_report report = {target, &images,  &plan,         &request,
	                           &place, &outcome, o->rights_kept};
	bool ok = false;

	if (!ud_request_read(&request, o->request, error) ||
	    !ud_blob_open(&library, o->library, error))
		goto out;
	ud_images_find(&images, target, &o->search);
	if (ud_cancelled()) {
		ud_fail(error, RME_ERROR_CANCELLED, "cancelled");
		goto out;
	}
	ud_plan_make(&plan, target, &images);
	ok = ud_request_complete(&request, target, &images, &plan, o->lwp, error) &&
	     ud_place_make(&place, &plan, &request, &library, o->reply_max, error) &&
	     ud_child_run(&place, target, &plan, &o->limits, &outcome, error);
	if (ok)
		*ret_is_answer = ud_report_answer(&report);
out:
	ud_blob_close(&library);
	ud_plan_free(&plan);
	ud_images_free(&images);
	ud_request_free(&request);
	return ok;
}

int main(int argc, char **argv)
{
	struct options o = {0};
	struct rme_error error = {0};
	struct ud_target target = {.fd = -1};
	struct rlimit files;
	bool is_answer = false;

	ud_signals_block();
	if (!parse_options(&o, argc, argv, &error)) {
		ud_report_error(&error);
		fprintf(stderr, "rememberme-undump: %s\n", error.message);
		return 2;
	}
	/* One descriptor for each file of the core. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	o.search.pid = (long long)o.pid;
	struct ud_rights rights = ud_rights_give_up();
	o.limits.filtered = rights.filtered_before;
	o.rights_kept = rights.kept;
	bool opened = o.core ? ud_core_open(&target, o.core, &error)
	                     : ud_live_open(&target, (int64_t)o.pid, (int)o.memory_fd, &error);
	if (!opened || !answer(&o, &target, &is_answer, &error))
		ud_report_error(&error);
	ud_target_close(&target);
	ud_search_free(&o.search);
	fflush(stdout);
	return is_answer ? 0 : 1;
}
