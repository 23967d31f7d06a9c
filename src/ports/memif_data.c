/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include <rte_ether.h>
#include <rte_memcpy.h>
#include <rte_prefetch.h>

#include "ports/memif_private.h"

/*
 * Who publishes what. In both kinds of ring the client stores `head` with release, after the
 * descriptors before it (and, from the client, the packets they point to); we load it with acquire.
 * We store `tail` with release, once a burst: on a ring from the client after the packets have been
 * copied out (the client may reuse the buffers), on a ring to the client after packets and
 * descriptors have been written; the client loads it with acquire. Where a ring stands on our side
 * (`next`) is kept in our memory: the shared `tail` is only ever written.
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

#define BURST 32
#define CHAIN_MAX 256 /* descriptors of one frame; a client's smallest useful buffer is larger */

/* A client's buffer, checked: `length` bytes at `data` are mapped. */
struct buffer {
	uint8_t *data;
	uint32_t length;
	uint16_t region;
	uint16_t flags;
};

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

/* Descriptors the client has published and we have not taken. */
static inline uint16_t descriptors_ready(
	struct memif_connection *connection, const struct memif_queue *queue)
{
	uint16_t head = __atomic_load_n(&queue->ring->head, __ATOMIC_ACQUIRE);
	uint16_t ready = head - queue->next;

	if (likely(ready <= queue->size))
		return ready;
	connection_break(connection);
	return 0;
}

static inline union memif_descriptor *descriptor_at(const struct memif_queue *queue, uint16_t index)
{
	return &queue->ring->descriptors[index & (queue->size - 1)];
}

static inline bool buffer_read(struct memif_connection *connection,
	const union memif_descriptor *shared, struct buffer *buffer)
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
	buffer->region = own.region;
	buffer->flags = own.flags;
	return true;
}

/* The packets at the front of the ring that are one descriptor and fit one mbuf each. */
static uint16_t receive_gather(struct memif_connection *connection, struct memif_queue *queue,
	struct buffer *buffers, uint16_t n, uint32_t room)
{
	uint32_t most = RTE_MIN(room, (uint32_t)MEMIF_FRAME_MAX);
	uint16_t i;

	for (i = 0; i < n; i++) {
		struct buffer *buffer = &buffers[i];

		if (!buffer_read(connection, descriptor_at(queue, queue->next + i), buffer))
			break;
		if (unlikely((buffer->flags & MEMIF_DESCRIPTOR_NEXT) || buffer->length > most))
			break;
		rte_prefetch0(buffer->data);
	}
	return i;
}

static uint16_t receive_burst(const struct memif_port *memif, struct memif_connection *connection,
	struct memif_queue *queue, struct rte_mbuf **mbufs, uint16_t n)
{
	struct buffer buffers[BURST];

	n = RTE_MIN(n, BURST);
	for (uint16_t i = 0; i < n; i += 4)
		rte_prefetch0(descriptor_at(queue, queue->next + i));
	n = receive_gather(connection, queue, buffers, n, memif->room);
	if (n == 0 || unlikely(rte_pktmbuf_alloc_bulk(memif->pool, mbufs, n) != 0))
		return 0;
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *mbuf = mbufs[i];

		mbuf->data_len = (uint16_t)buffers[i].length;
		mbuf->pkt_len = buffers[i].length;
		rte_memcpy(rte_pktmbuf_mtod(mbuf, void *), buffers[i].data, buffers[i].length);
	}
	queue->next += n;
	return n;
}

/* Reads the buffers of the frame at the front. Returns how many; 0: its end is not there yet. */
static uint16_t chain_read(struct memif_connection *connection, const struct memif_queue *queue,
	struct buffer *chain, uint16_t ready)
{
	for (uint16_t i = 0; i < RTE_MIN(ready, CHAIN_MAX); i++) {
		if (!buffer_read(connection, descriptor_at(queue, queue->next + i), &chain[i]))
			return 0;
		if (!(chain[i].flags & MEMIF_DESCRIPTOR_NEXT))
			return i + 1;
	}
	/* A frame that has no end here has none at all. */
	if (ready >= RTE_MIN(queue->size, CHAIN_MAX))
		connection_break(connection);
	return 0;
}

