/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_ROUTE_H
#define WEFT_ROUTE_H

#include <stdint.h>

#include <rte_mbuf.h>

#include "engine/lcore.h"

/* On which lcore the next step of a packet runs, and sending it there. For the lcore loop. */

/* Sends packets on to a step, each on the lcore that does it for them. */
void route(struct lcore *lcore, enum step step, struct rte_mbuf **mbufs, uint16_t n);

/* The same of all that waits for the step `from`, which is further up. */
void route_vector(struct lcore *lcore, enum step from, enum step step);

/* Packets that wait for a step on this lcore. */
static inline void route_here(
	struct lcore *lcore, enum step step, struct rte_mbuf **mbufs, uint16_t n)
{
	vectors_add(&lcore->vectors, lcore_step_here(lcore, step), mbufs, n);
}

#endif
