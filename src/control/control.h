/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_CONTROL_H
#define WEFT_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ring.h>

#include "base/error.h"
#include "base/events.h"
#include "control/config.h"
#include "control/deferred.h"
#include "control/fdb.h"
#include "control/neighbours.h"
#include "control/networks.h"
#include "control/pools.h"
#include "control/ports.h"
#include "control/remotes.h"
#include "engine/dataplane.h"

/*
 * The control side: everything that is not done per packet, done by the main lcore alone, in
 * control_poll(). It owns the ports, the FDB's contents, the neighbours and the tables; the data
 * path reads the tables and sends notices. Telemetry's threads reach it through requests.
 */

struct control {
	struct config *config;
	struct dataplane *dataplane;
	struct events *events; /* what wakes the main lcore */
	struct pools pools;
	struct fdb fdb;
	struct neighbours neighbours;
	struct remotes remotes;
	struct networks networks;
	struct ports ports;
	bool changed; /* the tables are to be published again */
	struct deferred_list deferred;
	uint64_t started; /* clock at start */
};

/* Resolves the configuration's names, makes pools, hash tables and ports, and publishes the first
 * tables. *config and *dataplane stay the caller's. NULL and *error on failure. */
struct control *control_create(
	struct config *config, struct dataplane *dataplane, struct error *error);

/* Does what was deferred and detaches all ports. No lcore runs any more. */
void control_detach(struct control *control);

/* The same, and frees everything. */
void control_free(struct control *control);

/* One round of control work; never blocks. True while a change of plan is under way, for which no
 * lcore receives: then the next round should come soon. */
bool control_poll(struct control *control);

/* Frees a plan that was replaced, once no lcore can see it; NULL: nothing to do. */
void control_retire_plan(struct control *control, struct plan *plan);

/* Goes over to another mode while packets flow: flow groups get their new paths in the background,
 * each after one drain of its old one, so none is reordered. Stages that [pipeline] places stay
 * where they are. -1 and *error, and nothing has changed, if no mode is called so, or if this one
 * cannot be entered or left at run time. */
int control_set_mode(struct control *control, const char *name, struct error *error);

uint64_t control_now_ms(const struct control *control);
uint32_t control_now_seconds(const struct control *control);

#endif
