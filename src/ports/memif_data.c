/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include <rte_ether.h>
#include <rte_memcpy.h>
#include <rte_prefetch.h>

#include "ports/memif_private.h"

/*
 * Who publishes what. In both kinds of ring the client stores `head` with release, after the
 * descriptors before it (and, from the client, the packets they point to); we load it with acquire.
 * We store `tail` with release, when reservations are published (reservation.h): on a ring from the
 * client after the packets have been copied out (the client may reuse the buffers), on a ring to
 * the client after packets and descriptors have been written; the client loads it with acquire.
 * Where a ring stands on our side is what its last reservation says, in our memory: the shared
 * `tail` is only ever written.
 *
 * A reservation's buffers are one for each descriptor, from its first one on, in their order.
 *
 * Interrupts: after `tail`, and a full fence, we look at the flags of a ring to the client; the
 * client clears the flag and then looks at `tail`. So one of the two sees the other's store.
 *
 * What is not trusted: everything above, and the descriptors, can change at any moment to anything.
 * Each is read once, into locals; the locals are checked against the regions as they were mapped,
 * and nothing is read again between check and use. The mappings themselves cannot go while an lcore
 * is here (RCU), and if the client cuts their files short they are replaced (peer_memory.h). A ring
 * that cannot be marks the connection broken, which ends it at the next housekeeping.
 */

/* Descriptors of one frame; a client's smallest useful buffer is larger. */
#define CHAIN_MAX RESERVATION_BUFFERS

static struct memif_connection *connection_get(const struct memif_port *memif)
{
	struct memif_connection *connection = __atomic_load_n(&memif->connection, __ATOMIC_ACQUIRE);

	if (connection == NULL || unlikely(__atomic_load_n(&connection->broken, __ATOMIC_RELAXED)))
		return NULL;
	return connection;
}

static void connection_break(struct memif_connection *connection)
{
	__atomic_store_n(&connection->broken, true, __ATOMIC_RELAXED);
}

static inline union memif_descriptor *descriptor_at(const struct memif_queue *queue, uint32_t index)
{
	return &queue->ring->descriptors[index & (queue->size - 1)];
}

/* Checked: its bytes are mapped. */
static inline bool buffer_read(struct memif_connection *connection,
	const union memif_descriptor *shared, struct peer_buffer *buffer)
{
	union memif_descriptor own;

	own.words[0] = __atomic_load_n(&shared->words[0], __ATOMIC_RELAXED);
	own.words[1] = __atomic_load_n(&shared->words[1], __ATOMIC_RELAXED);
	if (unlikely(own.region >= connection->n_regions ||
		     (uint64_t)own.offset + own.length > connection->regions[own.region].size)) {
		connection_break(connection);
		return false;
	}
	buffer->data = connection->regions[own.region].base + own.offset;
	buffer->length = own.length;
	buffer->id = own.region;
	buffer->ends = !(own.flags & MEMIF_DESCRIPTOR_NEXT);
	return true;
}

/* ---- reservations ---- */

/* Begins one, of nothing. Returns how many descriptors the client has published that nobody has
 * reserved. With the ring. */
static inline uint16_t reservation_begin(struct memif_connection *connection,
	struct memif_queue *queue, struct reservation *reservation)
{
	uint16_t ready;

	reservation->ring = queue;
	reservation->begin = reservations_begin(&queue->reservations);
	reservation->n = reservation->n_buffers = reservation->n_mbufs = 0;
	ready = __atomic_load_n(&queue->ring->head, __ATOMIC_ACQUIRE) - reservation->begin;
	if (likely(ready <= queue->size))
		return ready;
	connection_break(connection);
	return 0;
}

/* Makes it one of those to be published, if it is of anything. Leaves the ring. */
static void reservation_end(struct memif_queue *queue, struct reservation *reservation)
{
	if (reservation->n > 0)
		reservation->number = reservations_add(
			&queue->reservations, reservation->begin + reservation->n_buffers);
	reservations_leave(&queue->reservations);
}

#define PER_LINE (RTE_CACHE_LINE_SIZE / sizeof(union memif_descriptor))

/* How many packets of one descriptor each it has room for, of n in all. */
static inline uint16_t room_for_singles(
	const struct reservation *reservation, uint16_t n, uint16_t ready)
{
	return RTE_MIN(
		n - reservation->n, RTE_MIN(ready, RESERVATION_BUFFERS) - reservation->n_buffers);
}

/* ---- from the client ---- */

/* Adds the buffers of the next frame, as `ready` descriptors have it. Its length, cut where no MTU
 * allows it: still too long for any stage to let it pass, but bounded. -1: its end is not there, or
 * has no room here. */
