/* Finding _PyRuntime without a symbol table. The one thing that undump knows of
 * Python. */
#ifndef UD_RUNTIME_H
#define UD_RUNTIME_H

#include "undump/image.h"

/* The address of _PyRuntime in an image whose file is not here, by the cookie that
 * it begins with since 3.13 (Include/internal/pycore_debug_offsets.h); 0 when there
 * is none. An image whose file is here has symbols, which are better. */
uint64_t ud_runtime_find(const struct ud_target *target, const struct ud_images *images);

#endif
