/* rememberme-undump: answers a question about the core of a CPython process, or
 * about a stopped one, by becoming that process in a sandbox and running the helper
 * library there.
 *
 *     rememberme-undump --library librememberme.so (--request FILE | --serve)
 *             (--core FILE | --pid N [--mem FD])
 *             [--map PATHINCORE=FILE]... [--file FILE]... [--search DIR]... [--lwp N]
 *             [--progress FD] [--cpu SECONDS] [--watchdog MS] [--memory BYTES] [--reply-max BYTES]
 *             [--eager]
 *
 * The request is a struct rme_request (rememberme.h). Standard output gets one JSON
 * object: the helper's reply with a member "undump" added, or {"error":…}. Status 0:
 * an answer; 1: an error object; 2: a wrong command line.
 *
 * With --serve requests come on standard input and answers go to standard output, each
 * behind its size in eight bytes, until the input ends. SIGINT cancels a question, SIGTERM ends
 * the program. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "undump/cancel.h"
#include "undump/report.h"
#include "undump/rights.h"

enum { DEFAULT_CPU = 3600, DEFAULT_WATCHDOG = 1000, DEFAULT_REPLY = 256 << 20 };

struct options {
	const char *library;
	const char *request;
	const char *core;
	uint64_t pid;
	uint64_t memory_fd;
	uint64_t lwp;
	uint64_t reply_max;
	bool serves;
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
	    {"library", required_argument, NULL, 'l'},
	    {"request", required_argument, NULL, 'r'},
	    {"core", required_argument, NULL, 'c'},
	    {"pid", required_argument, NULL, 'p'},
	    {"mem", required_argument, NULL, 'm'},
	    {"map", required_argument, NULL, 'f'},
	    {"search", required_argument, NULL, 's'},
	    {"lwp", required_argument, NULL, 't'},
	    {"progress", required_argument, NULL, 'g'},
	    {"serve", no_argument, NULL, 'v'},
	    {"cpu", required_argument, NULL, 'u'},
	    {"memory", required_argument, NULL, 'y'},
	    {"reply-max", required_argument, NULL, 'x'},
	    {"eager", no_argument, NULL, 'e'},
	    {"watchdog", required_argument, NULL, 'd'},
	    {"file", required_argument, NULL, 'b'},
	    {NULL, 0, NULL, 0},
	};
	uint64_t n;
	int c, index;

	o->memory_fd = UINT64_MAX;
	o->limits =
	    (struct ud_limits){DEFAULT_CPU, available_memory(), -1, false, false, DEFAULT_WATCHDOG};
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
		case 'd':
			ok = parse_number(optarg, &n) && n <= UINT32_MAX;
			o->limits.object_ms = (uint32_t)n;
			break;
		case 'v':
			o->serves = true;
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
	if (!o->library || !o->request == !o->serves || !o->core == !o->pid)
		return ud_fail(
		    error, RME_ERROR_USAGE,
		    "wanted: --library, either --request or --serve, and either --core or --pid");
	return true;
}

/* What there is once, however many questions are asked. */
struct image {
	struct options *options;
	const struct ud_target *target;
	struct ud_blob library;
	struct ud_images images;
	struct ud_plan plan;
	struct ud_place place;
	struct ud_child child;
	bool begun;
};

static bool begin(struct image *i, struct rme_error *error)
{
	struct options *o = i->options;

	if (!ud_blob_open(&i->library, o->library, error))
		return false;
	ud_images_find(&i->images, i->target, &o->search);
	if (ud_cancelled())
		return ud_fail(error, RME_ERROR_CANCELLED, "cancelled");
	ud_plan_make(&i->plan, i->target, &i->images);
	if (!ud_place_make(&i->place, &i->plan, &i->library, o->reply_max, error))
		return false;
	i->place.block->object_ms = o->limits.object_ms;
	i->begun = true;
	return ud_child_start(&i->child, &i->place, i->target, &i->plan, &o->limits, error);
}

static bool answer(struct image *i, struct ud_request *request, bool *ret_is_answer,
                   struct rme_error *error)
{
	struct ud_outcome outcome;
	struct ud_report report = {
	    i->target, &i->images, &i->plan, request, &i->place, &outcome, i->options->rights_kept};

	if ((!i->begun && !begin(i, error)) ||
	    !ud_request_complete(request, i->target, &i->images, &i->plan, i->options->lwp,
	                         error) ||
	    !ud_place_ask(&i->place, request, error) || !ud_child_ask(&i->child, &outcome, error))
		return false;
	*ret_is_answer = ud_report_answer(&report, i->options->serves);
	return true;
}

/* False when there will be no more answers: the error is reported. */
static bool serve_one(struct image *i)
{
	struct ud_request request = {0};
	struct rme_error error = {0};
	bool is_answer, ok;

	ok = ud_request_receive(&request, STDIN_FILENO, &error) &&
	     answer(i, &request, &is_answer, &error);
	if (!ok && error.kind)
		ud_report_error(&error, true);
	fflush(stdout);
	ud_request_free(&request);
	return ok && !ferror(stdout);
}

static bool run(struct image *i, bool *ret_is_answer, struct rme_error *error)
{
	struct ud_request request = {0};
	bool ok = ud_request_read(&request, i->options->request, error) &&
	          answer(i, &request, ret_is_answer, error);

	ud_request_free(&request);
	return ok;
}

static void end(struct image *i)
{
	if (i->begun)
		ud_child_end(&i->child);
	ud_blob_close(&i->library);
	ud_plan_free(&i->plan);
	ud_images_free(&i->images);
}

int main(int argc, char **argv)
{
	struct options o = {0};
	struct rme_error error = {0};
	struct ud_target target = {.fd = -1};
	struct rlimit files;
	bool is_answer = false;

	ud_signals_block();
	struct image image = {.options = &o, .target = &target};
	if (!parse_options(&o, argc, argv, &error)) {
		ud_report_error(&error, false);
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
	if (!opened || (!o.serves && !run(&image, &is_answer, &error)))
		ud_report_error(&error, o.serves);
	while (opened && o.serves && serve_one(&image) && ud_child_idle(&image.child, STDIN_FILENO))
		is_answer = true;
	end(&image);
	ud_target_close(&target);
	ud_search_free(&o.search);
	fflush(stdout);
	return is_answer ? 0 : 1;
}
