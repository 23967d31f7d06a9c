/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_VIRTUAL_RUN_H
#define WEFT_VIRTUAL_RUN_H

#include <signal.h>

#include "base/error.h"
#include "control/config.h"

/*
 * `weft -- -c FILE --clock virtual`: a run on virtual lcores, with the traffic that the
 * configuration describes, from the first packet to the closing report.
 */
struct run_options {
	const char *json;	   /* file for the results, or NULL */
	unsigned int stats_period; /* virtual seconds; 0: none */
	const volatile sig_atomic_t *signalled;
	void (*wake)(void); /* called when a request has come */
};

/* What of a configuration only a virtual run can have wrong: its lcores, and what things cost. */
void run_virtual_check(const struct config *config, struct error_list *errors);

/* EXIT_SUCCESS if all invariants held, EXIT_FAILURE if not, or -1 and *error if it could not start.
 * The configuration was checked; it is changed. */
int run_virtual(struct config *config, const struct run_options *options, struct error *error);

#endif
