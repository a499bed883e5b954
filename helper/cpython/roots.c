#include "cpython/roots.h"

#include "cpython/class.h"
#include "cpython/dict.h"
#include "cpython/key.h"
#include "cpython/stackref.h"
#include "cpython/str.h"

enum {
	MAX_INTERPRETERS = 10000,
	MAX_VARIABLES = 1 << 16,
	N_GENERATIONS = 3,
	OWNED_BY_THREAD = 0, /* pycore_frame.h */
	OWNED_BY_CSTACK = 3,
	GC_NEXT_MASK = 3 /* _gc_next and _gc_prev have flags in their low bits */
};

struct roots {
	struct rme_python *py;
	rme_root_fn fn;
	void *arg;
	struct rme_root root; /* what all the roots at hand have in common */
};

static void emit(struct roots *r, enum rme_root_kind kind, rme_addr object, rme_addr name,
                 const char *text, bool counted)
{
	if (!object)
		return;
	r->root.kind = (uint8_t)kind;
	r->root.object = object;
	r->root.name = name;
	memset(r->root.text, 0, sizeof r->root.text);
	for (size_t i = 0; text && text[i] && i + 1 < sizeof r->root.text; i++)
		r->root.text[i] = text[i];
	r->root.counted = counted;
	r->fn(r->arg, &r->root);
}

static rme_addr interpreter_at(struct rme_python *py, uint64_t n)
{
	rme_addr interp = rme_ptr(py->sym.runtime + L(runtime_interpreters_head));

	while (interp && n--)
		interp = rme_ptr(interp + L(interp_next));
	return interp;
}

static void modules(struct roots *r, rme_addr interp)
{
	struct rme_python *py = r->py;
	rme_addr all = rme_ptr(interp + L(interp_modules));
	struct rme_dict_iter it = {0};

	while (rme_dict_next(py, all, &it)) {
		struct rme_guard guard;
		if (!RME_GUARD(py->guards, &guard))
			continue;
		emit(r, RME_ROOT_MODULE, it.value, it.key, NULL, false);
		if (rme_type_is(py, rme_type_of(py, it.value), py->sym.module))
			emit(r, RME_ROOT_MODULE, rme_ptr(it.value + L(module_dict)), it.key, NULL,
			     false);
		rme_guard_pop(py->guards, &guard);
	}
}

/* A word of a frame; one with a tag may hold no count. */
static void emit_slot(struct roots *r, enum rme_root_kind kind, rme_addr slot, rme_addr name,
                      const char *text, bool counted)
{
	rme_addr word = rme_ptr(slot);

	emit(r, kind, rme_stackref(r->py, word), name, text,
	     counted && !(rme_has_stackrefs(r->py) && word & 1));
}

/* The variables of a frame, cells as such, then `n_stack` words of its stack of which
 * `n_sure` are known to be in use. */
static void slots(struct roots *r, rme_addr code, rme_addr first, bool counted, uint64_t n_sure,
                  uint64_t n_stack)
{
	struct rme_python *py = r->py;
	rme_addr name;
	uint64_t i;

	for (i = 0; i < MAX_VARIABLES && (name = rme_variable_name(py, code, i)); i++)
		emit_slot(r, RME_ROOT_LOCAL, first + 8 * i, name, NULL, counted);
	for (uint64_t end = i + n_stack; i < end && n_stack < MAX_VARIABLES; i++)
		emit_slot(r, i < n_sure ? RME_ROOT_FRAME : RME_ROOT_STACK, first + 8 * i, 0,
		          "value stack", counted);
}

/* Up to 3.10: the frame is an object, which refers to its variables itself; only the
 * stack of one that runs is not seen by its tp_traverse. */
static void frame_object(struct roots *r, const struct rme_frame *f)
{
	struct rme_python *py = r->py;
	rme_addr bottom = rme_ptr(f->address + L(frame_valuestack));
	uint64_t size = (uint64_t)rme_i32(f->code + L(code_stacksize));

	/* PyEval_EvalFrameEx's caller holds it. */
	emit(r, RME_ROOT_FRAME, f->address, 0, "frame", true);
	slots(r, f->code, f->address + L(frame_localsplus), false, 0, 0);
	for (uint64_t i = 0; i < size && size < MAX_VARIABLES; i++)
		emit(r, RME_ROOT_STACK, rme_ptr(bottom + 8 * i), 0, "value stack", true);
}

