/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * weft's side of devices whose type has rings of weft's own, which lcores copy into and out of side
 * by side (ports/reservation.h). The ring holds copies: the peer's buffers. What the file of costs
 * says that one lcore does alone is charged where it claims or reserves, the rest where it copies.
 *
 * What is published in the middle of a round, as an owner does it, is out when the round ends; what
 * is passed on is published by the driver, when it has.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <rte_lcore.h>
#include <rte_memcpy.h>

#include "virtual/device.h"

static struct device_queue *queue_of(const struct port *port, uint16_t index)
{
	struct device *device = port->driver;

	return &device->queues[index];
}

static struct virtual_driver *driver_of(const struct device_queue *queue)
{
	return queue->device->devices->driver;
}

/* While the side is taken. */
static void number(
	struct device_side *side, struct reservation *reservation, uint32_t begin, uint16_t n)
{
	side->next = begin + n;
	reservation->ring = side;
	reservation->begin = begin;
	reservation->n = n;
	reservation->number = reservations_add(&side->reservations, side->next);
}

/* ---- buffers of the peer's, which are in no lcore's cache ---- */

static unsigned int leave_cache(void)
{
	unsigned int id = rte_lcore_id();

	RTE_PER_LCORE(_lcore_id) = LCORE_ID_ANY;
	return id;
}

static bool take_buffers(const struct port *port, struct rte_mbuf **mbufs, uint16_t n)
{
	unsigned int id = leave_cache();
	bool taken = rte_pktmbuf_alloc_bulk(port->environment.pool, mbufs, n) == 0;

	RTE_PER_LCORE(_lcore_id) = id;
	return taken;
}

static void give_buffers_back(struct rte_mbuf **mbufs, uint16_t n)
{
	unsigned int id = leave_cache();

	rte_pktmbuf_free_bulk(mbufs, n);
	RTE_PER_LCORE(_lcore_id) = id;
}

static void copy(struct rte_mbuf *to, const struct rte_mbuf *from)
{
	assert(from->nb_segs == 1 && from->data_len <= rte_pktmbuf_tailroom(to));
	to->data_len = to->pkt_len = from->data_len;
	rte_memcpy(
		rte_pktmbuf_mtod(to, void *), rte_pktmbuf_mtod(from, const void *), from->data_len);
	to->hash.rss = from->hash.rss;
	to->ol_flags = from->ol_flags;
}

/* ---- costs ---- */

static void charge_alone(const struct device_queue *queue, const struct port_cost *cost,
	struct rte_mbuf **mbufs, uint16_t n)
{
	uint64_t sum = RTE_MIN(cost->alone.burst, cost->burst);

	for (uint16_t i = 0; i < n; i++)
		sum += port_cost_alone(cost, mbufs[i]->pkt_len);
	virtual_charge(driver_of(queue), sum);
}

static void charge_copy(const struct device_queue *queue, const struct port_cost *cost,
	struct rte_mbuf **mbufs, uint16_t n)
{
	uint64_t sum = cost->burst - RTE_MIN(cost->alone.burst, cost->burst);

	for (uint16_t i = 0; i < n; i++)
		sum += port_cost_of_packet(cost, mbufs[i]->pkt_len) -
		       port_cost_alone(cost, mbufs[i]->pkt_len);
	virtual_charge(driver_of(queue), sum);
}

/* ---- from the peer ---- */

/* n packets that there are. */
static void take_packets(struct device_queue *queue, struct rte_mbuf **mbufs, uint16_t n)
{
	struct rte_mbuf *buffers[RESERVATION_PACKETS];

	rte_ring_sc_dequeue_bulk(queue->to_weft, (void **)buffers, n, NULL);
	for (uint16_t i = 0; i < n; i++)
		copy(mbufs[i], buffers[i]);
	give_buffers_back(buffers, n);
}

static bool try_claim(const struct port *port, struct device_side *side, uint16_t n,
	struct reservation *reservation)
{
	if (n == 0 || !reservations_take(&side->reservations))
		return false;
	if (rte_pktmbuf_alloc_bulk(port->environment.pool, reservation->mbufs, n) == 0)
		return true;
	reservations_leave(&side->reservations);
	return false;
}

static uint16_t copying_claim(
	struct port *port, uint16_t index, uint16_t n, struct reservation *reservation)
{
	struct device_queue *queue = queue_of(port, index);
	struct device_side *side = &queue->receiving;

	virtual_pause(driver_of(queue));
	n = RTE_MIN(RTE_MIN(n, RESERVATION_PACKETS), rte_ring_count(queue->to_weft));
	if (try_claim(port, side, n, reservation)) {
		take_packets(queue, reservation->mbufs, n);
		number(side, reservation, side->next, n);
		reservations_leave(&side->reservations);
		charge_alone(queue, queue->device->receive, reservation->mbufs, n);
	} else {
		n = 0;
	}
	virtual_resume(driver_of(queue));
	return n;
}

static void copying_collect(
	const struct port *port, struct reservation *reservation, struct rte_mbuf **mbufs)
{
	const struct device_side *side = reservation->ring;
	const struct device_queue *queue = side->queue;

	(void)port;
	virtual_pause(driver_of(queue));
	memcpy(mbufs, reservation->mbufs, reservation->n * sizeof(mbufs[0]));
	charge_copy(queue, queue->device->receive, mbufs, reservation->n);
	virtual_filled(driver_of(queue), mbufs, reservation->n, false);
	virtual_resume(driver_of(queue));
}

/* ---- to the peer ---- */

