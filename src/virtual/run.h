/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_VIRTUAL_RUN_H
#define WEFT_VIRTUAL_RUN_H

#include "base/error.h"
#include "control/config.h"
#include "control/run.h"

/*
 * `weft -- -c FILE --clock virtual`: a run on virtual lcores, with the traffic that the
 * configuration describes, from the first packet to the closing report.
 */
/* What of a configuration only a virtual run can have wrong: its lcores, and what things cost. */
void run_virtual_check(const struct config *config, struct error_list *errors);

/* EXIT_SUCCESS if all invariants held, EXIT_FAILURE if not, or -1 and *error if it could not start.
 * The results are written to the file `json` too, unless it is NULL. The configuration was checked
 * with devices_replace_ports() done; it is changed. */
int run_virtual(struct config *config, const struct run_options *options, const char *json,
	struct error *error);

#endif
