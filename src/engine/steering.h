/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_STEERING_H
#define WEFT_STEERING_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "engine/door.h"

/*
 * A door as the first lcore of paths: which flow group or elephant a packet belongs to, which way
 * that goes, and when it may change. For the lcore loop, within a turn, but for what is said
 * otherwise.
 */

/* What a door needs for it; one that receives from no uplink has no elephants. -1 if memory is
 * short. Main lcore; free with steering_free(), in that case, too. */
int steering_init(
	struct door *door, const struct dataplane *dataplane, bool receives, int socket_id);
void steering_free(struct door *door);

/* Goes by this turn's plan from now on. */
void steering_adopt(struct lcore *lcore);

/* Packets that come from uplinks are to be told apart in another way, when none is on its way. */
static inline bool steering_waits(const struct door *door)
{
	return door->sorting != door->next_sorting;
}

/* Ends moves, and sends on what waited for that. Returns the number of packets. */
uint16_t steering_poll(struct lcore *lcore);

/* Sends packets that an uplink has received on their ways. */
void steering_enter(
	struct lcore *lcore, const struct port *port, struct rte_mbuf **mbufs, uint16_t n);

/* A look at loads and rates, now and then: the gate, whether groups would better go elsewhere, and
 * which flows are elephants. */
void steering_look_around(struct lcore *lcore);

#endif