static struct rte_mbuf **buffer_at(struct device_queue *queue, uint32_t place)
{
	return &queue->buffers[place % rte_ring_get_size(queue->from_weft)];
}

/* How many buffers there are for n packets; -1: there will be some when others have copied, or
 * another lcore is at the ring until its round has ended. */
static int find_room(const struct device_queue *queue, uint16_t n)
{
	uint32_t copied = device_side_open(&queue->sending);
	uint32_t room = rte_ring_free_count(queue->from_weft) - copied;

	if (queue->reserver != 0 && queue->reserver != virtual_current(driver_of(queue)) + 1)
		return -1;
	if (room == 0)
		return copied == 0 ? 0 : -1;
	return RTE_MIN(RTE_MIN(n, RESERVATION_PACKETS), room);
}

static int try_reserve(const struct port *port, struct device_queue *queue, uint16_t n,
	struct reservation *reservation)
{
	struct rte_mbuf *buffers[RESERVATION_PACKETS];
	struct device_side *side = &queue->sending;
	int found = find_room(queue, n);

	if (found <= 0)
		return found;
	if (!take_buffers(port, buffers, found))
		return 0;
	for (int i = 0; i < found; i++)
		*buffer_at(queue, side->next + i) = buffers[i];
	number(side, reservation, side->next, found);
	queue->reserver = virtual_current(driver_of(queue)) + 1;
	device_use(queue, virtual_current(driver_of(queue)), 0, 0);
	return found;
}

static int copying_reserve(struct port *port, uint16_t index, struct rte_mbuf **mbufs, uint16_t n,
	struct reservation *reservation)
{
	struct device_queue *queue = queue_of(port, index);
	int found;

	if (!reservations_take(&queue->sending.reservations))
		return -1;
	virtual_pause(driver_of(queue));
	found = try_reserve(port, queue, n, reservation);
	if (found >= 0)
		charge_alone(queue, queue->device->send, mbufs, found);
	virtual_resume(driver_of(queue));
	reservations_leave(&queue->sending.reservations);
	return found;
}

static uint16_t copying_fill(
	const struct port *port, struct reservation *reservation, struct rte_mbuf **mbufs)
{
	const struct device_side *side = reservation->ring;
	struct device_queue *queue = side->queue;

	(void)port;
	virtual_pause(driver_of(queue));
	for (uint16_t i = 0; i < reservation->n; i++)
		copy(*buffer_at(queue, reservation->begin + i), mbufs[i]);
	charge_copy(queue, queue->device->send, mbufs, reservation->n);
	virtual_copied(driver_of(queue), mbufs, reservation->n);
	virtual_freed(driver_of(queue), mbufs, reservation->n);
	device_use(queue, virtual_current(driver_of(queue)), 0, 0);
	virtual_resume(driver_of(queue));
	return reservation->n;
}

/* ---- publication ---- */

/* Within a round it is out when the round ends. */
static void note_published(struct device_queue *queue, uint32_t received, uint32_t sent)
{
	struct virtual_driver *driver = driver_of(queue);

	if (virtual_is_in_round(driver))
		device_use(queue, virtual_current(driver), received, sent);
}

static uint32_t end_of(const struct device_side *side, uint32_t first, uint32_t n)
{
	return reservations_end(&side->reservations, first + n - 1);
}

static void see_claims(void *ring, uint32_t first, uint32_t n)
{
	struct device_side *side = ring;
	uint32_t end = end_of(side, first, n);

	note_published(side->queue, end - side->published, 0);
	side->published = end;
}

static void see_copies(void *ring, uint32_t first, uint32_t n)
{
	struct device_side *side = ring;
	uint32_t end = end_of(side, first, n);

	note_published(side->queue, 0, end - side->published);
	for (; side->published != end; side->published++)
		rte_ring_sp_enqueue(
			side->queue->from_weft, *buffer_at(side->queue, side->published));
}

static void copying_publish(struct port *port, struct reservation *reservation)
{
	struct device_side *side = reservation->ring;

	(void)port;
	virtual_pause(driver_of(side->queue));
	reservations_complete(&side->reservations, reservation->number,
		side == &side->queue->sending ? see_copies : see_claims, side);
	virtual_resume(driver_of(side->queue));
}

/* ---- coming and going ---- */

int copying_attach(struct device *device)
{
	for (uint16_t i = 0; i < device->n_queues; i++) {
		struct device_queue *queue = &device->queues[i];

		queue->sending = queue->receiving = (struct device_side){.queue = queue};
		queue->receiver = queue->sender = LCORE_ID_ANY;
		queue->reserver = 0;
		queue->buffers =
			calloc(rte_ring_get_size(queue->from_weft), sizeof(struct rte_mbuf *));
		if (queue->buffers == NULL)
			return -1;
	}
	return 0;
}

void copying_detach(struct device *device)
{
	for (uint16_t i = 0; i < device->n_queues; i++) {
		struct device_queue *queue = &device->queues[i];

		assert(device_side_open(&queue->receiving) == 0);
		assert(device_side_open(&queue->sending) == 0);
		free(queue->buffers);
		queue->buffers = NULL;
	}
}

const struct port_ops copying_port_ops = {
	.type = PORT_TYPE_IN_PROCESS,
	.detach = device_detach,
	.receive = port_receive_alone,
	.send = port_send_alone,
	.reserve = copying_reserve,
	.fill = copying_fill,
	.claim = copying_claim,
	.collect = copying_collect,
	.publish = copying_publish,
	.is_up = device_is_up,
};
