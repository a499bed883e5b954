#include "cpython/boot.h"

#include "cpython/dict.h"
#include "cpython/discover.h"
#include "cpython/object.h"
#include "cpython/type.h"
#include "cpython/type_name.h"
#include "runtime/image.h"

enum { MAX_IMAGES = 65536, MAX_THREADS = 100000, MAX_STATIC_TYPES = 200 };
enum { MINOR_FIRST = 8, MINOR_WITH_COOKIE = 13 };

/* Symbol number `i`, its name and where it goes; false past the last. */
static bool symbol_at(struct rme_symbols *sym, unsigned i, const char **name, rme_addr **ret)
{
	unsigned n = 0;

#define SYMBOL(member, text)                                                                       \
	if (i == n++) {                                                                            \
		*name = text;                                                                      \
		*ret = &sym->member;                                                               \
		return true;                                                                       \
	}
#include "cpython/symbols.def"
#undef SYMBOL
	return false;
}

/* Takes over what the image defines; false when it is not CPython's, which is told by a
 * function: those are never copied. An executable that refers to CPython's data holds
 * copies of it (copy relocations), and those are the ones in use: `copies`. */
static bool symbols_from(struct rme_symbols *sym, const struct rme_image_symbols *image,
                         bool copies)
{
	const char *name;
	rme_addr *slot;

	if (!copies && !rme_image_lookup(image, "Py_IsInitialized"))
		return false;
	for (unsigned i = 0; symbol_at(sym, i, &name, &slot); i++) {
		rme_addr found = rme_image_lookup(image, name);
		if (found)
			*slot = found;
	}
	return sym->type != 0;
}

static bool symbols_of(struct rme_python *py, const struct rme_image *image, bool copies)
{
	struct rme_image_symbols symbols;
	struct rme_guard guard;
	volatile bool found = false;

	if (RME_GUARD(py->guards, &guard)) {
		if (rme_image_open(&symbols, image->base, image->end))
			found = symbols_from(&py->sym, &symbols, copies);
		rme_guard_pop(py->guards, &guard);
	}
	return found;
}

/* The library is the image that has them all; the executable is the first image. */
static bool find_symbols(struct rme_python *py)
{
	const struct rme_request *r = py->request;
	const struct rme_image *images = (const void *)((const char *)r + r->images.offset);

	for (uint32_t i = 0; i < r->images.count && i < MAX_IMAGES; i++)
		if (symbols_of(py, &images[i], false)) {
			if (i > 0)
				symbols_of(py, &images[0], true);
			return true;
		}
	return false;
}

/* The version from the debuggee's own data: Py_Version since 3.11; before, by what
 * each minor release was the first to export. The micro version follows later. */
static uint32_t find_version(const struct rme_python *py)
{
	/* 3.13+: in writable data, which is in every core, as Py_Version is not. */
	uint32_t version = py->sym.runtime ? rme_discover_version(py->sym.runtime) : 0;

	if (version)
		return version;
	if (py->sym.version)
		return rme_u32(py->sym.version);
	if (py->sym.pystring)
		return 0x02070000;
	if (!py->sym.runtime)
		return 0x03060000;
	if (py->sym.encoding_warning)
		return 0x030a0000;
	return py->sym.cmethod ? 0x03090000 : 0x03080000;
}

/* 3.7 exports what 3.8 does; PyType_Type's basic size tells them apart, as it does
 * every version whose heap type grew. */
static bool basicsizes_match(const struct rme_python *py)
{
	const struct rme_layout *l = py->layout;
	uint64_t basicsize = (uint64_t)l->type_basicsize;

	return rme_u64(py->sym.type + basicsize) == (uint64_t)l->heaptype_size &&
	       rme_u64(py->sym.dict + basicsize) == (uint64_t)l->dict_size &&
	       rme_u64(py->sym.tuple + basicsize) == (uint64_t)l->tuple_items &&
	       rme_u64(py->sym.generator + basicsize) ==
	           (l->gen_iframe == RME_ABSENT
	                ? (uint64_t)l->gen_size
	                : (uint64_t)(l->gen_iframe + l->iframe_localsplus)) &&
	       rme_type_of(py, py->sym.dict) == py->sym.type;
}

