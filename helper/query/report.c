#include "cpython/holds.h"
#include "cpython/type_name.h"
#include "query/whole.h"
#include "reply/kinds.h"

enum { MAX_NAME = 512 };

void rme_report_bytes(struct rme_query_ctx *ctx, const struct rme_size *size)
{
	rme_json_unsigned(&ctx->json, "size", size->bytes);
	/* No figure is not 0. */
	if (ctx->allocated && (size->second || !size->bytes))
		rme_json_unsigned(&ctx->json, "allocated", size->second);
	else if (ctx->allocated)
		rme_json_null(&ctx->json, "allocated");
}

void rme_report_size(struct rme_query_ctx *ctx, const struct rme_size *size)
{
	rme_report_bytes(ctx, size);
	rme_json_unsigned(&ctx->json, "objects", size->objects);
	rme_json_unsigned(&ctx->json, "size_without_classes", size->bytes_first);
}

static void mapped(struct rme_json *j, const char *key, uint64_t objects, uint64_t bytes)
{
	rme_json_open(j, key);
	rme_json_unsigned(j, "objects", objects);
	rme_json_unsigned(j, "bytes", bytes);
	rme_json_close(j);
}

void rme_report_mapped(struct rme_query_ctx *ctx, const struct rme_mapped *before)
{
	const struct rme_mapped *m = &ctx->doubts.mapped;

	rme_json_open(&ctx->json, "mapped");
	mapped(&ctx->json, "files", m->n_files - before->n_files,
	       m->file_bytes - before->file_bytes);
	mapped(&ctx->json, "anonymous", m->n_anonymous - before->n_anonymous,
	       m->anonymous_bytes - before->anonymous_bytes);
	rme_json_close(&ctx->json);
}

void rme_report_type(struct rme_query_ctx *ctx, const char *key, rme_addr type)
{
	char name[MAX_NAME];
	struct rme_buffer text = {name, sizeof name, 0, false};
	struct rme_guard guard;

	if (RME_GUARD(ctx->guards, &guard)) {
		rme_type_name_append(&ctx->py, type, &text);
		rme_guard_pop(ctx->guards, &guard);
	}
	rme_json_text(&ctx->json, key, name, text.size);
}

void rme_report_identity(struct rme_query_ctx *ctx, rme_addr object)
{
	struct rme_guard guard;
	volatile rme_addr type = 0;
	volatile uint64_t own = 0, allocated = 0;

	if (RME_GUARD(ctx->guards, &guard)) {
		struct rme_type *t = rme_type_get(&ctx->py, rme_type_of(&ctx->py, object));
		if (t) {
			type = t->address;
			/* It was counted already, as an estimate too, if it is one. */
			uint64_t n_estimated = t->n_estimated;
			own = rme_size_of(&ctx->py, t, object);
			t->n_estimated = n_estimated;
			if (ctx->allocated)
				allocated = rme_allocated_of(&ctx->py, t, object, own);
		}
		rme_guard_pop(ctx->guards, &guard);
	}
	rme_json_address(&ctx->json, "address", object);
	if (type)
		rme_report_type(ctx, "type", type);
	else
		rme_json_null(&ctx->json, "type");
	rme_json_unsigned(&ctx->json, "own_size", own);
	if (ctx->allocated)
		rme_json_unsigned(&ctx->json, "own_allocated", allocated);
}

void rme_report_object(struct rme_query_ctx *ctx, rme_addr object, const struct rme_size *size)
{
	rme_report_identity(ctx, object);
	rme_report_size(ctx, size);
}

