#include "undump/fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool ud_fail(struct rme_error *error, enum rme_error_kind kind, const char *format, ...)
{
	va_list args;

	error->kind = kind;
	error->address = 0;
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
