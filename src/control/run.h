/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_RUN_H
#define WEFT_RUN_H

#include <signal.h>

#include "base/error.h"
#include "control/config.h"

/*
 * A run on EAL's lcores: workers carry packets, the main lcore does the control work, until a
 * signal comes. Main lcore.
 */

/* What whoever starts a run gives it; a virtual run takes the same. */
struct run_options {
	unsigned int stats_period; /* of the run's seconds; 0: no statistics */
	const volatile sig_atomic_t *signalled;
	int wake_fd;	    /* readable when there is something to look at: an eventfd */
	void (*wake)(void); /* makes it so, on any thread; called when a request has come */
};

/* Whether the worker lcores that EAL's arguments give are those that the configuration names.
 * Starts EAL, and ends it, with nothing but its lcores, to know which they are: no devices, files,
 * nor huge pages, so that a weft that runs meanwhile is not disturbed. */
void run_real_check(const struct config *config, int argc, char **argv, struct error_list *errors);

/* EAL has started. EXIT_SUCCESS if all invariants held, EXIT_FAILURE if not, or if what is wrong
 * has been printed; -1 and *error if it could not start. The configuration was checked. */
int run_real(struct config *config, const struct run_options *options, struct error *error);

#endif