/* Since 3.13 _PyRuntime begins with where some fields are (pycore_debug_offsets.h): a table
 * that says otherwise is not of this build. */
static bool told_offsets_match(const struct rme_python *py)
{
	const struct rme_layout *l = py->layout;

#define TOLD(told, member)                                                                         \
	if (l->told != RME_ABSENT && rme_i64(py->sym.runtime + (uint64_t)l->told) != l->member)    \
		return false;
#include "cpython/told.def"
#undef TOLD
	return true;
}

/* Where the state of static types lies tells the end of the interpreter's structure, which
 * moves in patch releases: the entry of a type names it. */
static bool static_types_match(const struct rme_python *py, rme_addr interp)
{
	const struct rme_layout *l = py->layout;

	if (l->interp_static_types_builtins == RME_ABSENT)
		return true;
	uint64_t index = rme_u64(py->sym.dict + (uint64_t)l->type_subclasses) - 1;
	return index < MAX_STATIC_TYPES &&
	       rme_ptr(interp + (uint64_t)l->interp_static_types_builtins +
	               index * (uint64_t)l->statictype_size + (uint64_t)l->statictype_type) ==
	           py->sym.dict;
}

/* Do the runtime's fields make sense: interpreter and thread states that point back,
 * a sys.modules and a sys dict that are dicts? */
static bool runtime_matches(struct rme_python *py)
{
	const struct rme_layout *l = py->layout;
	rme_addr interp = rme_ptr(py->sym.runtime + (uint64_t)l->runtime_interpreters_main);

	if (l->interp_runtime != RME_ABSENT &&
	    rme_ptr(interp + (uint64_t)l->interp_runtime) != py->sym.runtime)
		return false;
	rme_addr thread = rme_ptr(interp + (uint64_t)l->interp_threads_head);
	for (int n = 0; thread && n < MAX_THREADS; n++) {
		if (rme_ptr(thread + (uint64_t)l->thread_interp) != interp)
			return false;
		thread = rme_ptr(thread + (uint64_t)l->thread_next);
	}
	/* The youngest generation's list is a ring: head->next->prev is the head. Inside
	 * 3.13 the lists moved by four bytes. */
	rme_addr gc = l->interp_gc == RME_ABSENT ? py->sym.runtime + (uint64_t)l->runtime_gc
	                                         : interp + (uint64_t)l->interp_gc;
	for (uint64_t i = 0; i < 3; i++) {
		rme_addr head =
		    gc + (uint64_t)l->gc_generations + i * (uint64_t)l->gc_generation_size;
		rme_addr next = rme_ptr(head) & ~3ull;
		bool collecting = rme_i32(gc + (uint64_t)l->gc_collecting);
		if (!collecting && (rme_ptr(next + 8) & ~3ull) != head)
			return false;
	}
	const int32_t dicts[] = {l->interp_modules, l->interp_sysdict, l->interp_builtins};
	for (unsigned i = 0; i < 3; i++) {
		rme_addr dict = rme_ptr(interp + (uint64_t)dicts[i]);
		if (!dict || !rme_is_a(py, dict, RME_DICT_SUBCLASS))
			return false;
	}
	py->interp = interp;
	return static_types_match(py, interp);
}

/* sys.hexversion, the interpreter's own word, for versions without Py_Version. False
 * when it is not of the minor version that was assumed. */
static bool read_hexversion(struct rme_python *py)
{
	struct rme_guard guard;
	volatile bool agrees = false;

	if (RME_GUARD(py->guards, &guard)) {
		rme_addr sysdict = rme_ptr(py->interp + (uint64_t)py->layout->interp_sysdict);
		rme_addr object = rme_dict_get_str(py, sysdict, "hexversion", 10);
		int64_t value;
		if (object && rme_int_value(py, object, &value) &&
		    (uint32_t)value >> 16 == py->version >> 16) {
			py->version = (uint32_t)value;
			agrees = true;
		}
		rme_guard_pop(py->guards, &guard);
	}
	return agrees;
}

