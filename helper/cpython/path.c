#include "cpython/path.h"

#include "cpython/attribute.h"
#include "cpython/class.h"
#include "cpython/dict.h"
#include "cpython/lookup.h"
#include "cpython/str.h"
#include "cpython/subscript.h"
#include "cpython/suggest.h"
#include "cpython/type.h"
#include "cpython/type_name.h"

enum { MAX_FIELDS = 64 }; /* of a namedtuple, in a sentence */

/* One EXPR on its way. `where` is what was resolved so far, for the sentences. */
struct path {
	struct rme_python *py;
	const struct rme_frame *frame;
	struct rme_error *error;
	rme_addr value; /* of `where` */
	rme_addr inner; /* a frame inside `value`, when the path went to one */
	bool locals;    /* and on to its f_locals */
	struct rme_buffer where;
	char text[120];
};

/* What the user typed, shortened between two characters. */
static void typed(struct rme_buffer *out, const char *text, size_t n, char quote)
{
	enum { MAX_TYPED = 60 };
	size_t shown = n;

	if (n > MAX_TYPED)
		for (shown = MAX_TYPED; shown && (text[shown] & 0xc0) == 0x80;)
			shown--;
	rme_buffer_char(out, quote);
	rme_buffer_bytes(out, text, shown);
	if (shown < n)
		rme_buffer_text(out, "…");
	rme_buffer_char(out, quote);
}

static void quoted(struct rme_buffer *out, const void *text, size_t n)
{
	typed(out, text, n, '\'');
}

/* "self.cache (app.Cache at 0x7f…)" */
static void subject(struct path *p, struct rme_buffer *out)
{
	rme_buffer_bytes(out, p->where.data, p->where.size);
	if (p->where.overflow)
		rme_buffer_text(out, "…");
	rme_buffer_text(out, " (");
	rme_type_name_append(p->py, rme_type_of(p->py, p->value), out);
	rme_buffer_text(out, " at ");
	rme_buffer_hex(out, p->value);
	rme_buffer_char(out, ')');
}

static struct rme_suggest suggest(struct path *p, const void *wanted, size_t n)
{
	return (struct rme_suggest){.py = p->py, .wanted = wanted, .n_wanted = n};
}

static int offer_local(void *s, rme_addr name, rme_addr value)
{
	(void)value;
	rme_suggest_offer(s, name, NULL);
	return 0;
}

static int offer_attribute(void *s, rme_addr name, const char *slot, rme_addr value)
{
	(void)value;
	rme_suggest_offer(s, name, slot);
	return 0;
}

static int offer_member(void *s, const struct rme_member *member)
{
	/* The slots are among the attributes. */
	if (!member->slot &&
	    (member->kind == RME_MEMBER_OBJECT || member->kind == RME_MEMBER_OBJECT_EX))
		rme_suggest_offer(s, 0, member->name);
	return 0;
}

static int offer_computed(void *s, const char *name, rme_addr value)
{
	(void)value;
	rme_suggest_offer(s, 0, name);
	return 0;
}

static void offer_keys(struct rme_suggest *s, rme_addr dict)
{
	struct rme_dict_iter it = {0};

	while (rme_dict_next(s->py, dict, &it))
		rme_suggest_offer(s, it.key, NULL);
}

struct wanted_local {
	struct rme_python *py;
	const void *name;
	size_t n;
	rme_addr value;
};

static int on_local(void *arg, rme_addr name, rme_addr value)
{
	struct wanted_local *w = arg;

	if (!rme_str_equals(w->py, name, w->name, w->n))
		return 0;
	w->value = value;
	return 1;
}

