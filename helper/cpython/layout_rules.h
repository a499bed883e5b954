/* What the tp_traverse of a type visits that follows pointers or counts, one function
 * per type: the same since 3.8 unless said otherwise. */
#ifndef RME_CPYTHON_LAYOUT_RULES_H
#define RME_CPYTHON_LAYOUT_RULES_H

#include "cpython/rule.h"
#include "cpython/type.h"
#include "runtime/sink.h"

/* The reader of a native type, by what it is or by its name (0: not
 * known); `words`, `visits_type` and `managed` are set too. False: no rule is known. */
bool rme_rule_find(struct rme_python *py, rme_addr type, struct rme_rule *ret);

/* What rule->reader reads. True when it was not exact. */
bool rme_rule_read(struct rme_python *py, struct rme_type *t, const struct rme_rule *rule,
                   rme_addr o, const struct rme_sink *sink);

/* The managed dict or inline values, as PyObject_VisitManagedDict. */
void rme_refs_managed(struct rme_python *py, rme_addr o, const struct rme_sink *sink);

#endif
