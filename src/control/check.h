/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_CHECK_H
#define WEFT_CHECK_H

#include "base/error.h"
#include "control/config.h"
#include "control/placement.h"

/*
 * What of a configuration can be known to be wrong before anything is opened: names that name
 * nothing, two of what there may be one of, VTEPs that cannot be reached, lcores that are not
 * there. `--check` and the start do the same; `weftctl port add` asks it for the port that comes.
 * Main lcore.
 */

/* All but the lcores, which EAL may not know yet. config->virtual_clock and the mode are set. */
void check_config(const struct config *config, struct error_list *errors);

/* Each lcore that is named, in all sections, must be one of the workers. */
void check_lcores(
	const struct config *config, const struct workers *workers, struct error_list *errors);

/* A container port by itself. `workers` NULL: any lcore. */
void check_container(const struct config *config, const struct container_config *container,
	const struct workers *workers, struct error_list *errors);

/* Whether the two can be side by side; what is wrong is told of the first. */
void check_containers(const struct config *config, const struct container_config *container,
	const struct container_config *other, struct error_list *errors);

/* The next hop to a VTEP: itself within the uplink's prefix, else the gateway. -1 and *error if
 * there is no way. */
int check_route(const struct uplink_config *uplink, rte_be32_t vtep, rte_be32_t *next_hop,
	struct error *error);

#endif