static int frame_read(struct memif_connection *connection, const struct memif_queue *queue,
	uint16_t ready, struct reservation *reservation)
{
	uint16_t used = reservation->n_buffers, length = 0;
	uint16_t most = RTE_MIN(ready, CHAIN_MAX - used);

	for (uint16_t i = 0; i < most; i++) {
		struct peer_buffer *buffer = &reservation->buffers[used + i];

		if (!buffer_read(connection, descriptor_at(queue, reservation->begin + used + i),
			    buffer))
			return -1;
		buffer->length = RTE_MIN(buffer->length, (uint32_t)MEMIF_FRAME_MAX - length);
		length += buffer->length;
		if (likely(buffer->ends)) {
			reservation->n_buffers += i + 1;
			return length;
		}
	}
	/* A frame that has no end here has none at all. */
	if (most > 0 && most >= RTE_MIN(queue->size, CHAIN_MAX))
		connection_break(connection);
	return -1;
}

/* Adds the next frames, at most n, as long as they are one buffer and fit one mbuf each. */
static uint16_t singles_read(struct memif_connection *connection, const struct memif_queue *queue,
	uint16_t n, uint32_t room, struct reservation *reservation)
{
	struct peer_buffer *buffers = reservation->buffers + reservation->n_buffers;
	uint32_t begin = reservation->begin + reservation->n_buffers;
	uint32_t most = RTE_MIN(room, (uint32_t)MEMIF_FRAME_MAX);
	uint16_t i;

	for (i = 0; i < n; i++) {
		if (!buffer_read(connection, descriptor_at(queue, begin + i), &buffers[i]) ||
			unlikely(!buffers[i].ends || buffers[i].length > most))
			break;
		rte_prefetch0(buffers[i].data);
	}
	reservation->n += i;
	reservation->n_buffers += i;
	reservation->n_mbufs += i;
	return i;
}

/* Adds the next frame, whatever it is like. */
static bool any_read(struct memif_connection *connection, const struct memif_queue *queue,
	uint16_t ready, uint32_t room, struct reservation *reservation)
{
	uint16_t before = reservation->n_buffers, segments;
	int length = frame_read(connection, queue, ready, reservation);

	if (length < 0)
		return false;
	segments = RTE_MAX(1u, (length + room - 1) / room);
	if (reservation->n_mbufs + segments > RESERVATION_MBUFS) {
		reservation->n_buffers = before;
		return false;
	}
	reservation->n_mbufs += segments;
	reservation->n++;
	return true;
}

/* The next frames, at most n. */
static void frames_read(const struct memif_port *memif, struct memif_connection *connection,
	struct memif_queue *queue, uint16_t n, struct reservation *reservation)
{
	uint16_t ready = reservation_begin(connection, queue, reservation), left, singles;

	for (uint16_t i = 0; i < RTE_MIN(n, ready); i += PER_LINE)
		rte_prefetch0(descriptor_at(queue, reservation->begin + i));
	while (reservation->n < n) {
		left = room_for_singles(reservation, n, ready);
		singles = singles_read(connection, queue, left, memif->room, reservation);
		if (likely(singles == left) ||
			!any_read(connection, queue, ready - reservation->n_buffers, memif->room,
				reservation))
			return;
	}
}

static inline bool mbufs_take(struct rte_mempool *pool, struct reservation *reservation)
{
	return likely(
		rte_mempool_get_bulk(pool, (void **)reservation->mbufs, reservation->n_mbufs) == 0);
}

static uint16_t claim_ring(const struct memif_port *memif, struct memif_connection *connection,
	struct memif_queue *queue, uint16_t n, struct reservation *reservation)
{
	if (!reservations_take(&queue->reservations))
		return 0;
	frames_read(memif, connection, queue, n, reservation);
	/* Where mbufs are short, there may be some for fewer frames. */
	while (reservation->n > 0 && !mbufs_take(memif->pool, reservation))
		frames_read(memif, connection, queue, reservation->n / 2, reservation);
	reservation_end(queue, reservation);
	return reservation->n;
}

/* The client may have more rings than the port has queues: rings `index`, `index + n_queues` and so
 * on are this one's. What the next of them that has something has. */
uint16_t memif_claim(struct port *port, uint16_t index, uint16_t n, struct reservation *reservation)
{
	const struct memif_port *memif = port->driver;
	struct memif_connection *connection = connection_get(memif);
	uint16_t claimed = 0;

	if (connection == NULL)
		return 0;
	n = RTE_MIN(n, RESERVATION_PACKETS);
	for (uint16_t i = index; i < connection->n_from_client && claimed == 0;
		i += port->n_queues) {
		uint16_t ring = index + connection->next_ring[index];

		connection->next_ring[index] += port->n_queues;
		if (index + connection->next_ring[index] >= connection->n_from_client)
			connection->next_ring[index] = 0;
		claimed = claim_ring(
			memif, connection, &connection->from_client[ring], n, reservation);
	}
	return claimed;
}

