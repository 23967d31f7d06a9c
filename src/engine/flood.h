/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_FLOOD_H
#define WEFT_FLOOD_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>
#include <rte_ring.h>

#include "stages/stage.h"

struct lcore;

/*
 * Packets for everybody in their network. They are sent on place after place in feeds of their own,
 * and what comes from the bridge meanwhile waits behind them: flood.c says how. For the lcore loop.
 */

#define FLOOD_ROUND_MAX 512 /* replicas of what can wait that an lcore makes in one round */

/* A packet on its way to place after place. */
struct flooding {
	struct rte_mbuf *mbuf; /* NULL: none */
	uint32_t from;	       /* it has been sent to all places below */
	uint64_t newest_port;  /* tables.newest_port when it began */
};

/* What is flooded one after the other, with what waits behind; touched by its lcore alone. */
struct flood {
	bool waits; /* something is here */
	struct flooding current;
	struct rte_mbuf *followers; /* those of its list that are next */
	struct rte_ring *behind;    /* and the packets behind them */
};

/* What can wait for credits and later rounds, and what cannot, as a merge waits for it. */
enum flood_kind {
	FLOOD_PATIENT,
	FLOOD_URGENT,
	FLOOD_KINDS,
};

/* Packets that are to go, with those that hang behind them, to everybody else in their network. */
void flood(struct lcore *lcore, struct rte_mbuf **mbufs, uint16_t n);

/* Of n packets that go on to a step, keeps those that have to wait behind a flood. Returns how many
 * are left in mbufs[]. */
uint16_t flood_keep(struct lcore *lcore, enum step step, struct rte_mbuf **mbufs, uint16_t n);

/* Sends on what waits, as far as there are credits, and no more than a feed. False if there was
 * nothing to be done. */
bool flood_feed(struct lcore *lcore);

#endif
