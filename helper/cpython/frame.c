/* Which C activation of _PyEval_EvalFrameDefault runs a Python frame (eval_depth):
 *
 *   3.8 to 3.10  each frame has its own (Python/ceval.c).
 *   3.11         a call from Python to Python stays in the activation; the frame
 *                that it was entered with has is_entry.
 *   since 3.12   the same, and below the entry frame stands a shim that the
 *                activation owns: owner is FRAME_OWNED_BY_CSTACK. */
#include "cpython/frame.h"

#include "cpython/dict.h"
#include "cpython/facts.h"
#include "cpython/line.h"
#include "cpython/object.h"
#include "cpython/stackref.h"
#include "cpython/str.h"

enum {
	MAX_FRAMES = 1000000,
	MAX_VARIABLES = 1 << 24,
	CO_OPTIMIZED = 1, /* Include/cpython/code.h: locals are fast ones */
	/* pycore_code.h, co_localspluskinds */
	FAST_CELL_OR_FREE = 0x40 | 0x80
};

static rme_addr field(rme_addr base, int32_t offset)
{
	return rme_ptr(base + (uint64_t)offset);
}

static bool is_code(const struct rme_python *py, rme_addr code)
{
	return code && !(code & 7) && rme_type_of(py, code) == py->sym.code;
}

static void read_namespace(const struct rme_python *py, rme_addr locals, struct rme_frame *ret)
{
	int32_t flags = rme_i32(ret->code + (uint64_t)py->layout->code_flags);

	/* A function's f_locals is only a copy that locals() once made. */
	ret->locals = flags & CO_OPTIMIZED ? 0 : locals;
}

/* Up to 3.10: a PyFrameObject. */
static bool read_old(const struct rme_python *py, rme_addr a, struct rme_frame *ret)
{
	const struct rme_layout *l = py->layout;
	int64_t lasti = rme_i32(a + (uint64_t)l->frame_lasti);

	ret->code = field(a, l->frame_code);
	if (!is_code(py, ret->code))
		return false;
	ret->globals = field(a, l->frame_globals);
	ret->builtins = field(a, l->frame_builtins);
	read_namespace(py, field(a, l->frame_locals), ret);
	/* f_lasti counts code units of two bytes in 3.10. */
	ret->line = rme_line_at(py, ret->code, l->code_linetable == RME_ABSENT ? lasti : 2 * lasti);
	return true;
}

/* From 3.11: a _PyInterpreterFrame. False also for one that is being set up
 * (_PyFrame_IsIncomplete): it has run nothing yet, and no Python tool shows it. */
static bool read_new(const struct rme_python *py, rme_addr a, struct rme_frame *ret)
{
	const struct rme_layout *l = py->layout;
	uint8_t owner = rme_u8(a + (uint64_t)l->iframe_owner);

	ret->code = rme_stackref(py, field(a, l->iframe_code));
	if (owner >= rme_constant(py, RME_owned_by_cstack) || !is_code(py, ret->code))
		return false;
	int64_t offset =
	    (int64_t)(field(a, l->iframe_instr) - (ret->code + (uint64_t)l->code_adaptive));
	int32_t first = rme_i32(ret->code + (uint64_t)l->code_firsttraceable);
	if (owner != rme_constant(py, RME_owned_by_generator) && offset < 2 * (int64_t)first)
		return false;
	ret->function = rme_stackref(py, field(a, l->iframe_func));
	ret->globals = field(a, l->iframe_globals);
	ret->builtins = field(a, l->iframe_builtins);
	read_namespace(py, field(a, l->iframe_locals), ret);
	ret->line = rme_line_at(py, ret->code, offset);
	return true;
}

bool rme_frame_read(struct rme_python *py, rme_addr address, struct rme_frame *ret)
{
	*ret = (struct rme_frame){.address = address, .line = -1};
	if (!address || address & 7)
		return false;
	return py->layout->iframe_size == RME_ABSENT ? read_old(py, address, ret)
	                                             : read_new(py, address, ret);
}

static rme_addr innermost(const struct rme_python *py, rme_addr tstate)
{
	const struct rme_layout *l = py->layout;

	if (l->thread_current_frame != RME_ABSENT)
		return field(tstate, l->thread_current_frame);
	/* 3.10 has a cframe too, but no frame in it. */
	if (l->cframe_current_frame != RME_ABSENT)
		return field(field(tstate, l->thread_cframe), l->cframe_current_frame);
	return field(tstate, l->thread_frame);
}

/* Does the activation of the eval loop end with this frame? */
static bool ends_activation(const struct rme_python *py, rme_addr frame)
{
	const struct rme_layout *l = py->layout;

	if (l->iframe_size == RME_ABSENT)
		return true;
	if (l->iframe_is_entry != RME_ABSENT)
		return rme_u8(frame + (uint64_t)l->iframe_is_entry);
	return rme_u8(frame + (uint64_t)l->iframe_owner) == rme_constant(py, RME_owned_by_cstack);
}