/* The client looks at the flags after `head`, and we at `head` after the flags. */
int memif_watch(struct port *port, uint16_t index, bool on)
{
	struct memif_connection *connection = connection_get(port->driver);

	if (connection == NULL || index >= connection->n_from_client)
		return PORT_HAS_NO_PEER;
	for (uint16_t i = index; i < connection->n_from_client; i += port->n_queues)
		__atomic_store_n(&connection->from_client[i].ring->flags,
			on ? 0 : MEMIF_RING_NO_INTERRUPT, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return connection->wakes[index];
}

/* Appends a buffer to a frame. *last is its last segment; those behind it there are not of it yet.
 * Returns where its last one is then. */
static struct rte_mbuf **frame_append(
	struct rte_mbuf *head, struct rte_mbuf **last, const struct peer_buffer *buffer)
{
	uint32_t done = 0;

	while (done < buffer->length) {
		uint32_t part = RTE_MIN(buffer->length - done, rte_pktmbuf_tailroom(*last));

		if (part == 0) {
			rte_pktmbuf_reset(last[1]);
			last[0]->next = last[1];
			last++;
			head->nb_segs++;
			continue;
		}
		memcpy(rte_pktmbuf_mtod_offset(*last, void *, (*last)->data_len),
			buffer->data + done, part);
		(*last)->data_len += (uint16_t)part;
		head->pkt_len += part;
		done += part;
	}
	return last;
}

/* A frame of any number of buffers and segments. Returns the buffer behind its last one. */
static const struct peer_buffer *frame_collect(
	const struct peer_buffer *buffer, struct rte_mbuf *head, struct rte_mbuf ***mbufs)
{
	struct rte_mbuf **last = frame_append(head, *mbufs, buffer);

	while (!buffer->ends)
		last = frame_append(head, last, ++buffer);
	*mbufs = last + 1;
	return buffer + 1;
}

void memif_collect(
	const struct port *port, struct reservation *reservation, struct rte_mbuf **mbufs)
{
	const struct memif_port *memif = port->driver;
	const struct peer_buffer *buffer = reservation->buffers;
	struct rte_mbuf **own = reservation->mbufs;

	for (uint16_t i = 0; i < reservation->n; i++) {
		struct rte_mbuf *mbuf = mbufs[i] = *own;

		rte_pktmbuf_reset(mbuf);
		if (unlikely(!buffer->ends || buffer->length > memif->room)) {
			buffer = frame_collect(buffer, mbuf, &own);
			continue;
		}
		mbuf->data_len = (uint16_t)buffer->length;
		mbuf->pkt_len = buffer->length;
		rte_memcpy(rte_pktmbuf_mtod(mbuf, void *), buffer->data, buffer->length);
		buffer++;
		own++;
	}
}

/* ---- to the client ---- */

/* Adds buffers for a packet, as `ready` descriptors have them. False: it does not fit. */
static inline bool frame_place(struct memif_connection *connection, const struct memif_queue *queue,
	const struct rte_mbuf *mbuf, uint16_t ready, struct reservation *reservation)
{
	uint16_t used = reservation->n_buffers, most = RTE_MIN(ready, CHAIN_MAX - used);
	uint32_t left = mbuf->pkt_len;

	for (uint16_t i = 0; i < most; i++) {
		struct peer_buffer *buffer = &reservation->buffers[used + i];

		if (!buffer_read(connection, descriptor_at(queue, reservation->begin + used + i),
			    buffer))
			return false;
		buffer->ends = left <= buffer->length;
		buffer->length = RTE_MIN(buffer->length, left);
		left -= buffer->length;
		if (likely(buffer->ends)) {
			reservation->n_buffers += i + 1;
			reservation->n++;
			return true;
		}
	}
	return false;
}

/* Adds buffers for the first packets, as long as one each will do. */
static uint16_t singles_place(struct memif_connection *connection, const struct memif_queue *queue,
	struct rte_mbuf **mbufs, uint16_t n, struct reservation *reservation)
{
	struct peer_buffer *buffers = reservation->buffers + reservation->n_buffers;
	uint32_t begin = reservation->begin + reservation->n_buffers;
	uint16_t i;

	for (i = 0; i < n; i++) {
		if (!buffer_read(connection, descriptor_at(queue, begin + i), &buffers[i]) ||
			unlikely(mbufs[i]->pkt_len > buffers[i].length))
			break;
		buffers[i].length = mbufs[i]->pkt_len;
		buffers[i].ends = true;
		__builtin_prefetch(buffers[i].data, 1);
	}
	reservation->n += i;
	reservation->n_buffers += i;
	return i;
}

/* Buffers for the first packets, as many as there are some for. */
static void frames_place(struct memif_connection *connection, struct memif_queue *queue,
	struct rte_mbuf **mbufs, uint16_t n, struct reservation *reservation)
{
	uint16_t ready = reservation_begin(connection, queue, reservation), left, singles;

	for (uint16_t i = 0; i < RTE_MIN(n, ready); i += PER_LINE)
		__builtin_prefetch(descriptor_at(queue, reservation->begin + i), 1);
	while (reservation->n < n) {
		left = room_for_singles(reservation, n, ready);
		singles =
			singles_place(connection, queue, mbufs + reservation->n, left, reservation);
		if (likely(singles == left) ||
			!frame_place(connection, queue, mbufs[reservation->n],
				ready - reservation->n_buffers, reservation))
			return;
	}
}

/* The client may have fewer rings than the port has queues: then some share one. */
int memif_reserve(struct port *port, uint16_t index, struct rte_mbuf **mbufs, uint16_t n,
	struct reservation *reservation)
{
	struct memif_connection *connection = connection_get(port->driver);
	struct memif_queue *queue;
	bool is_pending;

	if (connection == NULL)
		return 0;
	queue = &connection->to_client[index % connection->n_to_client];
	if (!reservations_take(&queue->reservations))
		return -1;
	frames_place(connection, queue, mbufs, RTE_MIN(n, RESERVATION_PACKETS), reservation);
	/* If the ring is full of what lcores are copying, the client has not been asked yet. */
	is_pending =
		unlikely(reservation->n == 0) && reservations_are_pending(&queue->reservations);
	reservation_end(queue, reservation);
	return is_pending ? -1 : reservation->n;
}

/* Copies all segments into buffers, which hold the packet exactly. Returns how many they are. */
static uint16_t frame_copy(const struct rte_mbuf *segment, const struct peer_buffer *buffer)
{
	uint32_t done = 0, filled = 0;
	uint16_t n = 1;

	while (segment != NULL) {
		uint32_t part = RTE_MIN(segment->data_len - done, buffer->length - filled);

		memcpy(buffer->data + filled, rte_pktmbuf_mtod_offset(segment, const void *, done),
			part);
		done += part;
		filled += part;
		if (done == segment->data_len) {
			segment = segment->next;
			done = 0;
		} else {
			buffer++;
			n++;
			filled = 0;
		}
	}
	return n;
}

/* Tells the client what its buffer holds. Where it lies is the client's and is left as it is. */
static inline void descriptor_fill(union memif_descriptor *shared, const struct peer_buffer *buffer)
{
	union memif_descriptor own = {.flags = buffer->ends ? 0 : MEMIF_DESCRIPTOR_NEXT,
		.region = buffer->id,
		.length = buffer->length};

	__atomic_store_n(&shared->words[0], own.words[0], __ATOMIC_RELAXED);
}

static uint16_t frame_fill(const struct memif_queue *queue, uint32_t begin,
	const struct peer_buffer *buffers, const struct rte_mbuf *mbuf)
{
	uint16_t n = frame_copy(mbuf, buffers);

	for (uint16_t i = 0; i < n; i++)
		descriptor_fill(descriptor_at(queue, begin + i), &buffers[i]);
	return n;
}

uint16_t memif_fill(
	const struct port *port, struct reservation *reservation, struct rte_mbuf **mbufs)
{
	const struct peer_buffer *buffer = reservation->buffers;
	const struct memif_queue *queue = reservation->ring;
	uint32_t at = reservation->begin;
	uint16_t used;

	(void)port;
	for (uint16_t i = 0; i < reservation->n; i++, buffer += used, at += used) {
		if (unlikely(mbufs[i]->nb_segs > 1 || !buffer->ends)) {
			used = frame_fill(queue, at, buffer, mbufs[i]);
			continue;
		}
		rte_memcpy(buffer->data, rte_pktmbuf_mtod(mbufs[i], const void *), buffer->length);
		descriptor_fill(descriptor_at(queue, at), buffer);
		used = 1;
	}
	return reservation->n;
}

/* ---- publication ---- */

static void client_notify(const struct memif_queue *queue)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (unlikely(!(__atomic_load_n(&queue->ring->flags, __ATOMIC_RELAXED) &
		       MEMIF_RING_NO_INTERRUPT)))
		kick(queue->event_fd);
}

static void tail_publish(void *ring, uint32_t first, uint32_t n)
{
	const struct memif_queue *queue = ring;

	__atomic_store_n(&queue->ring->tail,
		(uint16_t)reservations_end(&queue->reservations, first + n - 1), __ATOMIC_RELEASE);
	if (queue->to_client)
		client_notify(queue);
}

void memif_publish(struct port *port, struct reservation *reservation)
{
	struct memif_queue *queue = reservation->ring;

	(void)port;
	reservations_complete(&queue->reservations, reservation->number, tail_publish, queue);
}
