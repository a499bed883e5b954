/* Everything that an object holds, as the whole heap is seen: the references of
 * refs.h, and the modules' namespaces, classes and built-in types that those leave
 * out. Knows no query and no graph. */
#ifndef RME_CPYTHON_HOLDS_H
#define RME_CPYTHON_HOLDS_H

#include "cpython/refs.h"

/* As rme_refs_of, in the measure `owned`. An object is handed out once for each
 * reference that its count has from here; more often where tp_traverse visits what
 * `owned` hands out again (split dicts, subclasses of dict). */
void rme_holds(struct rme_python *py, struct rme_type *t, rme_addr object,
               const struct rme_sink *sink);

/* Appends how `holder` holds `object`: as rme_label_append where that has a name, so that
 * it can stand in an EXPR; else in words, in brackets: "(key)", "(cached result)". False
 * when it is neither. Holds its own guard. */
bool rme_hold_append(struct rme_python *py, rme_addr holder, rme_addr object,
                     struct rme_buffer *out);

#endif