static bool step_name(struct path *p, const void *name, size_t n)
{
	struct wanted_local local = {p->py, name, n, 0};

	if (!p->frame) {
		struct rme_buffer s =
		    rme_error_begin(p->error, RME_ERROR_NO_PYTHON_FRAME, "the name ");
		quoted(&s, name, n);
		rme_buffer_text(&s, " needs a Python frame to be looked up in, and none is "
		                    "selected; module:name and 0xADDRESS need none");
		rme_error_end(p->error, &s);
		return false;
	}
	rme_locals_each(p->py, p->frame, on_local, &local);
	p->value = local.value;
	if (!p->value && p->frame->globals)
		p->value = rme_dict_get_str(p->py, p->frame->globals, name, n);
	if (!p->value && p->frame->builtins)
		p->value = rme_dict_get_str(p->py, p->frame->builtins, name, n);
	rme_buffer_bytes(&p->where, name, n);
	if (p->value)
		return true;

	struct rme_suggest near = suggest(p, name, n);
	struct rme_buffer s = rme_error_begin(p->error, RME_ERROR_NO_SUCH_NAME, "no name ");
	quoted(&s, name, n);
	rme_buffer_text(&s, " in frame ");
	rme_buffer_unsigned(&s, p->frame->index);
	rme_buffer_text(&s, " (");
	rme_frame_function_append(p->py, p->frame, &s);
	rme_buffer_text(&s, ", ");
	rme_frame_file_append(p->py, p->frame, &s);
	if (p->frame->line >= 0) {
		rme_buffer_char(&s, ':');
		rme_buffer_signed(&s, p->frame->line);
	}
	rme_buffer_text(&s, "), nor among its globals and builtins");
	rme_locals_each(p->py, p->frame, offer_local, &near);
	rme_suggest_append(&near, "local names", false, &s);
	rme_error_end(p->error, &s);
	return false;
}

static bool step_module(struct path *p, const void *name, size_t n)
{
	rme_addr modules = rme_ptr(p->py->interp + (uint64_t)p->py->layout->interp_modules);

	p->value = rme_dict_get_str(p->py, modules, name, n);
	rme_buffer_bytes(&p->where, name, n);
	if (p->value)
		return true;

	struct rme_suggest near = suggest(p, name, n);
	struct rme_buffer s = rme_error_begin(p->error, RME_ERROR_NO_SUCH_MODULE, "no module ");
	quoted(&s, name, n);
	rme_buffer_text(&s, " in sys.modules");
	offer_keys(&near, modules);
	rme_suggest_append(&near, "modules", false, &s);
	rme_error_end(p->error, &s);
	return false;
}

/* What an attribute that was not found could have been. */
static void append_attributes(struct path *p, const void *name, size_t n, struct rme_buffer *s)
{
	struct rme_suggest near = suggest(p, name, n);

	rme_attributes_each(p->py, p->value, offer_attribute, &near);
	for (uint64_t i = 0; i < MAX_FIELDS; i++) {
		rme_addr field = rme_namedtuple_field(p->py, rme_type_of(p->py, p->value), i);
		if (!field)
			break;
		rme_suggest_offer(&near, field, NULL);
	}
	rme_members_each(p->py, rme_type_of(p->py, p->value), offer_member, &near);
	rme_computed_each(p->py, p->value, offer_computed, &near);
	rme_suggest_append(&near, "attributes that can be read", false, s);
}

static void went_to_attribute(struct path *p, const void *name, size_t n)
{
	rme_buffer_char(&p->where, '.');
	rme_buffer_bytes(&p->where, name, n);
}

/* A generator's frame (from 3.11) and every f_locals have no object of their own, but a
 * path may lead through them to a variable: generator.gi_frame.f_locals["x"],
 * traceback.tb_frame.f_locals["x"]. */
static bool step_frame(struct path *p, const void *name, size_t n)
{
	struct rme_python *py = p->py;
	rme_addr type = rme_type_of(py, p->value);

	if (rme_bytes_are(name, n, "f_locals")) {
		if (type == py->sym.frame)
			p->inner = rme_frame_of_object(py, p->value);
		p->locals = p->inner != 0;
	} else if (py->layout->gen_iframe != RME_ABSENT &&
	           ((type == py->sym.generator && rme_bytes_are(name, n, "gi_frame")) ||
	            (type == py->sym.coroutine && rme_bytes_are(name, n, "cr_frame")) ||
	            (type == py->sym.async_generator && rme_bytes_are(name, n, "ag_frame")))) {
		p->inner = rme_frame_of_generator(py, p->value);
	} else {
		return false;
	}
	if (p->inner)
		went_to_attribute(p, name, n);
	return p->inner != 0;
}