int rme_frames_each(struct rme_python *py, rme_addr tstate, rme_frame_fn fn, void *arg)
{
	const struct rme_layout *l = py->layout;
	int32_t back = l->iframe_size == RME_ABSENT ? l->frame_back : l->iframe_previous;
	rme_addr address = innermost(py, tstate), seen = 0;
	uint32_t index = 0, eval_depth = 0, n, next_seen = 64;
	struct rme_frame frame;

	for (n = 0; address && !(address & 7) && n < MAX_FRAMES; n++) {
		if (rme_frame_read(py, address, &frame)) {
			frame.index = index++;
			frame.eval_depth = eval_depth;
			int stop = fn(arg, &frame);
			if (stop)
				return stop;
		}
		if (ends_activation(py, address))
			eval_depth++;
		/* A damaged chain may close on itself (Brent's algorithm). */
		if (n == next_seen) {
			seen = address;
			next_seen *= 2;
		}
		address = field(address, back);
		if (address == seen)
			break;
	}
	return 0;
}

/* How many activations of the eval loop are further in than the C frame of that stack pointer:
 * since 3.12 each has its shim among its own variables, so that shims stand on the C stack in the
 * order of the activations. False where there are none. */
static bool activations_within(const struct rme_python *py, rme_addr tstate, rme_addr stack_pointer,
                               uint32_t *ret)
{
	const struct rme_layout *l = py->layout;
	rme_addr address, last = 0;

	*ret = 0;
	if (!stack_pointer || l->iframe_size == RME_ABSENT || l->iframe_is_entry != RME_ABSENT)
		return false;
	address = innermost(py, tstate);
	for (int n = 0; address && !(address & 7) && n < MAX_FRAMES; n++) {
		if (ends_activation(py, address)) {
			if (address >= stack_pointer || address <= last)
				break;
			last = address;
			++*ret;
		}
		address = field(address, l->iframe_previous);
	}
	return true;
}

struct selection {
	const struct rme_request *request;
	uint32_t eval_depth; /* of the selected C frame */
	struct rme_frame *ret;
	uint32_t n; /* frames so far */
	bool found;
};

static int on_frame(void *arg, const struct rme_frame *frame)
{
	struct selection *s = arg;
	int32_t wanted = s->request->frame;
	bool found =
	    wanted >= 0 ? frame->index == (uint32_t)wanted : frame->eval_depth >= s->eval_depth;

	/* Without a match, as for a C frame outside of all Python: the innermost. */
	if (found || (!s->n && wanted < 0))
		*s->ret = *frame;
	s->n++;
	s->found = found || wanted < 0;
	return found;
}

bool rme_frame_selected(struct rme_python *py, const struct rme_python_thread *thread,
                        struct rme_frame *ret, struct rme_error *error)
{
	struct selection s = {py->request, py->request->eval_depth, ret, 0, false};
	struct rme_guard guard;

	if (RME_GUARD(py->guards, &guard)) {
		uint32_t within;
		if (activations_within(py, thread->tstate, py->request->stack_pointer, &within))
			s.eval_depth = within;
		rme_frames_each(py, thread->tstate, on_frame, &s);
		rme_guard_pop(py->guards, &guard);
	}
	if (s.found)
		return true;
	if (!s.n) {
		rme_error_set(error, RME_ERROR_NO_PYTHON_FRAME,
		              "the selected thread runs no Python code now: it has no Python "
		              "frame; py-frames --all-threads lists the frames of every thread");
		return false;
	}
	struct rme_buffer out =
	    rme_error_begin(error, RME_ERROR_NO_SUCH_FRAME, "there is no Python frame ");
	rme_buffer_signed(&out, py->request->frame);
	rme_buffer_text(&out, ": the thread has ");
	rme_buffer_unsigned(&out, s.n);
	rme_buffer_text(&out, s.n == 1 ? " (number 0" : " (numbers 0 to ");
	if (s.n > 1)
		rme_buffer_unsigned(&out, s.n - 1);
	rme_buffer_text(&out, "); py-frames lists them");
	rme_error_end(error, &out);
	return false;
}

/* One slot of a frame. A cell stands in the slot of a variable that inner functions
 * share; until MAKE_CELL ran (3.11+), its plain value. */
static int emit(const struct rme_python *py, rme_addr name, rme_addr value, bool cell,
                rme_local_fn fn, void *arg)
{
	value = rme_stackref(py, value);
	if (value && cell && rme_type_of(py, value) == py->sym.cell)
		value = field(value, py->layout->cell_ref);
	return value && name ? fn(arg, name, value) : 0;
}