/* Appends to the frame, adding segments as they fill up. NULL: no mbufs. */
static struct rte_mbuf *frame_append(
	struct rte_mbuf *head, struct rte_mbuf *last, const struct buffer *buffer)
{
	uint32_t done = 0;

	while (done < buffer->length) {
		uint32_t part = RTE_MIN(buffer->length - done, rte_pktmbuf_tailroom(last));

		if (part == 0) {
			last->next = rte_pktmbuf_alloc(head->pool);
			if (last->next == NULL)
				return NULL;
			last = last->next;
			head->nb_segs++;
			continue;
		}
		memcpy(rte_pktmbuf_mtod_offset(last, void *, last->data_len), buffer->data + done,
			part);
		last->data_len += (uint16_t)part;
		head->pkt_len += part;
		done += part;
	}
	return last;
}

static struct rte_mbuf *frame_build(
	struct rte_mempool *pool, const struct buffer *chain, uint16_t n)
{
	struct rte_mbuf *head = rte_pktmbuf_alloc(pool);
	struct rte_mbuf *last = head;

	for (uint16_t i = 0; i < n && last != NULL; i++)
		last = frame_append(head, last, &chain[i]);
	if (last == NULL)
		rte_pktmbuf_free(head);
	return last == NULL ? NULL : head;
}

/* Cuts a frame that no MTU allows: still too long for any stage to let it pass, but bounded. */
static void chain_cut(struct buffer *chain, uint16_t n)
{
	uint32_t left = MEMIF_FRAME_MAX;

	for (uint16_t i = 0; i < n; i++) {
		chain[i].length = RTE_MIN(chain[i].length, left);
		left -= chain[i].length;
	}
}

/* The frame at the front, however many descriptors and segments it has. Returns the descriptors
 * it took, 0 to stop. */
static uint16_t receive_chain(const struct memif_port *memif, struct memif_connection *connection,
	struct memif_queue *queue, uint16_t ready, struct rte_mbuf **mbuf)
{
	struct buffer chain[CHAIN_MAX];
	uint16_t used = chain_read(connection, queue, chain, ready);

	if (used == 0)
		return 0;
	chain_cut(chain, used);
	*mbuf = frame_build(memif->pool, chain, used);
	if (*mbuf == NULL)
		return 0;
	queue->next += used;
	return used;
}

static void tail_publish(struct memif_queue *queue)
{
	__atomic_store_n(&queue->ring->tail, queue->next, __ATOMIC_RELEASE);
}

static uint16_t receive_ring(const struct memif_port *memif, struct memif_connection *connection,
	struct memif_queue *queue, struct rte_mbuf **mbufs, uint16_t n)
{
	uint16_t ready = descriptors_ready(connection, queue);
	uint16_t received = 0;

	if (ready == 0)
		return 0;
	while (received < n && ready > 0) {
		uint16_t used = receive_burst(
			memif, connection, queue, &mbufs[received], RTE_MIN(n - received, ready));

		if (likely(used > 0)) {
			received += used;
		} else {
			used = receive_chain(memif, connection, queue, ready, &mbufs[received]);
			if (used == 0)
				break;
			received++;
		}
		ready -= used;
	}
	if (received > 0)
		tail_publish(queue);
	return received;
}

/* The client may have more rings than the port has queues: rings `index`, `index + n_queues` and so
 * on are this one's. What the next of them that has something has. */
uint16_t memif_receive(struct port *port, uint16_t index, struct rte_mbuf **mbufs, uint16_t n)
{
	const struct memif_port *memif = port->driver;
	struct memif_connection *connection = connection_get(memif);
	uint16_t received = 0;

	if (connection == NULL)
		return 0;
	for (uint16_t i = index; i < connection->n_from_client && received == 0;
		i += port->n_queues) {
		uint16_t ring = index + connection->turns[index];

		connection->turns[index] += port->n_queues;
		if (index + connection->turns[index] >= connection->n_from_client)
			connection->turns[index] = 0;
		received =
			receive_ring(memif, connection, &connection->from_client[ring], mbufs, n);
	}
	return received;
}

/* The client's next buffers, as far as they take one packet each. */
static uint16_t send_gather(struct memif_connection *connection, struct memif_queue *queue,
	struct buffer *buffers, struct rte_mbuf **mbufs, uint16_t n)
{
	uint16_t i;

