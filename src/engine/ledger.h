/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_LEDGER_H
#define WEFT_LEDGER_H

#include <stdint.h>

#include <rte_mbuf.h>

#include "engine/lcore.h"

/*
 * Where an lcore writes down which packets have ended with it: for each door, whose credits so come
 * back, and for each account of the door's, so that it knows when nothing of that is on its way.
 * Doors read what all lcores have written (engine/credits.h, steer/moves.h). For the lcore loop.
 */

/* What is to be written down of a burst, read before its packets are given away. A packet's
 * followers end with it. */
struct endings {
	union origin origins[STAGE_BURST_MAX];
	uint16_t followers[STAGE_BURST_MAX];
	uint16_t lists; /* not 0 if some packet has followers */
};

void ledger_read(struct rte_mbuf **mbufs, uint16_t n, struct endings *endings);

/* The packets that end with those from `begin` to before `end`. */
uint32_t ledger_packets(const struct endings *endings, uint16_t begin, uint16_t end);

/* The first n have ended. */
void ledger_end(struct lcore *lcore, const struct endings *endings, uint16_t n);

/* So many packets of one origin have ended. */
void ledger_end_origin(struct lcore *lcore, union origin origin, uint32_t packets);

/* A replica was made of a packet, and ends like that. To be called before anybody can see the end
 * of either: steer/moves.c. */
void ledger_made(struct lcore *lcore, const struct packet *packet);

#endif
