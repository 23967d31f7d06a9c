/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/door.h"

#include "engine/steering.h"
#include "engine/transition.h"

#define RESERVE 4	  /* one in so many credits is not for those who hold many, */
#define REPLICA_RESERVE 8 /* and one in so many is not for received packets */

/* ---- credits ---- */

static uint64_t credits_out(const struct lcore *lcore)
{
	return lcore->counters.admitted - lcore->returned;
}

static void count_returned(struct lcore *lcore)
{
	lcore->returned = 0;
	for (uint16_t i = 0; i < lcore->dataplane->n_lcores; i++)
		lcore->returned += counter_read(lcore->finished_at[i]);
}

static uint32_t left_of(const struct lcore *lcore, uint32_t credits)
{
	return credits - RTE_MIN(credits_out(lcore), credits);
}

/* Other lcores' counts are read only when they are needed. */
uint32_t door_credits(struct lcore *lcore)
{
	uint32_t credits = lcore->dataplane->credits - lcore->dataplane->credits / REPLICA_RESERVE;

	if (credits_out(lcore) + RECEIVE_BURST > credits)
		count_returned(lcore);
	return left_of(lcore, credits);
}

uint32_t door_replica_credits(struct lcore *lcore)
{
	if (left_of(lcore, lcore->dataplane->credits) == 0)
		count_returned(lcore);
	return left_of(lcore, lcore->dataplane->credits);
}

/* What flow groups may still use when n packets that have just come in are not counted, less what
 * this one has. */
static int64_t spare(const struct lcore *lcore, uint16_t group, uint16_t n)
{
	const struct dataplane *dataplane = lcore->dataplane;
	int64_t left = (int64_t)dataplane->credits - credits_out(lcore) + n;

	return left - dataplane->credits / RESERVE - moves_occupancy(&lcore->door->moves, group);
}

/* How many of n packets of a group may go on. A group may have as much on its way as is left for
 * all others (dynamic thresholds, as in shared-memory switches: Choudhury and Hahne, 1998): one
 * whose path is slow comes to half of them, two to a third each. A part is reserved, so that there
 * always are credits to receive with, however many paths are slow. */
uint16_t door_room(struct lcore *lcore, uint16_t group, uint16_t n)
{
	int64_t room = spare(lcore, group, n);

	if (likely(room >= n))
		return n;
	count_returned(lcore);
	moves_recount(&lcore->door->moves, group);
	room = spare(lcore, group, n);
	return RTE_MIN(RTE_MAX(room, 0), n);
}

/* ---- receiving ---- */

static void admit(
	struct lcore *lcore, struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	struct port_counters *counters = &port->queues[queue].counters;
	const struct packet fresh = {.group = port->uplink ? GROUP_UNSTEERED : GROUP_NONE,
		.first = lcore->index,
		.door = lcore->index};

	counter_add(&lcore->counters.admitted, n);
	counter_add(&counters->rx_packets, n);
	counter_add(&counters->rx_bytes, bytes_of(mbufs, n));
	for (uint16_t i = 0; i < n; i++) {
		struct packet *packet = packet_of(mbufs[i]);

		mbufs[i]->port = port->index;
		packet->account = fresh.account;
		packet->followers = 0;
		packet->network = NETWORK_NONE;
		packet->source = PLACE_NONE;
	}
}

static void enter(struct lcore *lcore, struct port *port, struct rte_mbuf **mbufs, uint16_t n)
{
	if (!port->uplink)
		return transition(lcore, STAGE_VETH_RX, mbufs, n);
	if (lcore->door->sorting != SORTING_NONE)
		return steering_enter(lcore, port, mbufs, n);
	moves_sent(&lcore->door->moves, GROUP_UNSTEERED, n);
	transition(lcore, STAGE_RX, mbufs, n);
}

static uint16_t poll_queue(struct lcore *lcore, const struct owned_queue *owned, uint32_t credits)
{
	struct rte_mbuf *mbufs[RECEIVE_BURST];
	uint16_t n = owned->port->ops->receive(
		owned->port, owned->queue, mbufs, RTE_MIN(credits, (uint32_t)RECEIVE_BURST));

	if (n == 0)
		return 0;
	admit(lcore, owned->port, owned->queue, mbufs, n);
	enter(lcore, owned->port, mbufs, n);
	transition_run_from(lcore, 0);
	return n;
}

/* While packets are to be told apart in another way, what comes from uplinks has to wait. */
static uint32_t credits_for(struct lcore *lcore, const struct port *port)
{
	if (port->uplink && steering_waits(lcore->door))
		return 0;
	return door_credits(lcore);
}

/* The first one that gets nothing is the first in the next turn: where credits are short, a queue
 * that always has packets must not have them all. */
static void refuse(struct lcore *lcore, uint16_t queue, bool *refused)
{
	if (!*refused)
		lcore->door->first_queue = queue;
	*refused = true;
}

uint16_t door_poll_queues(struct lcore *lcore, bool *refused)
{
	const struct tables *tables = lcore->context.tables;
	const struct owned_queue *owned = &tables->owned[tables->owned_begin[lcore->index]];
	uint16_t n = tables->owned_begin[lcore->index + 1] - tables->owned_begin[lcore->index];
	uint16_t queue = lcore->door->first_queue, moved = 0;

	for (uint16_t i = 0; i < n; i++, queue++) {
		uint32_t credits;

		if (queue >= n)
			queue = 0;
		credits = credits_for(lcore, owned[queue].port);
		if (credits > 0)
			moved += poll_queue(lcore, &owned[queue], credits);
		else
			refuse(lcore, queue, refused);
	}
	return moved;
}