static int on_frame(void *arg, const struct rme_frame *f)
{
	struct roots *r = arg;
	struct rme_python *py = r->py;

	r->root.code = f->code;
	r->root.line = f->line;
	r->root.frame = f->index;
	if (!HAS(iframe_size)) {
		frame_object(r, f);
		return 0;
	}
	/* A generator's frame lies in the generator, which refers to all of it. */
	bool counted = rme_u8(f->address + L(iframe_owner)) == OWNED_BY_THREAD;
	/* What the frame that runs says of its stack may be out of date from 3.14 on. */
	bool unsure = rme_has_stackrefs(py) && !f->index;
	int32_t top = unsure ? -1 : rme_iframe_top(py, f->address);
	uint64_t n_variables = (uint64_t)rme_i32(f->code + L(code_nlocalsplus));
	uint64_t n_stack = (uint64_t)rme_i32(f->code + L(code_stacksize));
	if (top >= 0)
		n_stack = (uint64_t)top > n_variables ? (uint64_t)top - n_variables : 0;
	slots(r, f->code, f->address + L(iframe_localsplus), counted, top > 0 ? (uint64_t)top : 0,
	      n_stack);
	emit(r, RME_ROOT_FRAME, f->function, 0, "function", counted);
	emit(r, RME_ROOT_FRAME, f->code, 0, "code", counted);
	emit(r, RME_ROOT_FRAME, rme_ptr(f->address + L(iframe_locals)), 0, "namespace", counted);
	emit(r, RME_ROOT_FRAME, rme_ptr(f->address + L(iframe_frame_obj)), 0, "frame", counted);
	return 0;
}

/* Also the shims of 3.12+ hold their code. Frames that rme_frames_each leaves out run
 * nothing yet, or are C's. */
static int on_thread(void *arg, const struct rme_python_thread *t)
{
	struct roots *r = arg;
	struct rme_python *py = r->py;
	struct rme_guard guard;

	r->root.thread = t->number ? t->number : t->lwp;
	r->root.interp_id = rme_u64(t->interp + L(interp_id));
	if (RME_GUARD(py->guards, &guard)) {
		rme_frames_each(py, t->tstate, on_frame, r);
		rme_guard_pop(py->guards, &guard);
	}
	r->root.code = 0;
	return 0;
}

static void thread_field(struct roots *r, rme_addr tstate, int32_t offset, const char *text)
{
	rme_addr object = offset == RME_ABSENT ? 0 : rme_ptr(tstate + (uint64_t)offset);

	if (object != r->py->sym.none)
		emit(r, RME_ROOT_THREAD, object, 0, text, true);
}

static int thread_fields(void *arg, const struct rme_python_thread *t)
{
	struct roots *r = arg;
	const struct rme_layout *l = r->py->layout;

	r->root.thread = t->number ? t->number : t->lwp;
	thread_field(r, t->tstate, l->thread_dict, "thread-local data");
	thread_field(r, t->tstate, l->thread_exc, "exception being raised");
	thread_field(r, t->tstate, l->thread_exc_type, "exception being raised");
	thread_field(r, t->tstate, l->thread_exc_traceback, "traceback being raised");
	thread_field(r, t->tstate, l->thread_async_exc, "asynchronous exception");
	thread_field(r, t->tstate, l->thread_exc_state_value, "exception being handled");
	if (!rme_has_one_exception_word(r->py)) {
		/* _PyErr_StackItem: exc_type, exc_value, exc_traceback */
		thread_field(r, t->tstate, l->thread_exc_state_value - 8,
		             "exception being handled");
		thread_field(r, t->tstate, l->thread_exc_state_value + 8,
		             "traceback being handled");
	}
	thread_field(r, t->tstate, l->thread_context, "context variables");
	thread_field(r, t->tstate, l->thread_asyncgen_firstiter, "asynchronous generator hook");
	thread_field(r, t->tstate, l->thread_asyncgen_finalizer, "asynchronous generator hook");
	thread_field(r, t->tstate, l->thread_profileobj, "profile function");
	thread_field(r, t->tstate, l->thread_traceobj, "trace function");
	return 0;
}

