#include "cpython/python.h"

void rme_version_append(uint32_t version, struct rme_buffer *out)
{
	rme_buffer_unsigned(out, version >> 24);
	rme_buffer_char(out, '.');
	rme_buffer_unsigned(out, version >> 16 & 0xff);
	if (version & 0xff00 || version & 0xff) {
		rme_buffer_char(out, '.');
		rme_buffer_unsigned(out, version >> 8 & 0xff);
	}
}
