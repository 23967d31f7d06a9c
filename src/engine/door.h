/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_DOOR_H
#define WEFT_DOOR_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/dataplane.h"
#include "engine/lcore.h"
#include "steer/elephants.h"
#include "steer/gate.h"
#include "steer/moves.h"

/* What an lcore knows as the first lcore of the paths of flow groups and elephants:
 * engine/steering.h puts it to work. */

/* What is read by others, too, is written with relaxed stores: the plan's number, the sortings, and
 * what moves and elephants say of themselves. */
struct door {
	struct moves moves;
	struct elephants elephants;
	struct merge *merges; /* [elephant] of the lcore that merges it */
	struct gate gate;
	enum sorting sorting;	    /* of packets from uplinks, now, */
	enum sorting next_sorting;  /* and by the plan */
	uint32_t plan;		    /* number of the one that the paths are by */
	uint64_t arrived;	    /* packets to be steered, with those refused */
	uint64_t pressed;	    /* cycles back-pressured, when it was last looked */
	uint16_t cursor;	    /* flow group to be reviewed next */
	uint32_t loads[LCORES_MAX]; /* of each steering lcore, as last seen */
};

/* The path of a packet that belongs to a flow group or a branch. */
static inline const struct path *door_path(
	const struct dataplane *dataplane, const struct packet *packet)
{
	return &dataplane->paths[packet->origin.first][packet->origin.account.number];
}

#endif
