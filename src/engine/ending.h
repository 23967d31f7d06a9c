/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_ENDING_H
#define WEFT_ENDING_H

#include <stdint.h>

#include <rte_mbuf.h>

#include "engine/lcore.h"

/*
 * How packets end: each is counted where it does, and gives its credits back. For the lcore loop,
 * within a turn.
 */

/* Whose accounts the ends of packets go to; a packet's followers end with it. */
struct endings {
	uint32_t accounts[STAGE_BURST_MAX];
	uint16_t followers[STAGE_BURST_MAX];
	uint16_t lists; /* not 0 if some packet has followers */
};

void endings_read(struct rte_mbuf **mbufs, uint16_t n, struct endings *endings);

/* The packets that end with those from `begin` to before `end`. */
uint32_t endings_count(const struct endings *endings, uint16_t begin, uint16_t end);

/* The first n have ended. */
void endings_finish(struct lcore *lcore, const struct endings *endings, uint16_t n);

/* Packets of an account have ended. */
void ending_finish(struct lcore *lcore, uint32_t account, uint32_t packets);

/* Frees packets that end in the step that runs now, and counts them as one of a step's drops;
 * mostly of that step. A merge that waits for them hears of it. */
void ending_drop(
	struct lcore *lcore, uint16_t step, uint16_t drop, struct rte_mbuf **mbufs, uint16_t n);

/* The same of one that was for weft itself. */
void ending_consume(struct lcore *lcore, struct rte_mbuf *mbuf);

/* The same of one that an inbox had no room for. Credits rule it out; were they wrong, it must not
 * go unseen. (A merge that waits for the packet would do so for ever.) */
void ending_lose(struct lcore *lcore, struct rte_mbuf *mbuf);

#endif
