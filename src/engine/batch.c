/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/batch.h"

#include <assert.h>
#include <string.h>

#include <rte_malloc.h>

#include "engine/transmit.h"
#include "ports/large_segment.h"
#include "stages/followers.h"

#define SORTED_MAX BATCH_PACKETS /* packets, at a time */

int batch_init(struct batch *batch, uint32_t most, int socket_id)
{
	batch->most = most;
	batch->mbufs = rte_malloc_socket(
		"batch", most * sizeof(batch->mbufs[0]), RTE_CACHE_LINE_SIZE, socket_id);
	return batch->mbufs == NULL ? -1 : 0;
}

void batch_free(struct batch *batch)
{
	rte_free(batch->mbufs);
}

void batch_begin(struct batch *batch, const struct owned_queue *source, uint32_t ticket)
{
	batch->source = *source;
	batch->ticket = ticket;
	batch->packets = batch->bytes = 0;
	batch->sorted = batch->end = 0;
	batch->departed = batch->n_departures = 0;
}

/* ---- what has come out ---- */

/* Gives the room of those that were handed over to others. */
static void compact(struct batch *batch)
{
	struct rte_mbuf **begin = batch->mbufs + batch->sorted;
	uint32_t gone;

	if (batch->departed < batch->n_departures)
		begin = batch->departures[batch->departed].mbufs;
	gone = begin - batch->mbufs;
	assert(gone > 0);
	memmove(batch->mbufs, begin, (batch->end - gone) * sizeof(begin[0]));
	for (uint16_t i = batch->departed; i < batch->n_departures; i++)
		batch->departures[i].mbufs -= gone;
	batch->sorted -= gone;
	batch->end -= gone;
}

/* There are no more packets than credits; but those that were handed over may leave no room behind
 * those that were not. */
static struct rte_mbuf **extend(struct batch *batch)
{
	if (unlikely(batch->end == batch->most))
		compact(batch);
	return &batch->mbufs[batch->end++];
}

/* Packets that hang behind others leave by themselves, unless they were made one with them. */
static void add_apart(struct batch *batch, struct rte_mbuf *mbuf)
{
	for (struct rte_mbuf *next; mbuf != NULL; mbuf = next) {
		next = large_segment_is(mbuf) ? NULL : followers_take(mbuf);
		*extend(batch) = mbuf;
	}
}

void batch_add(struct batch *batch, struct rte_mbuf **mbufs, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		if (likely(packet_of(mbufs[i])->followers == 0))
			*extend(batch) = mbufs[i];
		else
			add_apart(batch, mbufs[i]);
	}
}

/* ---- sorting ---- */

/* All that came through one queue leaves by one queue of the uplink's, whichever lcore had it. */
static uint16_t queue_of(const struct batch *batch, const struct port *port, struct rte_mbuf *mbuf)
{
	const struct owned_queue *source = &batch->source;

	if (!port->uplink)
		return transmit_container_queue(port, mbuf);
	return source->port == NULL ? 0 : (source->port->index + source->queue) % port->n_queues;
}

/* The departure of a packet, which may be a new one; NULL: there are too many. */
static struct departure *departure_of(
	const struct tables *tables, struct batch *batch, struct rte_mbuf *mbuf)
{
	uint16_t index = packet_of(mbuf)->destination, queue = 0, i = batch->n_departures;
	const struct port *port = tables->ports[index];

	if (likely(port != NULL) && port->n_queues > 1)
		queue = queue_of(batch, port, mbuf);
	while (i-- > 0)
		if (batch->departures[i].port == index && batch->departures[i].queue == queue)
			return &batch->departures[i];
	if (batch->n_departures == DEPARTURES_MAX)
		return NULL;
	batch->departures[batch->n_departures] =
		(struct departure){.port = index, .queue = queue, .is_whole = true};
	return &batch->departures[batch->n_departures++];
}

static void note_departure(struct departure *departure, struct rte_mbuf *mbuf)
{
	departure->n++;
	departure->bytes += mbuf->pkt_len;
	departure->has_followers |= packet_of(mbuf)->followers > 0;
}

/* Puts n packets in the order of their departures; of[i] is that of packet i. */
static void reorder(struct batch *batch, const uint8_t *of, uint16_t n)
{
	struct rte_mbuf **mbufs = batch->mbufs + batch->sorted, **next = mbufs;
	struct rte_mbuf *unsorted[SORTED_MAX];

	memcpy(unsorted, mbufs, n * sizeof(mbufs[0]));
	for (uint16_t i = 0; i < batch->n_departures; i++) {
		batch->departures[i].mbufs = next;
		next += batch->departures[i].n;
		batch->departures[i].n = 0;
	}
	for (uint16_t i = 0; i < n; i++) {
		struct departure *departure = &batch->departures[of[i]];

		departure->mbufs[departure->n++] = unsorted[i];
	}
}

void batch_sort(struct batch *batch, const struct tables *tables)
{
	uint16_t most = RTE_MIN(batch->end - batch->sorted, (uint32_t)SORTED_MAX), n;
	uint8_t of[SORTED_MAX];

	batch->departed = batch->n_departures = 0;
	for (n = 0; n < most; n++) {
		struct rte_mbuf *mbuf = batch->mbufs[batch->sorted + n];
		struct departure *departure = departure_of(tables, batch, mbuf);

		if (departure == NULL)
			break;
		note_departure(departure, mbuf);
		of[n] = departure - batch->departures;
	}
	if (batch->n_departures == 1)
		batch->departures[0].mbufs = batch->mbufs + batch->sorted;
	else
		reorder(batch, of, n);
	batch->sorted += n;
}