/* Why no layout fits: not started yet, over already, or not what was expected. */
static void explain(struct rme_python *py, const struct rme_layout *l, struct rme_error *error)
{
	rme_addr runtime = py->sym.runtime;
	rme_addr interp = l ? rme_ptr(runtime + (uint64_t)l->runtime_interpreters_main) : 0;
	bool finalizing = l && rme_ptr(runtime + (uint64_t)l->runtime_finalizing);

	if (l && finalizing) {
		rme_error_set(error, RME_ERROR_FINALIZED,
		              "the Python interpreter of this process is shutting down or has shut "
		              "down: its modules are gone, there is nothing to measure");
		return;
	}
	if (l && (!interp || !rme_ptr(interp + (uint64_t)l->interp_builtins) ||
	          !rme_ptr(interp + (uint64_t)l->interp_threads_head))) {
		rme_error_set(error, RME_ERROR_NOT_INITIALIZED,
		              "the Python interpreter of this process is not running: it has not "
		              "been initialised yet, or has been finalised");
		return;
	}
	struct rme_buffer s = rme_error_begin(error, RME_ERROR_LAYOUT_MISMATCH, "this is Python ");
	rme_version_append(py->version, &s);
	rme_buffer_text(&s,
	                ", but its structures in memory are not those of any build of it that is "
	                "known here (a debug, free-threaded or patched build?)");
	rme_error_end(error, &s);
}

/* Which CPythons there are tables for. */
static void supported_append(struct rme_buffer *out)
{
	unsigned last = 0;

	while (rme_layout_at(last + 1))
		last++;
	rme_buffer_text(out, "release builds of CPython ");
	rme_version_append(rme_layout_at(0)->minor_first, out);
	rme_buffer_text(out, " to ");
	rme_version_append(rme_layout_at(last)->minor_last, out);
	rme_buffer_text(out, " with the GIL");
}

/* "this process runs ", `what`, its version unless that is 0, and what would do. */
static void unsupported(const char *what, uint32_t version, struct rme_error *error)
{
	struct rme_buffer s =
	    rme_error_begin(error, RME_ERROR_UNSUPPORTED_PYTHON, "this process runs ");

	rme_buffer_text(&s, what);
	if (version)
		rme_version_append(version, &s);
	rme_buffer_text(&s, "; ");
	supported_append(&s);
	rme_buffer_text(&s, " are supported");
	rme_error_end(error, &s);
}

/* Builds whose structures are others than those of the tables, told without any of their
 * fields: by the head of _PyRuntime, the same in every build since 3.13, and by a function
 * that only builds which check reference counts have (Py_DEBUG; Include/object.h). */
static bool other_build(struct rme_python *py, struct rme_error *error)
{
	rme_addr runtime = py->sym.runtime;
	uint32_t version = runtime ? rme_discover_version(runtime) : 0;

	if (version && rme_discover_free_threaded(runtime))
		unsupported("the free-threaded build of Python ", version, error);
	else if (py->sym.negative_refcount)
		unsupported("a debug build (Py_DEBUG) of Python ", find_version(py), error);
	else
		return false;
	return true;
}

static bool choose_layout(struct rme_python *py, struct rme_error *error)
{
	const struct rme_layout *volatile candidate = NULL;

	for (volatile unsigned i = 0; rme_layout_for(py->version, i); i++) {
		struct rme_guard guard;
		volatile bool fits = false;

		candidate = py->layout = rme_layout_for(py->version, i);
		if (RME_GUARD(py->guards, &guard)) {
			fits = (py->has_symbols || rme_discover_symbols(py)) &&
			       basicsizes_match(py) && told_offsets_match(py) &&
			       runtime_matches(py);
			rme_guard_pop(py->guards, &guard);
		}
		if (fits)
			return true;
	}
	py->layout = candidate = rme_layout_for(py->version, 0); /* the likeliest */
	if (!candidate) {
		unsupported("Python ", py->version, error);
		return false;
	}
	struct rme_guard guard;
	if (RME_GUARD(py->guards, &guard)) {
		explain(py, candidate, error);
		rme_guard_pop(py->guards, &guard);
	} else {
		explain(py, NULL, error);
	}
	return false;
}

