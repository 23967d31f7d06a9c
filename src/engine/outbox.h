/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_OUTBOX_H
#define WEFT_OUTBOX_H

#include <stdint.h>

#include <rte_mbuf.h>

#include "engine/lcore.h"

/*
 * Packets on their way to an lcore's inbox: collected, and handed over in bursts. What is to be
 * merged goes this way also where the merge is this lcore's own. For the lcore loop; n is at most
 * STAGE_BURST_MAX.
 */

/* Packets that wait for `step` on the lcore `to`. */
void outbox_add(
	struct lcore *lcore, uint16_t to, enum step step, struct rte_mbuf **mbufs, uint16_t n);

/* To the lcore that merges: packets with the label that they are under, and a label by itself. */
void outbox_add_labelled(struct lcore *lcore, uint16_t to, union label label, enum step step,
	struct rte_mbuf **mbufs, uint16_t n);
void outbox_add_label(struct lcore *lcore, uint16_t to, union label label);

/* Counts and frees a packet that a queue had no room for. Credits rule it out; were they wrong, it
 * must not go unseen. (A merge that waits for the packet would do so for ever.) */
void outbox_lose(struct lcore *lcore, struct rte_mbuf *mbuf);

/* Hands over what was collected. */
void outbox_flush_all(struct lcore *lcore);

#endif
