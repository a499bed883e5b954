#include "cpython/label.h"

#include "cpython/attribute.h"
#include "cpython/class.h"
#include "cpython/deque.h"
#include "cpython/dict.h"
#include "cpython/frame.h"
#include "cpython/key.h"
#include "cpython/lookup.h"
#include "cpython/object.h"
#include "cpython/str.h"
#include "cpython/type.h"

/* The search for one reference. */
struct search {
	struct rme_python *py;
	rme_addr parent, child;
	uint64_t left; /* entries that may still be looked at */
	struct rme_buffer *out;
};

static bool entry(struct search *s, rme_addr value)
{
	if (!s->left)
		return false;
	s->left--;
	return value == s->child;
}

static void append_attribute(struct search *s, const char *name)
{
	/* A name of the debuggee may have no end. */
	enum { MAX_NAME = 200 };

	rme_buffer_char(s->out, '.');
	for (size_t i = 0; i < MAX_NAME && name[i]; i++)
		rme_buffer_char(s->out, name[i]);
}

static void append_index(struct search *s, uint64_t i)
{
	rme_buffer_char(s->out, '[');
	rme_buffer_unsigned(s->out, i);
	rme_buffer_char(s->out, ']');
}

static void append_key(struct search *s, rme_addr key)
{
	rme_buffer_char(s->out, '[');
	rme_key_append(s->py, key, s->out);
	rme_buffer_char(s->out, ']');
}

static bool in_dict(struct search *s)
{
	struct rme_dict_iter it = {0};

	while (s->left && rme_dict_next(s->py, s->parent, &it))
		if (entry(s, it.value)) {
			append_key(s, it.key);
			return true;
		}
	return false;
}

static bool in_list(struct search *s)
{
	uint64_t n = rme_sequence_length(s->py, s->parent);

	for (uint64_t i = 0; i < n && s->left; i++)
		if (entry(s, rme_list_item(s->py, s->parent, i))) {
			append_index(s, i);
			return true;
		}
	return false;
}

static bool in_tuple(struct search *s)
{
	uint64_t n = rme_sequence_length(s->py, s->parent);

	for (uint64_t i = 0; i < n && s->left; i++) {
		if (!entry(s, rme_tuple_item(s->py, s->parent, i)))
			continue;
		rme_addr field = rme_namedtuple_field(s->py, rme_type_of(s->py, s->parent), i);
		if (!field) {
			append_index(s, i);
			return true;
		}
		rme_buffer_char(s->out, '.');
		return rme_str_append(s->py, field, 200, s->out);
	}
	return false;
}

static int on_item(void *arg, uint64_t i, rme_addr item)
{
	struct search *s = arg;

	if (entry(s, item)) {
		append_index(s, i);
		return 1;
	}
	return s->left ? 0 : -1;
}

static int on_local(void *arg, rme_addr name, rme_addr value)
{
	struct search *s = arg;

	if (value != s->child)
		return 0;
	append_key(s, name);
	return 1;
}

/* The locals of a generator, which it holds itself from 3.11 on, or of a frame. */
static bool in_frame(struct search *s, const char *before)
{
	struct rme_python *py = s->py;
	size_t start = s->out->size;
	struct rme_frame frame;
	rme_addr address =
	    *before ? rme_frame_of_generator(py, s->parent) : rme_frame_of_object(py, s->parent);

	if (!address || !rme_frame_read(py, address, &frame))
		return false;
	rme_buffer_text(s->out, before);
	rme_buffer_text(s->out, ".f_locals");
	if (rme_locals_each(py, &frame, on_local, s))
		return true;
	s->out->size = start;
	return false;
}

static int on_attribute(void *arg, rme_addr name, const char *slot, rme_addr value)
{
	struct search *s = arg;

	if (!entry(s, value))
		return s->left ? 0 : -1;
	if (slot) {
		append_attribute(s, slot);
		return 1;
	}
	rme_buffer_char(s->out, '.');
	if (!rme_str_append(s->py, name, 200, s->out))
		rme_key_append(s->py, name, s->out);
	return 1;
}

static int on_member(void *arg, const struct rme_member *m)
{
	struct search *s = arg;

	if (!m->name || (m->kind != RME_MEMBER_OBJECT && m->kind != RME_MEMBER_OBJECT_EX) ||
	    rme_ptr(rme_member_at(s->py, s->parent, m->offset, m->after_items)) != s->child)
		return 0;
	append_attribute(s, m->name);
	return 1;
}

static int on_computed(void *arg, const char *name, rme_addr value)
{
	struct search *s = arg;

	if (value != s->child)
		return 0;
	append_attribute(s, name);
	return 1;
}

static bool in_container(struct search *s)
{
	struct rme_python *py = s->py;
	rme_addr type = rme_type_of(py, s->parent);

	if (rme_is_dict(py, s->parent))
		return in_dict(s);
	if (rme_is_a(py, s->parent, RME_LIST_SUBCLASS))
		return in_list(s);
	if (rme_is_a(py, s->parent, RME_TUPLE_SUBCLASS))
		return in_tuple(s);
	if (type == py->sym.frame)
		return in_frame(s, "");
	if (type == py->sym.generator)
		return in_frame(s, ".gi_frame");
	if (type == py->sym.coroutine)
		return in_frame(s, ".cr_frame");
	if (type == py->sym.async_generator)
		return in_frame(s, ".ag_frame");
	return rme_is_deque(py, s->parent) && rme_deque_each(py, s->parent, on_item, s) > 0;
}

static bool find(struct search *s)
{
	struct rme_python *py = s->py;
	uint64_t max = s->left;

	if (!rme_is_object(py, s->parent))
		return false;
	if (in_container(s))
		return true;
	s->left = max;
	if (rme_instance_dict(py, s->parent) == s->child) {
		append_attribute(s, "__dict__");
		return true;
	}
	if (rme_attributes_each(py, s->parent, on_attribute, s) > 0 ||
	    rme_members_each(py, rme_type_of(py, s->parent), on_member, s) > 0 ||
	    rme_computed_each(py, s->parent, on_computed, s) > 0)
		return true;
	if (rme_type_of(py, s->parent) == s->child) {
		append_attribute(s, "__class__");
		return true;
	}
	return false;
}

bool rme_label_append(struct rme_python *py, rme_addr parent, rme_addr child, uint64_t max,
                      struct rme_buffer *out)
{
	struct search s = {py, parent, child, max, out};
	size_t start = out->size;
	struct rme_guard guard;

	if (RME_GUARD(py->guards, &guard)) {
		bool found = find(&s);
		rme_guard_pop(py->guards, &guard);
		if (found)
			return true;
	}
	out->size = start;
	return false;
}
