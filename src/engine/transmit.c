/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/transmit.h"

#include "base/flow_hash.h"
#include "engine/drop.h"
#include "engine/ledger.h"
#include "ports/large_segment.h"
#include "stages/followers.h"
#include "stages/steps.h"

static unsigned int refusal(const struct port *port)
{
	if (port->ops->is_up(port))
		return port->uplink ? SEND_FULL : DELIVER_FULL;
	return port->uplink ? SEND_DOWN : DELIVER_DOWN;
}

void transmit_count(struct port_counters *counters, uint16_t n, uint32_t bytes)
{
	counter_add(&counters->tx_packets, n);
	counter_add(&counters->tx_bytes, bytes);
}

void transmit_end(struct lcore *lcore, uint16_t n, uint32_t ended)
{
	counter_add(&lcore->counters.delivered, n);
	counter_add(&lcore->counters.coalesced, ended - n);
}

uint16_t transmit_refuse(
	struct lcore *lcore, struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	unsigned int drop = refusal(port);

	if (port->ops->too_big != NULL && port->ops->too_big(port, queue, mbufs[0])) {
		drop = port->uplink ? SEND_TOO_BIG : DELIVER_TOO_BIG;
		n = 1;
	}
	counter_add(&port->queues[queue].counters.tx_refused, n);
	drop_packets(lcore, port->uplink ? STEP_SEND : STEP_DELIVER, drop, mbufs, n);
	return n;
}

/* Returns how many have ended: been sent or dropped. */
static uint16_t send_some(
	struct lcore *lcore, struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	struct endings endings;
	uint32_t bytes = bytes_of(mbufs, n);
	uint16_t sent, refused = 0;

	ledger_read(mbufs, n, &endings);
	sent = port->ops->send(port, queue, mbufs, n);
	if (unlikely(sent < n)) {
		bytes -= bytes_of(mbufs + sent, n - sent);
		refused = transmit_refuse(lcore, port, queue, mbufs + sent, n - sent);
	}
	ledger_end(lcore, &endings, sent);
	transmit_count(&port->queues[queue].counters, sent, bytes);
	transmit_end(lcore, sent, ledger_packets(&endings, 0, sent));
	return sent + refused;
}

void transmit_burst(
	struct lcore *lcore, struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	for (uint16_t ended = 0; ended < n;)
		ended += send_some(lcore, port, queue, mbufs + ended, n - ended);
}

/* Packets that hang behind others leave by themselves, unless they were made one with them. */
static void send_apart(
	struct lcore *lcore, struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	struct rte_mbuf *burst[STAGE_BURST_MAX];
	uint16_t filled = 0;

	for (uint16_t i = 0; i < n; i++) {
		for (struct rte_mbuf *mbuf = mbufs[i], *next; mbuf != NULL; mbuf = next) {
			next = large_segment_is(mbuf) ? NULL : followers_take(mbuf);
			burst[filled++] = mbuf;
			if (filled < STAGE_BURST_MAX)
				continue;
			transmit_burst(lcore, port, queue, burst, filled);
			filled = 0;
		}
	}
	if (filled > 0)
		transmit_burst(lcore, port, queue, burst, filled);
}

uint16_t transmit_container_queue(const struct port *port, struct rte_mbuf *mbuf)
{
	return port->n_queues == 1 ? 0 : flow_hash(mbuf) % port->n_queues;
}

/* Which of its port's queues a packet leaves by. */
static uint16_t queue_of(
	const struct lcore *lcore, enum step step, const struct port *port, struct rte_mbuf *mbuf)
{
	if (step == STEP_SEND)
		return lcore->context.tables->exits[port->index][lcore->index].queue;
	return transmit_container_queue(port, mbuf);
}

/* Packets of a burst that leave by the same queue. */
struct leaving {
	uint16_t n;
	uint16_t followers; /* not 0 if any has some */
	struct rte_mbuf *mbufs[STAGE_BURST_MAX];
};

/* Takes the packets that leave by the same queue as the first out of mbufs[0..*n), in order. */
static void take_group(const struct lcore *lcore, enum step step, const struct port *port,
	uint16_t queue, struct rte_mbuf **mbufs, uint16_t *n, struct leaving *leaving)
{
	uint16_t taken = 0, left = 0, followers = 0;

	for (uint16_t i = 0; i < *n; i++) {
		const struct packet *packet = packet_of(mbufs[i]);

		if (packet->destination == port->index &&
			queue_of(lcore, step, port, mbufs[i]) == queue) {
			followers |= packet->followers;
			leaving->mbufs[taken++] = mbufs[i];
		} else {
			mbufs[left++] = mbufs[i];
		}
	}
	*n = left;
	leaving->n = taken;
	leaving->followers = followers;
}

void transmit(struct lcore *lcore, enum step step, struct rte_mbuf **mbufs, uint16_t n)
{
	struct leaving leaving;

	while (n > 0) {
		struct port *port = lcore->context.tables->ports[packet_of(mbufs[0])->destination];
		uint16_t queue;

		/* A port can go while its packets are on their way to the owner. */
		if (unlikely(port == NULL)) {
			drop_packets(lcore, STEP_DELIVER, DELIVER_GONE, mbufs, 1);
			mbufs++;
			n--;
			continue;
		}
		queue = queue_of(lcore, step, port, mbufs[0]);
		take_group(lcore, step, port, queue, mbufs, &n, &leaving);
		if (unlikely(leaving.followers > 0))
			send_apart(lcore, port, queue, leaving.mbufs, leaving.n);
		else
			transmit_burst(lcore, port, queue, leaving.mbufs, leaving.n);
	}
}
