#include "cpython/owned_fields.h"

#include "cpython/facts.h"
#include "cpython/type_name.h"

/* For the rows of owned.def. */
enum which { ANY, NO_GC };
enum { NEVER = 255 };

static unsigned take_row(const struct rme_python *py, bool gc, enum which which,
                         unsigned minor_last, const int32_t *fields, size_t n, uint16_t *ret,
                         unsigned n_ret)
{
	if ((which == NO_GC && gc) || (py->version >> 16 & 0xff) > minor_last)
		return n_ret;
	for (size_t i = 0; i < n && n_ret < RME_MAX_OWNED; i++)
		if (fields[i] != RME_ABSENT)
			ret[n_ret++] = (uint16_t)fields[i];
	return n_ret;
}

bool rme_owned_fields(const struct rme_python *py, rme_addr native, uint16_t *ret, uint8_t *n_ret)
{
	const char *name = rme_type_c_name(py, native);
	bool gc = rme_u64(native + L(type_flags)) & RME_FLAG_HAVE_GC;
	unsigned n = 0;

#define F(field) py->layout->field
#define OWNED(tp_name, which, minor_last, ...)                                                     \
	if (name && rme_streq(name, tp_name)) {                                                    \
		const int32_t fields[] = {__VA_ARGS__};                                            \
		n = take_row(py, gc, which, minor_last, fields, sizeof fields / sizeof *fields,    \
		             ret, n);                                                              \
	}
#include "cpython/owned.def"
#undef OWNED
#undef F
	*n_ret = (uint8_t)n;
	return name;
}
