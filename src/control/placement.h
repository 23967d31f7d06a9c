/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_PLACEMENT_H
#define WEFT_PLACEMENT_H

#include "base/error.h"
#include "control/config.h"

/*
 * Which lcore does what, by the configuration: it names lcores by EAL's ids, the data path by
 * indices. Main lcore.
 */

struct dataplane_config;

/* The worker lcores there are, by index. */
struct workers {
	const unsigned int *ids;
	uint16_t n;
	const char *no_such; /* what is said of an id that is none of them */
};

/* Index of the worker with that id; -1 if there is none. */
int placement_lcore(const struct workers *workers, uint32_t id);

/* Bit i for each worker i that is in the list. */
uint64_t placement_set(const struct workers *workers, const struct lcore_list *lcores);

/* Index of the lcore that owns a queue of an uplink: one of its `lcores`, or of all workers, in
 * round. */
uint16_t placement_uplink_owner(
	const struct workers *workers, const struct uplink_config *uplink, uint16_t queue);

/* Fills in the plan (the configuration's mode, and the stages that it puts on lcores of their own),
 * which lcores receive from uplinks, the steering lcores, and those of micro-flows. `dataplane` has
 * its lcores already, and check_lcores() has found all that the configuration names. */
void placement_plan(const struct config *config, struct dataplane_config *dataplane);

#endif