	for (i = 0; i < n; i++) {
		if (!buffer_read(connection, descriptor_at(queue, queue->next + i), &buffers[i]))
			break;
		if (unlikely(mbufs[i]->nb_segs != 1 || mbufs[i]->data_len > buffers[i].length))
			break;
		__builtin_prefetch(buffers[i].data, 1);
	}
	return i;
}

/* Tells the client what its buffer holds. Its place is the client's and is left as it is. */
static inline void descriptor_fill(
	union memif_descriptor *shared, uint16_t region, uint32_t length, uint16_t flags)
{
	union memif_descriptor own = {.flags = flags, .region = region, .length = length};

	__atomic_store_n(&shared->words[0], own.words[0], __ATOMIC_RELAXED);
}

static uint16_t send_burst(struct memif_connection *connection, struct memif_queue *queue,
	struct rte_mbuf **mbufs, uint16_t n)
{
	struct buffer buffers[BURST];

	n = RTE_MIN(n, BURST);
	for (uint16_t i = 0; i < n; i += 4)
		__builtin_prefetch(descriptor_at(queue, queue->next + i), 1);
	n = send_gather(connection, queue, buffers, mbufs, n);
	for (uint16_t i = 0; i < n; i++) {
		uint16_t length = mbufs[i]->data_len;

		rte_memcpy(buffers[i].data, rte_pktmbuf_mtod(mbufs[i], const void *), length);
		descriptor_fill(
			descriptor_at(queue, queue->next + i), buffers[i].region, length, 0);
	}
	queue->next += n;
	return n;
}

/* Copies all segments into buffers, which hold the packet exactly. */
static void frame_copy(const struct rte_mbuf *segment, const struct buffer *buffer)
{
	uint32_t done = 0, filled = 0;

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
			filled = 0;
		}
	}
}

/* One packet over as many buffers as it needs. Returns their number, 0 if it does not fit. */
static uint16_t send_chain(struct memif_connection *connection, struct memif_queue *queue,
	const struct rte_mbuf *mbuf, uint16_t ready)
{
	struct buffer buffers[CHAIN_MAX];
	uint32_t left = mbuf->pkt_len;
	uint16_t n = 0;

	for (; left > 0; n++) {
		if (n == RTE_MIN(ready, CHAIN_MAX) ||
			!buffer_read(
				connection, descriptor_at(queue, queue->next + n), &buffers[n]))
			return 0;
		buffers[n].length = RTE_MIN(buffers[n].length, left);
		left -= buffers[n].length;
	}
	frame_copy(mbuf, buffers);
	for (uint16_t i = 0; i < n; i++)
		descriptor_fill(descriptor_at(queue, queue->next + i), buffers[i].region,
			buffers[i].length, i + 1 < n ? MEMIF_DESCRIPTOR_NEXT : 0);
	queue->next += n;
	return n;
}

static void client_notify(const struct memif_queue *queue)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (unlikely(!(__atomic_load_n(&queue->ring->flags, __ATOMIC_RELAXED) &
		       MEMIF_RING_NO_INTERRUPT)))
		kick(queue->event_fd);
}

uint16_t memif_send(struct port *port, uint16_t index, struct rte_mbuf **mbufs, uint16_t n)
{
	const struct memif_port *memif = port->driver;
	struct memif_connection *connection = connection_get(memif);
	struct memif_queue *queue;
	uint16_t ready, sent = 0;

	if (connection == NULL)
		return 0;
	/* It may have fewer rings than the port has queues, all of which one lcore owns. */
	queue = &connection->to_client[index % connection->n_to_client];
	ready = descriptors_ready(connection, queue);
	while (sent < n && ready > 0) {
		uint16_t used =
			send_burst(connection, queue, &mbufs[sent], RTE_MIN(n - sent, ready));

		if (likely(used > 0)) {
			sent += used;
		} else {
			used = send_chain(connection, queue, mbufs[sent], ready);
			if (used == 0)
				break;
			sent++;
		}
		ready -= used;
	}
	if (sent > 0) {
		tail_publish(queue);
		client_notify(queue);
		rte_pktmbuf_free_bulk(mbufs, sent);
	}
	return sent;
}