static void interpreter_field(struct roots *r, rme_addr base, int32_t offset, const char *text)
{
	if (offset != RME_ABSENT)
		emit(r, RME_ROOT_INTERPRETER, rme_ptr(base + (uint64_t)offset), 0, text, true);
}

static void interpreter_fields(struct roots *r, rme_addr interp)
{
	struct rme_python *py = r->py;
	const struct rme_layout *l = py->layout;

	interpreter_field(r, interp, l->interp_modules, "sys.modules");
	interpreter_field(r, interp, l->interp_sysdict, "sys");
	interpreter_field(r, interp, l->interp_builtins, "builtins");
	interpreter_field(r, interp, l->interp_builtins_copy, "copy of builtins");
	interpreter_field(r, interp, l->interp_dict, "interpreter dict");
	interpreter_field(r, interp, l->interp_codec_search_path, "codec search functions");
	interpreter_field(r, interp, l->interp_codec_search_cache, "codec cache");
	interpreter_field(r, interp, l->interp_codec_error_registry, "codec error handlers");
	interpreter_field(r, interp, l->interp_before_forkers, "os.register_at_fork");
	interpreter_field(r, interp, l->interp_after_forkers_parent, "os.register_at_fork");
	interpreter_field(r, interp, l->interp_after_forkers_child, "os.register_at_fork");
	interpreter_field(r, interp, l->interp_audit_hooks, "audit hooks");
	interpreter_field(r, interp, l->interp_interned, "interned strings");
	rme_addr gc = HAS(interp_gc) ? interp + L(interp_gc) : py->sym.runtime + L(runtime_gc);
	interpreter_field(r, gc, l->gc_garbage, "gc.garbage");
	interpreter_field(r, gc, l->gc_callbacks, "gc.callbacks");
	/* _PyRuntimeState has them up to 3.8, for all interpreters */
}

static void of_threads(struct roots *r,
                       int (*fn)(void *arg, const struct rme_python_thread *thread))
{
	struct rme_guard guard;

	r->root = (struct rme_root){.line = -1};
	if (RME_GUARD(r->py->guards, &guard)) {
		rme_threads_each(r->py, fn, r);
		rme_guard_pop(r->py->guards, &guard);
	}
}

/* False where there is none with that number. */
static bool of_interpreter(struct roots *r, uint64_t number,
                           void (*fn)(struct roots *r, rme_addr interp))
{
	struct rme_python *py = r->py;
	volatile rme_addr interp = 0;
	struct rme_guard guard;

	if (RME_GUARD(py->guards, &guard)) {
		interp = interpreter_at(py, number);
		r->root.interp_id = interp ? rme_u64(interp + L(interp_id)) : 0;
		if (interp)
			fn(r, interp);
		rme_guard_pop(py->guards, &guard);
	}
	return interp;
}

static void of_interpreters(struct roots *r, void (*fn)(struct roots *r, rme_addr interp))
{
	uint64_t number = 0;

	r->root = (struct rme_root){.line = -1};
	while (number < MAX_INTERPRETERS && of_interpreter(r, number, fn))
		number++;
}

void rme_roots_each(struct rme_python *py, rme_root_fn fn, void *arg)
{
	struct roots r = {py, fn, arg, {.line = -1}};

	/* Once for each kind, so that the modules' names come first. */
	of_interpreters(&r, modules);
	of_threads(&r, on_thread);
	of_threads(&r, thread_fields);
	of_interpreters(&r, interpreter_fields);
}

static void frame_append(struct rme_python *py, const struct rme_root *root, struct rme_buffer *out)
{
	struct rme_frame frame = {.code = root->code};

	rme_buffer_text(out, "frame ");
	rme_buffer_unsigned(out, root->frame);
	rme_buffer_text(out, " (");
	rme_frame_function_append(py, &frame, out);
	rme_buffer_text(out, " at ");
	rme_frame_file_append(py, &frame, out);
	if (root->line >= 0) {
		rme_buffer_char(out, ':');
		rme_buffer_unsigned(out, (uint64_t)root->line);
	}
	rme_buffer_char(out, ')');
}

