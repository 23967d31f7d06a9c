/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_CHECK_H
#define WEFT_CHECK_H

#include "base/error.h"
#include "control/config.h"
#include "control/placement.h"

/*
 * What of a configuration can be known to be wrong before anything is opened: names that name
 * nothing, two of what there may be one of, VTEPs that cannot be reached, lcores that are not
 * there. Each section's row checks what is its own (control/section.h); what the mode wants of the
 * others is here. `--check` and the start do the same. Main lcore.
 */

/* All but the lcores, which EAL may not know yet. The mode is set. */
void check_config(const struct config *config, struct error_list *errors);

/* Each lcore that is named, in all sections, must be one of the workers. */
void check_lcores(
	const struct config *config, const struct workers *workers, struct error_list *errors);

#endif
