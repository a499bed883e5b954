#include "undump/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool ud_fail(struct ud_error *error, const char *kind, const char *format, ...)
{
	va_list args;

	snprintf(error->kind, sizeof error->kind, "%s", kind);
	va_start(args, format);
	vsnprintf(error->message, sizeof error->message, format, args);
	va_end(args);
	return false;
}

void *ud_must(void *p)
{
	if (!p) {
		puts("{\"error\":{\"kind\":\"system\",\"message\":\"out of memory\"}}");
		exit(1);
	}
	return p;
}
