/* From an offset in a code object's bytecode to the line in its source. Loads may
 * fault: callers hold a guard. */
#ifndef RME_CPYTHON_LINE_H
#define RME_CPYTHON_LINE_H

#include "cpython/python.h"

/* The line of the instruction at `offset` bytes; negative: the code has not started,
 * its first line. -1 when the compiler gave that instruction no line. */
int32_t rme_line_at(const struct rme_python *py, rme_addr code, int64_t offset);

#endif