/* A 3.7 exports the same symbols as a 3.8: told apart by the size of a type. */
static bool too_old(struct rme_python *py, struct rme_error *error)
{
	uint64_t type_basicsize = 32; /* tp_basicsize in every version, with the GIL */

	if (py->sym.pystring)
		unsupported("Python 2", 0, error);
	else if (!py->sym.runtime || rme_u64(py->sym.type + type_basicsize) < 880)
		unsupported("Python 3.7 or older", 0, error);
	else
		return false;
	return true;
}

/* The version as the binary tells it; 0 when that is not there to be read. */
static uint32_t read_version(struct rme_python *py)
{
	struct rme_guard guard;
	volatile uint32_t version = 0;

	if (RME_GUARD(py->guards, &guard)) {
		version =
		    py->has_symbols ? find_version(py) : rme_discover_version(py->sym.runtime);
		rme_guard_pop(py->guards, &guard);
	}
	return version;
}

/* The version is that of the layout that fits and that sys.hexversion agrees with. */
static bool try_each_version(struct rme_python *py, struct rme_error *error)
{
	for (uint32_t minor = MINOR_WITH_COOKIE; minor-- > MINOR_FIRST;) {
		py->version = 0x03000000 | minor << 16;
		if (choose_layout(py, error) && read_hexversion(py)) {
			error->kind = RME_NO_ERROR; /* of the versions that it was not */
			return true;
		}
	}
	struct rme_buffer s = rme_error_begin(
	    error, RME_ERROR_LAYOUT_MISMATCH,
	    "the binary of this process that holds CPython is not here, and what is at its "
	    "_PyRuntime is not as in ");
	supported_append(&s);
	rme_error_end(error, &s);
	return false;
}

static bool init_by_symbols(struct rme_python *py, struct rme_error *error)
{
	struct rme_guard guard;
	volatile bool ok = false;

	if (py->request->runtime)
		py->sym.runtime = py->request->runtime;
	if (RME_GUARD(py->guards, &guard)) {
		ok = !other_build(py, error) && !too_old(py, error);
		rme_guard_pop(py->guards, &guard);
	} else {
		rme_error_set(error, RME_ERROR_NOT_PYTHON,
		              "the data of the Python library cannot be read");
	}
	if (!ok)
		return false;
	py->version = read_version(py);
	if (!py->version)
		return try_each_version(py, error);
	if (!choose_layout(py, error))
		return false;
	if (!py->sym.version)
		read_hexversion(py);
	return true;
}

/* Without a binary. */
static bool init_by_discovery(struct rme_python *py, struct rme_error *error)
{
	py->sym = (struct rme_symbols){.runtime = py->request->runtime};
	if (!py->sym.runtime)
		py->sym.runtime = rme_discover_runtime(py);
	if (!py->sym.runtime) {
		rme_error_set(error, RME_ERROR_NOT_PYTHON,
		              "no CPython was found in this process: none of its binaries exports "
		              "_PyRuntime");
		return false;
	}
	struct rme_guard guard;
	volatile bool other = false;
	if (RME_GUARD(py->guards, &guard)) {
		other = other_build(py, error);
		rme_guard_pop(py->guards, &guard);
	}
	if (other)
		return false;
	py->version = read_version(py);
	return py->version ? choose_layout(py, error) : try_each_version(py, error);
}

bool rme_python_init(struct rme_python *py, const struct rme_request *request,
                     struct rme_arena *arena, struct rme_guards *guards, struct rme_error *error)
{
	*py = (struct rme_python){.request = request, .arena = arena, .guards = guards};
	py->has_symbols = find_symbols(py);
	if (!rme_type_names_init(py)) {
		rme_error_set(error, RME_ERROR_OUT_OF_MEMORY, "no memory for the names of types");
		return false;
	}
	if (py->has_symbols ? !init_by_symbols(py, error) : !init_by_discovery(py, error))
		return false;
	if (!rme_types_init(py)) {
		rme_error_set(error, RME_ERROR_OUT_OF_MEMORY, "no memory for the table of types");
		return false;
	}
	py->lookdict = rme_dict_find_lookdict(py);
	return true;
}
