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

/*
 * An lcore as a door: it receives packets, as far as credits go, and is the first lcore of the
 * paths of their flow groups (engine/steering.h). For the lcore loop, within a turn, but for what
 * is said otherwise.
 */

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
	uint16_t cursor;	    /* group to be reviewed next */
	uint16_t first_queue;	    /* of the owned ones, to be polled first */
	uint32_t loads[LCORES_MAX]; /* of each steering lcore, as last seen */
};

/* The path of a packet that belongs to a flow group or a branch. */
static inline const struct path *door_path(
	const struct dataplane *dataplane, const struct packet *packet)
{
	return &dataplane->paths[packet->first][packet->group];
}

/* Packets that may still enter here. One credit in eight is not among them: a replica must find
 * one, however many packets wait to be flooded. */
uint32_t door_credits(struct lcore *lcore);

/* Replicas that may still be made here: all credits that are left. */
uint32_t door_replica_credits(struct lcore *lcore);

/* How many of n packets of a group that have just come in may go on. */
uint16_t door_room(struct lcore *lcore, uint16_t group, uint16_t n);

/* Receives from the queues that the lcore owns. Returns the number of packets, and sets *refused if
 * credits kept a queue from being polled. */
uint16_t door_poll_queues(struct lcore *lcore, bool *refused);

#endif