static bool step_variable(struct path *p, uint32_t kind, const void *name, size_t n)
{
	struct wanted_local local = {p->py, name, n, 0};
	struct rme_frame frame;
	bool readable = rme_frame_read(p->py, p->inner, &frame);

	if (readable && p->locals && kind == RME_STEP_KEY_STR)
		rme_locals_each(p->py, &frame, on_local, &local);
	if (local.value) {
		p->value = local.value;
		p->inner = 0;
		p->locals = false;
		rme_buffer_text(&p->where, "[\"");
		rme_buffer_bytes(&p->where, name, n);
		rme_buffer_text(&p->where, "\"]");
		return true;
	}
	struct rme_suggest near = suggest(p, name, kind == RME_STEP_KEY_STR ? n : 0);
	struct rme_buffer s = rme_error_begin(p->error, RME_ERROR_NO_SUCH_KEY, "");
	rme_buffer_bytes(&s, p->where.data, p->where.size);
	rme_buffer_text(&s, p->locals && kind ? " has no such variable"
	                    : p->locals       ? " is no object: go on with [\"NAME\"]"
	                                      : " is no object: go on with .f_locals[\"NAME\"]");
	if (readable)
		rme_locals_each(p->py, &frame, offer_local, &near);
	rme_suggest_append(&near, "local names", false, &s);
	rme_error_end(p->error, &s);
	return false;
}

static bool step_attribute(struct path *p, const void *name, size_t n)
{
	if (!p->locals && step_frame(p, name, n))
		return true;
	if (p->inner)
		return step_variable(p, RME_STEP_ATTRIBUTE, name, n);
	rme_addr found;
	enum rme_lookup outcome = rme_attribute_get(p->py, p->value, name, n, &found);

	if (outcome == RME_LOOKUP_FOUND) {
		p->value = found;
		went_to_attribute(p, name, n);
		return true;
	}
	struct rme_buffer s = rme_error_begin(p->error, RME_ERROR_NO_SUCH_ATTRIBUTE, "");
	subject(p, &s);
	if (outcome == RME_LOOKUP_ABSENT) {
		rme_buffer_text(&s, " has no attribute ");
		quoted(&s, name, n);
		if (rme_type_lookup(p->py, rme_type_of(p->py, p->value), "__getattr__", 11))
			rme_buffer_text(&s, " of its own (its __getattr__ is code and is not run)");
	} else {
		rme_buffer_text(&s, ": its attribute ");
		quoted(&s, name, n);
		rme_buffer_text(&s, outcome == RME_LOOKUP_NUMBER
		                        ? " is a C field without an object, a "
		                        : " is computed by code, which is not run: a ");
		rme_type_name_append(p->py, rme_type_of(p->py, found), &s);
	}
	append_attributes(p, name, n, &s);
	rme_error_end(p->error, &s);
	return false;
}

static void key_text(const struct rme_key *k, struct rme_buffer *out)
{
	if (k->kind == RME_STEP_KEY_INT) {
		rme_buffer_signed(out, k->integer);
	} else if (k->kind == RME_STEP_KEY_NONE) {
		rme_buffer_text(out, "None");
	} else {
		if (k->kind == RME_STEP_KEY_BYTES)
			rme_buffer_char(out, 'b');
		typed(out, k->data, k->n, '"');
	}
}

static bool step_key(struct path *p, const struct rme_key *k)
{
	struct rme_item item;
	struct rme_buffer s;

	if (p->inner)
		return step_variable(p, k->kind, k->data, k->n);
	rme_item_get(p->py, p->value, k, &item);
	if (item.value) {
		p->value = item.value;
		rme_buffer_char(&p->where, '[');
		key_text(k, &p->where);
		rme_buffer_char(&p->where, ']');
		return true;
	}
	if (item.container == RME_NO_CONTAINER) {
		s = rme_error_begin(p->error, RME_ERROR_NOT_SUBSCRIPTABLE, "");
		subject(p, &s);
		rme_buffer_text(&s, " is no dict, list, tuple or deque, so [");
		key_text(k, &s);
		rme_buffer_text(&s, "] cannot be read without running code");
		append_attributes(p, "", 0, &s);
		rme_error_end(p->error, &s);
		return false;
	}
	s = rme_error_begin(p->error, RME_ERROR_NO_SUCH_KEY, "");
	subject(p, &s);
	rme_buffer_text(&s, item.container == RME_MAPPING ? " has no key " : " has no item ");
	key_text(k, &s);
	if (item.container == RME_MAPPING) {
		struct rme_suggest near =
		    suggest(p, k->data, k->kind == RME_STEP_KEY_STR ? k->n : 0);
		offer_keys(&near, item.dict);
		rme_suggest_append(&near, "keys", true, &s);
	} else {
		rme_buffer_text(&s, "; its length is ");
		rme_buffer_unsigned(&s, item.length);
	}
	rme_error_end(p->error, &s);
	return false;
}

