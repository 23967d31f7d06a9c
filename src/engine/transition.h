/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_TRANSITION_H
#define WEFT_TRANSITION_H

#include <stdint.h>

#include <rte_mbuf.h>

#include "engine/lcore.h"

/*
 * How packets get from one stage to the next, on this lcore or another. For the lcore loop, within
 * a turn.
 */

/* Sends packets on to a step, each on the lcore that does it for them. */
void transition(struct lcore *lcore, uint16_t step, struct rte_mbuf **mbufs, uint16_t n);

/* Runs what waits for this step and those after it. */
void transition_run_from(struct lcore *lcore, unsigned int step);

/* Takes what has come for this lcore, and runs it. Returns the number of packets. */
uint16_t transition_poll_inbox(struct lcore *lcore);

/* Packets that wait for a step on this lcore. */
void transition_arrive(struct lcore *lcore, uint16_t step, struct rte_mbuf **mbufs, uint16_t n);

/* Time since the last mark goes to *counter. */
static inline void lcore_account(struct lcore *lcore, uint64_t *counter)
{
	uint64_t now = clock_read(&lcore->dataplane->clock);

	counter_add(counter, now - lcore->mark);
	lcore->mark = now;
}

static inline uint32_t bytes_of(struct rte_mbuf **mbufs, uint16_t n)
{
	uint32_t bytes = 0;

	for (uint16_t i = 0; i < n; i++)
		bytes += mbufs[i]->pkt_len;
	return bytes;
}

#endif
