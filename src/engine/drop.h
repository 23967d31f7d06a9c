/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_DROP_H
#define WEFT_DROP_H

#include <stdint.h>

#include <rte_mbuf.h>

#include "engine/lcore.h"

/* How packets end inside weft: each is counted, written down in the ledger, and freed. A merge that
 * waits for it hears of it. For the lcore loop. */

/* As one of a step's drops, in that step. */
void drop_packets(struct lcore *lcore, enum step step, unsigned int number, struct rte_mbuf **mbufs,
	uint16_t n);

/* In a step that has given them a verdict which it has not. */
void drop_unknown(struct lcore *lcore, enum step step, struct rte_mbuf **mbufs, uint16_t n);

/* In a step, those that were for weft itself. */
void drop_consumed(struct lcore *lcore, enum step step, struct rte_mbuf **mbufs, uint16_t n);

#endif