static uint64_t n_names(const struct rme_python *py, rme_addr tuple)
{
	uint64_t n = tuple ? rme_sequence_length(py, tuple) : 0;
	return n < MAX_VARIABLES ? n : MAX_VARIABLES;
}

int rme_variables_each(struct rme_python *py, rme_addr code, rme_addr slots, rme_local_fn fn,
                       void *arg)
{
	const struct rme_layout *l = py->layout;
	int stop = 0;

	if (l->code_localsplusnames != RME_ABSENT) {
		rme_addr names = field(code, l->code_localsplusnames), kinds;
		uint64_t n = n_names(py, names), n_kinds;
		if (!rme_bytes_read(py, field(code, l->code_localspluskinds), &kinds, &n_kinds))
			return 0;
		n = n < n_kinds ? n : n_kinds;
		for (uint64_t i = 0; i < n && !stop; i++)
			stop = emit(py, rme_tuple_item(py, names, i), rme_ptr(slots + 8 * i),
			            rme_u8(kinds + i) & FAST_CELL_OR_FREE, fn, arg);
		return stop;
	}
	for (int kind = 0; kind < 3; kind++) {
		rme_addr names = field(code, kind == 0   ? l->code_varnames
		                             : kind == 1 ? l->code_cellvars
		                                         : l->code_freevars);
		uint64_t n = n_names(py, names);
		for (uint64_t i = 0; i < n && !stop; i++)
			stop = emit(py, rme_tuple_item(py, names, i), rme_ptr(slots + 8 * i),
			            kind > 0, fn, arg);
		slots += 8 * n;
	}
	return stop;
}

struct beside_namespace {
	rme_addr locals;
	rme_local_fn fn;
	void *arg;
};

/* The cell __classdict__ of a class body (3.12+) is the namespace once more. */
static int on_variable(void *arg, rme_addr name, rme_addr value)
{
	struct beside_namespace *b = arg;
	return value == b->locals ? 0 : b->fn(b->arg, name, value);
}

int rme_locals_each(struct rme_python *py, const struct rme_frame *frame, rme_local_fn fn,
                    void *arg)
{
	const struct rme_layout *l = py->layout;
	struct beside_namespace beside = {frame->locals, fn, arg};
	struct rme_dict_iter it = {0};

	while (rme_dict_next(py, frame->locals, &it)) {
		int stop = fn(arg, it.key, it.value);
		if (stop)
			return stop;
	}
	rme_addr slots =
	    frame->address +
	    (uint64_t)(l->iframe_size == RME_ABSENT ? l->frame_localsplus : l->iframe_localsplus);
	return rme_variables_each(py, frame->code, slots, on_variable, &beside);
}

rme_addr rme_variable_name(struct rme_python *py, rme_addr code, uint64_t i)
{
	const struct rme_layout *l = py->layout;
	rme_addr names;
	uint64_t n;

	if (l->code_localsplusnames != RME_ABSENT) {
		names = field(code, l->code_localsplusnames);
		return i < n_names(py, names) ? rme_tuple_item(py, names, i) : 0;
	}
	for (int kind = 0; kind < 3; kind++, i -= n) {
		names = field(code, kind == 0   ? l->code_varnames
		                    : kind == 1 ? l->code_cellvars
		                                : l->code_freevars);
		n = n_names(py, names);
		if (i < n)
			return rme_tuple_item(py, names, i);
	}
	return 0;
}

rme_addr rme_frame_of_object(struct rme_python *py, rme_addr frame_object)
{
	const struct rme_layout *l = py->layout;

	return l->frame_frame == RME_ABSENT ? frame_object : field(frame_object, l->frame_frame);
}

rme_addr rme_frame_of_generator(struct rme_python *py, rme_addr generator)
{
	const struct rme_layout *l = py->layout;

	if (l->gen_iframe == RME_ABSENT)
		return field(generator, l->gen_frame);
	if (rme_i8(generator + (uint64_t)l->gen_frame_state) >
	    rme_constant(py, RME_frame_executing))
		return 0;
	return generator + (uint64_t)l->gen_iframe;
}

enum { MAX_NAME = 1000 };

void rme_frame_function_append(struct rme_python *py, const struct rme_frame *frame,
                               struct rme_buffer *out)
{
	const struct rme_layout *l = py->layout;
	int32_t name = l->code_qualname == RME_ABSENT ? l->code_name : l->code_qualname;

	rme_str_append(py, field(frame->code, name), MAX_NAME, out);
}

void rme_frame_file_append(struct rme_python *py, const struct rme_frame *frame,
                           struct rme_buffer *out)
{
	rme_str_append(py, field(frame->code, py->layout->code_filename), MAX_NAME, out);
}
