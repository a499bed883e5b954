/* What undump itself has to say about the answer: which files were used, what the
 * core lacks. */
#ifndef UD_REPORT_H
#define UD_REPORT_H

#include <stdio.h>

#include "undump/child.h"

/* Prints the error object of undump. `framed`: behind its length in eight bytes. */
void ud_report_error(const struct rme_error *error, bool framed);

struct ud_report {
	const struct ud_target *target;
	const struct ud_images *images;
	const struct ud_plan *plan;
	const struct ud_request *request;
	const struct ud_place *place;
	const struct ud_outcome *outcome;
	const char *rights_kept; /* ud_rights.kept */
};

/* Prints the helper's reply with the member "undump" added; true when the reply is
 * an answer, false when it is an error object. */
bool ud_report_answer(const struct ud_report *report, bool framed);

#endif
