/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_MERGING_H
#define WEFT_MERGING_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "engine/lcore.h"

/*
 * From branches to merges: what is put back in order crosses between lcores under labels, and its
 * merge (reorder/merge.h) lets it on. For the lcore loop, within a turn.
 */

/* Sends packets of branches to the lcore that merges them, before `step`. */
void merging_send(
	struct lcore *lcore, uint16_t to, uint16_t step, struct rte_mbuf **mbufs, uint16_t n);

/* The packet is on a branch, and to be merged behind that stage. */
bool merging_is_ahead(const struct lcore *lcore, const struct packet *packet, enum step stage);

/* The packet, which is about to be freed, ends in that stage. True if a merge waits for it: then
 * that is told, and the packet's credits come back from there. */
bool merging_mark(struct lcore *lcore, enum step stage, struct rte_mbuf *mbuf);

/* What has come from another lcore, or from this one, among which are labels: those whose turn it
 * is go to the steps that they wait for. */
void merging_unpack(struct lcore *lcore, struct inbox *inbox, void **parcels, uint16_t n);

/* From the merge the packet goes to that lcore. */
void merging_note_consumer(
	const struct lcore *lcore, const struct packet *packet, uint16_t consumer);

#endif