void rme_report_frame(struct rme_query_ctx *ctx, const struct rme_python_thread *thread,
                      const struct rme_frame *frame)
{
	struct rme_json *j = &ctx->json;
	char name[4096];
	struct rme_buffer text = {name, sizeof name, 0, false};
	struct rme_guard guard;

	if (thread->number)
		rme_json_unsigned(j, "thread", thread->number);
	else
		rme_json_null(j, "thread");
	rme_json_unsigned(j, "frame", frame->index);
	if (RME_GUARD(ctx->guards, &guard)) {
		rme_frame_function_append(&ctx->py, frame, &text);
		rme_guard_pop(ctx->guards, &guard);
	}
	rme_json_text(j, "function", name, text.size);
	text.size = 0;
	if (RME_GUARD(ctx->guards, &guard)) {
		rme_frame_file_append(&ctx->py, frame, &text);
		rme_guard_pop(ctx->guards, &guard);
	}
	rme_json_text(j, "file", name, text.size);
	if (frame->line >= 0)
		rme_json_signed(j, "line", frame->line);
	else
		rme_json_null(j, "line");
}

/* One caveat: the sentence is the count unless 0, `before`, the type's name if there is a
 * type, `after`. */
static void caveat(struct rme_query_ctx *ctx, enum rme_caveat_kind kind, rme_addr type, uint64_t n,
                   rme_addr example, const char *before, const char *after)
{
	struct rme_json *j = &ctx->json;
	char sentence[MAX_NAME + 512];
	struct rme_buffer text = {sentence, sizeof sentence, 0, false};
	struct rme_guard guard;

	rme_json_open(j, NULL);
	rme_json_string(j, "kind", rme_caveat_word(kind));
	if (type)
		rme_report_type(ctx, "type", type);
	else
		rme_json_null(j, "type");
	rme_json_unsigned(j, "count", n);
	if (example)
		rme_json_address(j, "address", example);
	else
		rme_json_null(j, "address");
	if (n)
		rme_buffer_unsigned(&text, n);
	rme_buffer_text(&text, before);
	if (type && RME_GUARD(ctx->guards, &guard)) {
		rme_type_name_append(&ctx->py, type, &text);
		rme_guard_pop(ctx->guards, &guard);
	}
	rme_buffer_text(&text, after);
	rme_json_text(j, "message", sentence, text.size);
	rme_json_close(j);
}

/* A reference that leads nowhere, with who has it, as far as that is known. */
static void reference_caveat(struct rme_query_ctx *ctx, enum rme_caveat_kind kind, uint64_t n,
                             rme_addr example, rme_addr holder, const char *what)
{
	struct rme_json *j = &ctx->json;
	char sentence[MAX_NAME + 1024], place[MAX_NAME];
	struct rme_buffer text = {sentence, sizeof sentence, 0, false};
	struct rme_buffer label = {place, sizeof place, 0, false};
	struct rme_guard guard;

	rme_buffer_unsigned(&text, n);
	rme_buffer_text(&text, what);
	rme_buffer_text(&text, "; they are left out. ");
	rme_buffer_hex(&text, example);
	if (holder && RME_GUARD(ctx->guards, &guard)) {
		rme_buffer_text(&text, " is held by ");
		rme_type_name_append(&ctx->py, rme_type_of(&ctx->py, holder), &text);
		rme_buffer_text(&text, " at ");
		rme_buffer_hex(&text, holder);
		rme_guard_pop(ctx->guards, &guard);
		rme_hold_append(&ctx->py, holder, example, &label);
		if (label.size) {
			rme_buffer_text(&text, " as ");
			rme_buffer_bytes(&text, place, label.size);
		}
	} else {
		rme_buffer_text(&text, " is one: py-referrers tells who holds it");
	}
	rme_json_open(j, NULL);
	rme_json_string(j, "kind", rme_caveat_word(kind));
	rme_json_null(j, "type");
	rme_json_unsigned(j, "count", n);
	rme_json_address(j, "address", example);
	if (holder) {
		rme_json_address(j, "holder", holder);
		if (label.size)
			rme_json_text(j, "label", place, label.size);
		else
			rme_json_null(j, "label");
	}
	rme_json_text(j, "message", sentence, text.size);
	rme_json_close(j);
}

