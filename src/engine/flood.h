/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_FLOOD_H
#define WEFT_FLOOD_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>
#include <rte_ring.h>

struct lcore;

/*
 * Packets for everybody in their network. A flood that needs more credits than are left, or more
 * replicas than a turn makes, goes on in later turns, and what comes from the bridge meanwhile
 * waits behind it: flood.c says how. For the lcore loop, within a turn.
 */

#define FLOOD_TURN_MAX 512 /* replicas of what can wait that an lcore makes in one turn */

/* A packet on its way to place after place. */
struct flooding {
	struct rte_mbuf *mbuf; /* NULL: none */
	uint32_t from;	       /* it has been sent to all places below */
	uint64_t newest_port;  /* tables.newest_port when it began */
};

/* An lcore's; touched by it alone. */
struct flood {
	bool waits;	  /* something is here */
	uint64_t created; /* counters.created when the turn began */
	struct flooding current;
	struct rte_mbuf *followers; /* those of its list that are next */
	struct rte_ring *behind;    /* and the packets behind them; room for all that are inside */
};

/* Sends a packet, and those that hang behind it, to everybody else in its network. */
void flood(struct lcore *lcore, struct rte_mbuf *mbuf);

/* While a flood waits: true if a packet that goes on to a step has to, too; then it is kept. */
bool flood_keep(struct lcore *lcore, uint16_t step, struct rte_mbuf *mbuf);

/* Goes on with what waits, as far as there are credits. False if nothing came on. */
bool flood_poll(struct lcore *lcore);

#endif
