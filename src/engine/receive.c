/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/receive.h"

#include "engine/credits.h"
#include "engine/route.h"
#include "engine/run.h"
#include "engine/steering.h"

uint32_t receive_note(
	struct lcore *lcore, const struct port *port, struct rte_mbuf **mbufs, uint16_t n)
{
	bool is_counted = port->uplink && !lcore->plan->by_right;
	const union origin origin = {.account = {is_counted ? ACCOUNT_UNSTEERED : ACCOUNT_NONE},
		.first = lcore->index,
		.door = lcore->index};
	uint32_t bytes = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct packet *packet = packet_of(mbufs[i]);

		bytes += mbufs[i]->pkt_len;
		mbufs[i]->port = port->index;
		packet->origin = origin;
		packet->followers = 0;
		packet->network = NETWORK_NONE;
		packet->source = PLACE_NONE;
	}
	return bytes;
}

static void admit(
	struct lcore *lcore, struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	struct port_counters *counters = &port->queues[queue].counters;

	counter_add(&lcore->counters.admitted, n);
	counter_add(&counters->rx_packets, n);
	counter_add(&counters->rx_bytes, receive_note(lcore, port, mbufs, n));
}

static void enter(struct lcore *lcore, struct port *port, struct rte_mbuf **mbufs, uint16_t n)
{
	if (!port->uplink)
		return route(lcore, STAGE_VETH_RX, mbufs, n);
	if (lcore->door->sorting != SORTING_NONE)
		return steering_enter(lcore, port, mbufs, n);
	moves_sent(&lcore->door->moves, (struct group){GROUP_UNSTEERED}, n);
	route(lcore, STAGE_RX, mbufs, n);
}

static uint16_t poll_queue(struct lcore *lcore, const struct owned_queue *owned, uint32_t credits)
{
	struct rte_mbuf *mbufs[RECEIVE_BURST];
	uint16_t n = owned->port->ops->receive(
		owned->port, owned->queue, mbufs, RTE_MIN(credits, (uint32_t)RECEIVE_BURST));

	if (n == 0)
		return 0;
	assert(n <= RECEIVE_BURST);
	admit(lcore, owned->port, owned->queue, mbufs, n);
	enter(lcore, owned->port, mbufs, n);
	run(lcore);
	return n;
}

/* While packets are to be told apart in another way, what comes from uplinks has to wait. */
static uint32_t credits_for(struct lcore *lcore, const struct port *port)
{
	if (port->uplink && steering_waits(lcore->door))
		return 0;
	return credits_for_received(lcore);
}

/* The first one that gets nothing is the first in the next round: where credits are short, a queue
 * that always has packets must not have them all. */
static void refuse(struct lcore *lcore, uint16_t queue, bool *refused)
{
	if (!*refused)
		lcore->first_queue = queue;
	*refused = true;
}

uint16_t receive_poll(struct lcore *lcore, bool *refused)
{
	const struct tables *tables = lcore->context.tables;
	const struct owned_queue *owned = &tables->owned[tables->owned_begin[lcore->index]];
	uint16_t n = tables->owned_begin[lcore->index + 1] - tables->owned_begin[lcore->index];
	uint16_t queue = lcore->first_queue, moved = 0;

	assert(!lcore->plan->by_right);
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