static void type_caveats(struct rme_query_ctx *ctx, struct rme_type *t)
{
	if (t->n_faults)
		caveat(
		    ctx,
		    t->slow    ? RME_CAVEAT_SLOW
		    : t->calls ? RME_CAVEAT_SYSTEM_CALL
			       : RME_CAVEAT_FAULT,
		    t->address, t->n_faults, t->example,
		    t->slow || t->calls ? " object(s) of type " : " damaged object(s) of type ",
		    t->slow ? ": their own code (tp_traverse) took too long (py-config watchdog); "
			      "they and what only they reach are left out"
		    : t->calls ? ": their own code (tp_traverse) made a system call, which it may "
				 "not; they and what only they reach are left out"
			       : ": reading them faulted; they and what only they reach are "
				 "left out");
	if (t->n_estimated)
		caveat(ctx, RME_CAVEAT_ESTIMATED_SIZE, t->address, t->n_estimated, t->example,
		       " object(s) of type ",
		       t->size_by == RME_SIZEOF_PYTHON
		           ? ": their __sizeof__ is written in Python and was not run; the basic "
		             "size is counted"
		           : ": their own __sizeof__ is not known here; the basic size is counted");
	if (t->n_inferred)
		caveat(
		    ctx, RME_CAVEAT_INFERRED_REFERENCES, t->address, t->n_inferred, t->example,
		    " object(s) of type ",
		    ": the code that knows their references is not available; they were inferred "
		    "from the memory of the object");
}

static void mapping_caveat(struct rme_query_ctx *ctx, enum rme_caveat_kind kind, uint64_t n,
                           rme_addr example, uint64_t bytes, const char *what)
{
	struct rme_json *j = &ctx->json;
	char sentence[512];
	struct rme_buffer text = {sentence, sizeof sentence, 0, false};

	rme_buffer_unsigned(&text, n);
	rme_buffer_text(&text, what);
	rme_buffer_unsigned(&text, bytes);
	rme_buffer_text(&text, " bytes, which are no heap and in no size");
	rme_json_open(j, NULL);
	rme_json_string(j, "kind", rme_caveat_word(kind));
	rme_json_string(j, "type", "mmap.mmap");
	rme_json_unsigned(j, "count", n);
	rme_json_unsigned(j, "bytes", bytes);
	rme_json_address(j, "address", example);
	rme_json_text(j, "message", sentence, text.size);
	rme_json_close(j);
}

static void mapping_caveats(struct rme_query_ctx *ctx)
{
	const struct rme_mapped *m = &ctx->doubts.mapped;

	if (ctx->request->query == RME_QUERY_WHY || ctx->request->query == RME_QUERY_REFERRERS)
		return; /* they tell of no sizes */
	if (m->n_files)
		mapping_caveat(
		    ctx, RME_CAVEAT_FILE_BACKED, m->n_files, m->file, m->file_bytes,
		    " mmap object(s), as numpy.memmap has, map files or shared memory: ");
	if (m->n_anonymous)
		mapping_caveat(ctx, RME_CAVEAT_ANONYMOUS_MAPPING, m->n_anonymous, m->anonymous,
		               m->anonymous_bytes, " mmap object(s) map anonymous memory: ");
}

struct next {
	rme_addr after;
	struct rme_type *type;
};

static void find_next(void *arg, struct rme_type *t)
{
	struct next *next = arg;

	if ((t->n_faults | t->n_estimated | t->n_inferred) && t->address > next->after &&
	    (!next->type || t->address < next->type->address))
		next->type = t;
}

/* By address: the order of the table depends on which type was met first. */
static void caveats_of_types(struct rme_query_ctx *ctx)
{
	for (struct next next = {0};; next = (struct next){next.type->address, NULL}) {
		rme_types_each(&ctx->py, find_next, &next);
		if (!next.type)
			break;
		type_caveats(ctx, next.type);
	}
}

