/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_OUTBOX_H
#define WEFT_OUTBOX_H

#include <stdint.h>

#include <rte_mbuf.h>

#include "engine/lcore.h"

/*
 * Packets on their way to another lcore's inbox: collected, and handed over in bursts. For the
 * lcore loop, within a turn; n is at most STAGE_BURST_MAX.
 */

/* Packets that wait for `step` on the lcore `to`, which is another one. */
void outbox_add(
	struct lcore *lcore, uint16_t to, uint16_t step, struct rte_mbuf **mbufs, uint16_t n);

/* To the lcore that merges, which may be this one: packets with the label that they are under, and
 * a label by itself. */
void outbox_add_labelled(struct lcore *lcore, uint16_t to, union label label, uint16_t step,
	struct rte_mbuf **mbufs, uint16_t n);
void outbox_add_label(struct lcore *lcore, uint16_t to, union label label);

/* Merges what the lcore has for itself. */
void outbox_merge_own(struct lcore *lcore);

/* Hands over what was collected for other lcores. */
void outbox_flush_all(struct lcore *lcore);

#endif