static void root_append(struct rme_python *py, const struct rme_root *root, struct rme_buffer *out)
{
	switch (root->kind) {
	case RME_ROOT_MODULE:
		rme_buffer_text(out, "module ");
		if (!rme_str_append(py, root->name, 200, out))
			rme_key_append(py, root->name, out);
		break;
	case RME_ROOT_LOCAL:
		frame_append(py, root, out);
		break;
	case RME_ROOT_FRAME:
	case RME_ROOT_STACK:
		rme_buffer_text(out, root->text);
		rme_buffer_text(out, " of ");
		frame_append(py, root, out);
		break;
	case RME_ROOT_TYPE:
		rme_buffer_text(out, "built-in type");
		break;
	default:
		rme_buffer_text(out, root->text);
	}
	if (root->kind != RME_ROOT_MODULE && root->kind != RME_ROOT_INTERPRETER && root->thread) {
		rme_buffer_text(out, " of thread ");
		rme_buffer_unsigned(out, root->thread);
	}
	if (root->interp_id) {
		rme_buffer_text(out, " of interpreter ");
		rme_buffer_unsigned(out, root->interp_id);
	}
}

void rme_root_append(struct rme_python *py, const struct rme_root *root, struct rme_buffer *out)
{
	struct rme_guard guard;

	if (RME_GUARD(py->guards, &guard)) {
		root_append(py, root, out);
		rme_guard_pop(py->guards, &guard);
	}
}

enum way { NEXT = 0, PREVIOUS = 8 };

static rme_addr linked(rme_addr node, enum way way)
{
	return rme_ptr(node + way) & ~(rme_addr)GC_NEXT_MASK;
}

/* Goes along a ring of PyGC_Head (next, previous; the object follows) as long as the way back is
 * linked too: so it never comes to the same one twice. False where that is not so. */
static bool ring_each(struct rme_python *py, rme_addr head, enum way way, rme_object_fn fn,
                      void *arg)
{
	rme_addr before = head, node = linked(head, way);

	if (!node)
		return !linked(head, NEXT + PREVIOUS - way); /* not made yet */
	while (node != head) {
		rme_addr next = linked(node, way);
		__builtin_prefetch((const void *)next);
		if (linked(node, NEXT + PREVIOUS - way) != before)
			return false;
		fn(arg, node + L(gc_head_size));
		before = node;
		node = next;
	}
	return true;
}

static bool ring_guarded(struct rme_python *py, rme_addr head, enum way way, rme_object_fn fn,
                         void *arg)
{
	struct rme_guard guard;

	if (!RME_GUARD(py->guards, &guard))
		return false;
	bool closed = ring_each(py, head, way, fn, arg);
	rme_guard_pop(py->guards, &guard);
	return closed;
}

/* The collector of an interpreter, or 0 where there is none with that number. */
static rme_addr collector_of(struct rme_python *py, uint64_t number, bool *at_work)
{
	volatile rme_addr gc = 0;
	struct rme_guard guard;

	*at_work = false;
	if (RME_GUARD(py->guards, &guard)) {
		rme_addr interp = interpreter_at(py, number);
		if (interp)
			gc = HAS(interp_gc) ? interp + L(interp_gc)
			                    : py->sym.runtime + L(runtime_gc);
		*at_work = gc && rme_i32(gc + L(gc_collecting));
		rme_guard_pop(py->guards, &guard);
	}
	return gc;
}

enum rme_lists rme_collector_each(struct rme_python *py, rme_object_fn fn, void *arg)
{
	enum rme_lists lists = RME_LISTS_COMPLETE;
	bool at_work;
	rme_addr gc;

	for (uint64_t i = 0; i < MAX_INTERPRETERS && (gc = collector_of(py, i, &at_work)); i++) {
		if (at_work)
			lists = RME_LISTS_AT_WORK;
		for (uint64_t list = 0; list <= N_GENERATIONS && !at_work; list++) {
			rme_addr head = list == N_GENERATIONS
			                    ? gc + L(gc_permanent)
			                    : gc + L(gc_generations) + list * L(gc_generation_size);
			if (!ring_guarded(py, head, NEXT, fn, arg)) {
				lists = RME_LISTS_BROKEN;
				ring_guarded(py, head, PREVIOUS, fn, arg);
			}
		}
		if (!HAS(interp_gc))
			break; /* one collector for all interpreters */
	}
	return lists;
}