static void native_caveats(struct rme_query_ctx *ctx)
{
	const struct rme_native_doubts *d = &ctx->doubts.native;

	if (d->n_damaged)
		caveat(ctx, RME_CAVEAT_DAMAGED_HEAP, 0, d->n_damaged, d->damaged,
		       " piece(s) of the allocators' memory are damaged, or were being changed",
		       ": blocks there are left out, up to where they can be told again");
	if (d->n_bytes_lost)
		caveat(ctx, RME_CAVEAT_MALLOC_BYTES, 0, d->n_bytes_lost, 0,
		       " bytes that malloc says it took from the system",
		       " were not found in its arenas");
	if (d->n_mapped_lost)
		caveat(ctx, RME_CAVEAT_MALLOC_MAPPINGS, 0, d->n_mapped_lost, 0,
		       " large block(s) that malloc counts", " were not found among the mappings");
	if (d->no_arenas)
		caveat(ctx, RME_CAVEAT_NO_ARENAS, 0, 0, 0,
		       "CPython's own small blocks were not found",
		       ": what they point to is told of other memory");
	if (d->exhausted)
		caveat(ctx, RME_CAVEAT_OUT_OF_MEMORY, 0, 0, 0, "there was no room for all blocks",
		       ": the figures of native memory are too low");
}

void rme_report_caveats(struct rme_query_ctx *ctx)
{
	struct rme_json *j = &ctx->json;
	const struct rme_doubts *d = &ctx->doubts;

	rme_json_string(j, "references", ctx->owned ? "owned" : "traverse");
	rme_json_string(j, "classes", ctx->classes ? "on" : "off");
	rme_json_array(j, "caveats");
	if (d->n_corrupt)
		reference_caveat(ctx, RME_CAVEAT_CORRUPT_REFERENCE, d->n_corrupt, d->corrupt,
		                 d->corrupt_holder,
		                 " reference(s) lead to memory that holds no object");
	if (d->n_freed)
		reference_caveat(ctx, RME_CAVEAT_FREED_OBJECT, d->n_freed, d->freed,
		                 d->freed_holder,
		                 " reachable object(s) have no valid reference count (freed?)");
	caveats_of_types(ctx);
	mapping_caveats(ctx);
	native_caveats(ctx);
	if (ctx->allocated && ctx->py.no_pymalloc)
		caveat(ctx, RME_CAVEAT_ALLOCATOR, 0, 0, 0,
		       "small blocks are not CPython's own allocator's here (PYTHONMALLOC, -X dev)",
		       ": what was allocated is told as glibc's malloc gives it, and without the "
		       "margins of debug hooks");
	if (ctx->over_budget)
		caveat(ctx, RME_CAVEAT_NOT_ALL_RANKED, 0, 0, 0,
		       "there are too many references to measure each",
		       ": the sizes shown are exact, but a larger object may stand among the rest");
	if (ctx->cut)
		caveat(ctx, RME_CAVEAT_CUT_TREE, 0, 0, 0, "the tree is too large to be drawn whole",
		       ": after 20,000 nodes the children of others are only counted; a smaller "
		       "--depth or --limit shows less "
		       "of each and more of all");
	if (ctx->n_no_room)
		caveat(
		    ctx, RME_CAVEAT_NO_ROOM, 0, ctx->n_no_room, 0,
		    " variable(s), frame(s), references or roots are more than there is room for",
		    ": they are left out, so what only they lead to is missing");
	if (ctx->n_unmeasured)
		caveat(ctx, RME_CAVEAT_UNMEASURED_FRAMES, 0, ctx->n_unmeasured, 0,
		       " frame(s) were not measured one by one",
		       ": together the frames before them reach too much; py-memory --frame N "
		       "measures one");
	if (ctx->lists == RME_LISTS_BROKEN)
		caveat(ctx, RME_CAVEAT_BROKEN_LIST, 0, 0, 0,
		       "a list of the garbage collector is not linked as it should be",
		       " (damaged, or just being changed): objects that only it has may be left "
		       "out");
	if (ctx->lists == RME_LISTS_AT_WORK)
		caveat(ctx, RME_CAVEAT_COLLECTING, 0, 0, 0, "the garbage collector is at work",
		       ": its lists are incomplete now, so objects that only C code holds may be "
		       "left out");
	if (ctx->walk.exhausted)
		caveat(ctx, RME_CAVEAT_OUT_OF_MEMORY, 0, 0, 0, "the walk ran out of address space",
		       ": the figures are too low");
	rme_json_array_end(j);
}
