/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_TRANSITION_H
#define WEFT_TRANSITION_H

#include <stdint.h>

#include <rte_mbuf.h>

#include "core/lcore.h"

/*
 * How packets get from one stage to the next, on this lcore or another, and how they end. For the
 * lcore loop, within a turn.
 */

/* Sends packets on to a step, each on the lcore that does it for them. */
void transition(struct lcore *lcore, uint16_t step, struct rte_mbuf **mbufs, uint16_t n);

/* Runs what waits for this step and those after it. */
void transition_run_from(struct lcore *lcore, unsigned int step);

/* Takes what has come for this lcore, and runs it. Returns the number of packets. */
uint16_t transition_poll_inbox(struct lcore *lcore);

/* Hands over what was collected for other lcores. */
void transition_flush(struct lcore *lcore);

/* Counts and frees packets. */
void transition_drop(struct lcore *lcore, struct rte_mbuf **mbufs, uint16_t n, enum drop reason);

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
