/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_DOOR_H
#define WEFT_DOOR_H

#include <stdbool.h>
#include <stdint.h>

#include "core/dataplane.h"
#include "core/lcore.h"
#include "steer/gate.h"
#include "steer/moves.h"

/*
 * An lcore as a door: it receives packets, as far as credits go, and is the first lcore of the
 * paths of their flow groups. For the lcore loop, within a turn, but for what is said otherwise.
 */

struct door {
	struct moves moves;
	struct gate gate;
	uint32_t plan;		    /* number of the one that the paths are by */
	uint64_t arrived;	    /* packets to be steered, with those refused */
	uint64_t pressed;	    /* cycles back-pressured, when it was last looked */
	uint16_t cursor;	    /* group to be reviewed next */
	uint32_t loads[LCORES_MAX]; /* of each steering lcore, as last seen */
};

/* Makes the lcore's door; NULL if memory is short. Free with rte_free(). Main lcore. */
struct door *door_create(int socket_id);

/* The path of a packet that belongs to a flow group. */
static inline const struct path *door_path(
	const struct dataplane *dataplane, const struct packet *packet)
{
	return &dataplane->paths[packet->first][packet->group];
}

/* Packets that may still enter here. */
uint32_t door_credits(struct lcore *lcore);

/* Goes by this turn's plan from now on. */
void door_adopt(struct lcore *lcore);

/* Sends on what waited for a move that has ended. Returns the number of packets. */
uint16_t door_poll_moves(struct lcore *lcore);

/* Receives from the queues that the lcore owns. Returns the number of packets, and sets *refused if
 * credits kept a queue from being polled. */
uint16_t door_poll_queues(struct lcore *lcore, bool *refused);

/* A look at the loads, now and then: the gate, and whether groups would better go elsewhere. */
void door_look_around(struct lcore *lcore);

#endif
