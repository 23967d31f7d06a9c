/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_STEERING_H
#define WEFT_STEERING_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "engine/door.h"
#include "engine/lcore.h"

/*
 * What comes from uplinks on its way: which group a packet belongs to, and off along that group's
 * path. For the lcore loop, but for what is said otherwise.
 */

/* What a door needs for it; one that receives from no uplink has no elephants. -1 if memory is
 * short. Main lcore; free with steering_free(), in that case, too. */
int steering_init(
	struct door *door, const struct dataplane *dataplane, bool receives, int socket_id);
void steering_free(struct door *door);

/* Packets that come from uplinks are to be told apart in another way, when none is on its way. */
static inline bool steering_waits(const struct door *door)
{
	return door->sorting != door->next_sorting;
}

/* Elephants are split here. */
static inline bool steering_may_split(const struct lcore *lcore)
{
	return lcore->plan->splits && lcore->dataplane->n_lcores > 1 &&
	       lcore->door->elephants.n_elephants > 0 && !steering_waits(lcore->door);
}

/* Sends packets that an uplink has received on their ways. */
void steering_enter(
	struct lcore *lcore, const struct port *port, struct rte_mbuf **mbufs, uint16_t n);

/* Sends and runs what was held while the group moved: it may have another group by now, and that
 * may be moving, too. Returns the number of packets. */
uint16_t steering_send_held(struct lcore *lcore, struct group group);

#endif
