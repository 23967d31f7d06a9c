/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_LABELS_H
#define WEFT_LABELS_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "engine/lcore.h"

/*
 * From a branch to the merge: packets that are to be put back in order go out under labels, and an
 * end mark tells of those that ended on the way. For the lcore loop.
 */

/* Sends packets of branches to the lcore that merges them, before `step`. */
void labels_send(
	struct lcore *lcore, uint16_t to, enum step step, struct rte_mbuf **mbufs, uint16_t n);

/* The packet, which `step` has, is on a branch and has its merge ahead. */
bool labels_is_ahead(const struct lcore *lcore, const struct packet *packet, enum step step);

/* The packet, which is about to be freed, ends in that step. True if a merge waits for it: then
 * that is told, and the packet's credits come back from there. */
bool labels_mark(struct lcore *lcore, enum step step, struct rte_mbuf *mbuf);

#endif
