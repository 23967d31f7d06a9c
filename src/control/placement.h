/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_PLACEMENT_H
#define WEFT_PLACEMENT_H

#include "control/config.h"
#include "core/dataplane.h"
#include "core/error.h"

/* Fills in the plan: the configuration's mode, and the stages that it puts on lcores of their own.
 * `dataplane` has its lcores already. 0, or -1 and *error, which names the file. */
int placement_plan(
	const struct config *config, struct dataplane_config *dataplane, struct error *error);

#endif