static void no_object(struct path *p, uint32_t kind, rme_addr address)
{
	struct rme_buffer s = rme_error_begin(p->error, RME_ERROR_NO_OBJECT, "");

	if (kind == RME_STEP_ADDRESS) {
		rme_buffer_text(&s, "there is no Python object at ");
		rme_buffer_hex(&s, address);
		rme_buffer_text(&s, ": the address is wrong, or the object was freed or damaged");
	} else {
		rme_buffer_bytes(&s, p->where.data, p->where.size);
		rme_buffer_text(&s, " refers to ");
		rme_buffer_hex(&s, address);
		rme_buffer_text(&s, ", where there is no Python object: it was freed or damaged");
	}
	rme_error_end(p->error, &s);
	p->error->address = address;
}

static bool step(struct path *p, uint32_t kind, const void *data, size_t n)
{
	struct rme_key key = {kind, data, n, 0};

	switch (kind) {
	case RME_STEP_NAME:
		return step_name(p, data, n);
	case RME_STEP_MODULE:
		return step_module(p, data, n);
	case RME_STEP_ADDRESS:
		if (n != sizeof p->value)
			break;
		memcpy(&p->value, data, n);
		rme_buffer_hex(&p->where, p->value);
		return true;
	case RME_STEP_ATTRIBUTE:
		return step_attribute(p, data, n);
	case RME_STEP_KEY_INT:
		if (n != sizeof key.integer)
			break;
		memcpy(&key.integer, data, n);
		return step_key(p, &key);
	case RME_STEP_KEY_STR:
	case RME_STEP_KEY_BYTES:
	case RME_STEP_KEY_NONE:
		return step_key(p, &key);
	}
	rme_error_set(p->error, RME_ERROR_BAD_REQUEST,
	              "the request has a step that is not known here");
	return false;
}

static size_t round8(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

static bool resolve(struct path *p, const struct rme_expr *expr)
{
	const char *at = (const char *)expr + sizeof *expr + round8(expr->text_size);
	const char *end = (const char *)expr + expr->size;

	for (uint32_t i = 0; i < expr->n_steps; i++) {
		const struct rme_step *s = (const void *)at;
		/* The steps that go into an object, not the ones that begin a path. */
		bool inside = i > 0;
		if (end < at || (size_t)(end - at) < sizeof *s ||
		    (size_t)(end - at) - sizeof *s < s->size ||
		    inside != (s->kind > RME_STEP_ADDRESS)) {
			rme_error_set(p->error, RME_ERROR_BAD_REQUEST,
			              "the request holds a malformed EXPR");
			return false;
		}
		if (!step(p, s->kind, s + 1, s->size))
			return false;
		if (!rme_is_object(p->py, p->value)) {
			no_object(p, s->kind, p->value);
			return false;
		}
		at += sizeof *s + round8(s->size);
	}
	if (p->inner)
		return step_variable(p, 0, "", 0);
	return expr->n_steps > 0;
}

bool rme_path_resolve(struct rme_python *py, const struct rme_frame *frame,
                      const struct rme_expr *expr, rme_addr *ret, struct rme_error *error)
{
	struct path p = {.py = py, .frame = frame, .error = error};
	struct rme_guard guard;

	p.where = (struct rme_buffer){p.text, sizeof p.text, 0, false};
	rme_error_set(error, RME_ERROR_BAD_REQUEST, "the request holds an EXPR without steps");
	if (RME_GUARD(py->guards, &guard)) {
		bool found = resolve(&p, expr);
		rme_guard_pop(py->guards, &guard);
		if (found) {
			*ret = p.value;
			error->kind = RME_NO_ERROR;
		}
		return found;
	}
	struct rme_buffer s = rme_error_begin(error, RME_ERROR_NO_OBJECT, "reading ");
	rme_buffer_bytes(&s, (const char *)(expr + 1),
	                 expr->text_size < 100 ? expr->text_size : 100);
	rme_buffer_text(&s, " failed at ");
	rme_buffer_hex(&s, guard.fault_address);
	rme_buffer_text(&s, " after ");
	rme_buffer_bytes(&s, p.text, p.where.size);
	rme_buffer_text(&s, ": an object on the way is damaged, or its memory is missing");
	rme_error_end(error, &s);
	error->address = guard.fault_address;
	return false;
}

bool rme_path_is_address(const struct rme_expr *expr, rme_addr *ret)
{
	const struct rme_step *s =
	    (const void *)((const char *)(expr + 1) + round8(expr->text_size));

	if (expr->n_steps != 1 || s->kind != RME_STEP_ADDRESS || s->size != sizeof *ret)
		return false;
	memcpy(ret, s + 1, sizeof *ret);
	return true;
}
