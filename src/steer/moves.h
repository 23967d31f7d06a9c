/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEFT_MOVES_H
#define WEFT_MOVES_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "core/packet.h"
#include "steer/path.h"

/*
 * The flow groups of one door: the path of each, how many of its packets are on their way, and
 * those that wait at the door while the path changes. moves.c says how a path changes.
 *
 * Only the door calls these functions, but for what is said otherwise.
 */

/* What one lcore tells one door about the door's groups. Its writer only ever counts up; wraps. */
struct tally {
	uint32_t finished[GROUPS_COUNTED]; /* packets that ended here (release) */
	uint32_t made[GROUPS_COUNTED]; /* and that were made here of others, and end like them */
};

struct flow_group {
	uint32_t sent;	    /* along its path */
	uint32_t in_flight; /* of these, and what was made of them, when last counted; 0 is certain
			     */
	uint32_t reviewed;  /* `sent`, when its path was last reviewed */
	uint16_t n_held;
	bool moving;
	uint8_t patience; /* 2^n reviews pass before it may move again */
	uint32_t rest;	  /* reviews until then */
	struct rte_mbuf *first_held, *last_held;
	struct path next; /* while it is moving */
};

struct moves {
	/* Written only while nothing of the group is in flight; lcores read it with a packet of
	 * the group in hand. */
	struct path paths[FLOW_GROUPS];

	bool active; /* packets from uplinks are told apart by group */
	bool waits;  /* for packets that came before they were */
	uint16_t n_lcores;
	uint16_t n_moving;
	uint16_t moving[FLOW_GROUPS];
	uint32_t unsteered; /* packets sent before */
	uint32_t n_held;
	uint32_t most_held;
	uint64_t ended; /* moves */
	const struct tally *tallies[LCORES_MAX];
	struct flow_group groups[FLOW_GROUPS];
};

/* Registers what held packets are chained by. -1 if mbufs have no room for it. Main lcore, once. */
int moves_register(void);

/* Packets of the group on their way, as last counted, and held. */
static inline uint32_t moves_occupancy(const struct moves *moves, uint16_t group)
{
	return moves->groups[group].in_flight + moves->groups[group].n_held;
}

/* Packets of the group on their way when `sent` had been sent: GROUP_UNSTEERED has a count, too.
 * Any thread; for others than the door it may be below zero, if more was sent and ended meanwhile.
 */
uint32_t moves_in_flight(const struct moves *moves, uint16_t group, uint32_t sent);

/* Counts again. */
void moves_recount(struct moves *moves, uint16_t group);

/* The group is to have that path, as soon as it can. */
void moves_wish(struct moves *moves, uint16_t group, const struct path *path);

/* False while packets are in flight that came before groups were told apart: no move ends then. */
bool moves_may_end(struct moves *moves);

/* If the i-th of moving[] has nothing in flight it gets its path, is taken off the list (the last
 * one takes its index), and true is returned. Its held packets are to be taken and sent at once. */
bool moves_end(struct moves *moves, uint16_t i);

/* Keeps packets of a group that is moving. */
void moves_hold(struct moves *moves, uint16_t group, struct rte_mbuf **mbufs, uint16_t n);

/* Takes up to n of the packets that were held, in order. */
uint16_t moves_take_held(struct moves *moves, uint16_t group, struct rte_mbuf **mbufs, uint16_t n);

static inline void moves_sent(struct moves *moves, uint16_t group, uint16_t n)
{
	__atomic_store_n(
		&moves->groups[group].sent, moves->groups[group].sent + n, __ATOMIC_RELAXED);
	moves->groups[group].in_flight += n;
}

#endif
