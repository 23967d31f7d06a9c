/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/handing.h"

#include "engine/drop.h"
#include "engine/lcore.h"
#include "engine/ledger.h"
#include "engine/passing.h"
#include "engine/transmit.h"
#include "stages/steps.h"

static_assert(RESERVATION_MBUFS >= RESERVATION_PACKETS, "a reservation knows its packets");

/* Packets that a port is offered at a time, and that are dropped at a time where it takes none. */
static uint16_t offered(const struct departure *departure)
{
	return RTE_MIN(departure->n, STAGE_BURST_MAX);
}

/* The first n are gone. */
static void advance(struct departure *departure, uint16_t n)
{
	departure->mbufs += n;
	departure->n -= n;
	departure->is_whole = false;
}

/* By who has the queue. */
static void count(struct departure *departure, struct port_counters *counters, uint16_t n)
{
	bool is_whole = departure->is_whole && n == departure->n;

	transmit_count(counters, n, is_whole ? departure->bytes : bytes_of(departure->mbufs, n));
}

/* Buffers for the first packets; returns how many that is, 0 if the port takes none, -1 if another
 * lcore is at its ring. */
static int reserve(struct lcore *lcore, const struct batch *batch, struct departure *departure,
	struct port *port)
{
	struct handing *handing = &lcore->turns->handings[lcore->turns->n_handings];
	struct reservation *reservation = &handing->reservation;
	int n;

	reservation->later = true;
	n = port->ops->reserve(
		port, departure->queue, departure->mbufs, offered(departure), reservation);
	if (n <= 0)
		return n;
	handing->port = port;
	handing->is_plain = batch->source.port != NULL && !departure->has_followers;
	memcpy(reservation->mbufs, departure->mbufs, n * sizeof(departure->mbufs[0]));
	lcore->turns->n_handings++;
	count(departure, &port->queues[departure->queue].counters, n);
	return n;
}

static void reserve_all(struct lcore *lcore, const struct batch *batch, struct departure *departure,
	struct port *port)
{
	while (departure->n > 0 && lcore->turns->n_handings < HANDINGS_MAX) {
		int n = reserve(lcore, batch, departure, port);

		if (n < 0)
			break;
		if (n == 0)
			n = transmit_refuse(lcore, port, departure->queue, departure->mbufs,
				offered(departure));
		advance(departure, n);
	}
}

static void send_all(struct lcore *lcore, struct departure *departure, struct port *port)
{
	for (uint16_t n; departure->n > 0; advance(departure, n)) {
		n = offered(departure);
		transmit_burst(lcore, port, departure->queue, departure->mbufs, n);
	}
}

static bool take_queue(struct port_queue *queue)
{
	return __atomic_load_n(&queue->sending, __ATOMIC_RELAXED) == 0 &&
	       __atomic_exchange_n(&queue->sending, 1, __ATOMIC_ACQUIRE) == 0;
}

static void leave_queue(struct port_queue *queue)
{
	__atomic_store_n(&queue->sending, 0, __ATOMIC_RELEASE);
}

static void drop_gone(struct lcore *lcore, struct departure *departure)
{
	for (uint16_t n; departure->n > 0; advance(departure, n)) {
		n = offered(departure);
		drop_packets(lcore, STEP_DELIVER, DELIVER_GONE, departure->mbufs, n);
	}
}

/* As much of a departure as can be done now; returns how much that is. */
static uint16_t hand_over_departure(
	struct lcore *lcore, const struct batch *batch, struct departure *departure)
{
	struct port *port = lcore->context.tables->ports[departure->port];
	uint16_t before = departure->n;

	if (unlikely(port == NULL)) {
		drop_gone(lcore, departure);
		return before;
	}
	if (!take_queue(&port->queues[departure->queue]))
		return 0;
	if (port->ops->reserve != NULL)
		reserve_all(lcore, batch, departure, port);
	else
		send_all(lcore, departure, port);
	leave_queue(&port->queues[departure->queue]);
	lcore_count_step(lcore, port->uplink ? STEP_SEND : STEP_DELIVER, before - departure->n);
	return before - departure->n;
}

/* The departures that there are, until somebody is in the way. */
static uint16_t hand_over_departures(struct lcore *lcore, struct batch *batch)
{
	uint16_t sum = 0;

	while (batch->departed < batch->n_departures && lcore->turns->n_handings < HANDINGS_MAX) {
		struct departure *departure = &batch->departures[batch->departed];

		sum += hand_over_departure(lcore, batch, departure);
		if (departure->n > 0)
			break;
		batch->departed++;
	}
	return sum;
}

uint16_t handing_over(struct lcore *lcore, struct batch *batch)
{
	uint16_t sum = 0;

	do {
		if (batch->departed == batch->n_departures)
			batch_sort(batch, lcore->context.tables);
		sum += hand_over_departures(lcore, batch);
	} while (batch->departed == batch->n_departures && batch->sorted < batch->end);
	if (batch_is_out(batch))
		batch->sorted = batch->end = 0;
	return sum;
}

/* The packets have ended. Those of a batch are the lcore's own, and mostly one packet each. */
static void end(struct lcore *lcore, const struct handing *handing)
{
	const union origin own = {
		.account = {ACCOUNT_NONE}, .first = lcore->index, .door = lcore->index};
	struct rte_mbuf **mbufs = (struct rte_mbuf **)handing->reservation.mbufs;
	uint16_t n = handing->reservation.n;
	struct endings endings;

	if (likely(handing->is_plain)) {
		ledger_end_origin(lcore, own, n);
		transmit_end(lcore, n, n);
		return;
	}
	ledger_read(mbufs, n, &endings);
	ledger_end(lcore, &endings, n);
	transmit_end(lcore, n, ledger_packets(&endings, 0, n));
}

/* What was not copied is dropped. Returns how many packets there were. */
static uint16_t copy(struct lcore *lcore, struct handing *handing)
{
	struct reservation *reservation = &handing->reservation;
	uint16_t all = reservation->n;
	uint16_t n = handing->port->ops->fill(handing->port, reservation, reservation->mbufs);

	if (unlikely(n < all))
		drop_packets(lcore, STEP_COPY, COPY_UNFIT, reservation->mbufs + n, all - n);
	reservation->n = n;
	end(lcore, handing);
	rte_pktmbuf_free_bulk(reservation->mbufs, n);
	pass_reservation(lcore, handing->port, reservation);
	lcore_count_step(lcore, STEP_COPY, all);
	return all;
}

uint16_t handing_copy(struct lcore *lcore)
{
	struct turns *turns = lcore->turns;
	uint16_t sum = 0;

	for (uint16_t i = 0; i < turns->n_handings; i++)
		sum += copy(lcore, &turns->handings[i]);
	turns->n_handings = 0;
	return sum;
}
