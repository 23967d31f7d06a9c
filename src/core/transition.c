/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/transition.h"

#include <rte_mempool.h>

#include "core/door.h"
#include "core/followers.h"
#include "core/parcel.h"
#include "ports/large_segment.h"
#include "steer/flow_hash.h"

/* ---- endings ---- */

/* Whose accounts the ends of packets go to; a packet's followers end with it. */
struct endings {
	uint32_t accounts[STAGE_BURST_MAX];
	uint16_t followers[STAGE_BURST_MAX];
	uint16_t lists; /* not 0 if some packet has followers */
};

static void read_endings(struct rte_mbuf **mbufs, uint16_t n, struct endings *endings)
{
	endings->lists = 0;
	for (uint16_t i = 0; i < n; i++) {
		endings->accounts[i] = packet_of(mbufs[i])->account;
		endings->lists |= packet_of(mbufs[i])->followers;
	}
	for (uint16_t i = 0; endings->lists != 0 && i < n; i++)
		endings->followers[i] = packet_of(mbufs[i])->followers;
}

static void finish_packets(struct lcore *lcore, uint32_t account, uint32_t packets)
{
	const struct packet packet = {.account = account};
	uint32_t *finished;

	counter_add(&lcore->finished[packet.door], packets);
	if (packet.group >= GROUPS_COUNTED)
		return;
	finished = &lcore->tallies[packet.first].finished[packet.group];
	__atomic_store_n(finished, *finished + packets, __ATOMIC_RELEASE);
	lcore->tally_changes[packet.first]++;
}

/* The packets that end with those from `begin` to before `end`. */
static uint32_t count_packets(const struct endings *endings, uint16_t begin, uint16_t end)
{
	uint32_t packets = end - begin;

	for (uint16_t i = begin; endings->lists != 0 && i < end; i++)
		packets += endings->followers[i];
	return packets;
}

/* One store for each run of packets of one account: a door that has run short of credits reads its
 * count all the time, and takes the line away each time. */
static void finish(struct lcore *lcore, const struct endings *endings, uint16_t n)
{
	const uint32_t *accounts = endings->accounts;

	for (uint16_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && accounts[end] == accounts[i]; end++)
			;
		finish_packets(lcore, accounts[i], count_packets(endings, i, end));
	}
}

void transition_drop(struct lcore *lcore, struct rte_mbuf **mbufs, uint16_t n, enum drop reason)
{
	struct endings endings;

	read_endings(mbufs, n, &endings);
	counter_add(&lcore->counters.drops[reason], count_packets(&endings, 0, n));
	finish(lcore, &endings, n);
	rte_pktmbuf_free_bulk(mbufs, n);
}

static void consume(struct lcore *lcore, struct rte_mbuf *mbuf)
{
	struct endings endings;

	read_endings(&mbuf, 1, &endings);
	counter_add(&lcore->counters.consumed, count_packets(&endings, 0, 1));
	finish(lcore, &endings, 1);
	rte_pktmbuf_free(mbuf);
}

/* ---- to other lcores ---- */

static void outbox_flush(struct lcore *lcore, struct outbox *outbox)
{
	unsigned int sent =
		rte_ring_sp_enqueue_burst(outbox->ring, outbox->parcels, outbox->n, NULL);

	/* Credits rule it out; were they wrong, it must not go unseen. */
	for (; unlikely(sent < outbox->n); sent++) {
		struct rte_mbuf *mbuf = parcel_mbuf(outbox->parcels[sent]);

		transition_drop(lcore, &mbuf, 1, DROP_INBOX_FULL);
	}
	outbox->n = 0;
}

static void outbox_add(struct lcore *lcore, struct outbox *outbox, uint16_t step,
	struct rte_mbuf **mbufs, uint16_t n)
{
	if (outbox->n + n > STAGE_BURST_MAX)
		outbox_flush(lcore, outbox);
	if (!outbox->dirty)
		lcore->dirty[lcore->n_dirty++] = outbox;
	outbox->dirty = true;
	for (uint16_t i = 0; i < n; i++)
		outbox->parcels[outbox->n + i] = parcel_make(mbufs[i], step);
	outbox->n += n;
}

void transition_flush(struct lcore *lcore)
{
	for (uint16_t i = 0; i < lcore->n_dirty; i++) {
		outbox_flush(lcore, lcore->dirty[i]);
		lcore->dirty[i]->dirty = false;
	}
	lcore->n_flushed = lcore->n_dirty;
	lcore->n_dirty = 0;
}

/* ---- transitions ---- */

static void run(struct lcore *lcore, enum stage stage);

/* The lcore that does `step` for this packet. */
static uint16_t target(const struct lcore *lcore, uint16_t step, struct rte_mbuf *mbuf)
{
	const struct tables *tables = lcore->context.tables;
	const struct packet *packet = packet_of(mbuf);
	uint16_t to;

	if (step == STAGE_DELIVER)
		return tables->ports[packet->destination]->queues[0].owner;
	if (step == STAGE_SEND)
		return tables->exits[packet->destination][lcore->index].owner;
	if (packet->group < FLOW_GROUPS)
		to = door_path(lcore->dataplane, packet)->lcore[step];
	else
		to = lcore->plan->lcore[step];
	return to == LCORE_INLINE ? lcore->index : to;
}

/* All that it depends on, of the packet. */
static uint32_t way_of(uint16_t step, struct rte_mbuf *mbuf)
{
	return step < STAGE_COUNT ? packet_of(mbuf)->account : packet_of(mbuf)->destination;
}

/* The vector of what runs for that step in this turn. Only here does a stage stand in another's
 * place: while the mode changes, lcores disagree about it, and what a flow has on its way from one
 * lcore to another must still come into one vector. */
static uint16_t vector_of(const struct lcore *lcore, uint16_t step)
{
	return step < STAGE_COUNT ? lcore->plan->instead[step] : step;
}

static void vector_add(struct lcore *lcore, uint16_t step, struct rte_mbuf **mbufs, uint16_t n)
{
	struct vector *vector = &lcore->vectors[step];

	if (vector->n + n > STAGE_BURST_MAX)
		run(lcore, step);
	memcpy(&vector->mbufs[vector->n], mbufs, n * sizeof(mbufs[0]));
	vector->n += n;
}

static void put(
	struct lcore *lcore, uint16_t to, uint16_t step, struct rte_mbuf **mbufs, uint16_t n)
{
	if (to == lcore->index)
		vector_add(lcore, vector_of(lcore, step), mbufs, n);
	else
		outbox_add(lcore, &lcore->outboxes[to], step, mbufs, n);
}

/* In runs of packets for one lcore; mostly the burst is one. */
void transition(struct lcore *lcore, uint16_t step, struct rte_mbuf **mbufs, uint16_t n)
{
	uint16_t begin = 0, to;
	uint32_t way;

	if (lcore->dataplane->n_lcores == 1)
		return put(lcore, 0, step, mbufs, n);
	way = way_of(step, mbufs[0]);
	to = target(lcore, step, mbufs[0]);
	for (uint16_t i = 1; i < n; i++) {
		uint16_t before = to;

		if (likely(way_of(step, mbufs[i]) == way))
			continue;
		way = way_of(step, mbufs[i]);
		to = target(lcore, step, mbufs[i]);
		if (to == before)
			continue;
		put(lcore, before, step, mbufs + begin, i - begin);
		begin = i;
	}
	put(lcore, to, step, mbufs + begin, n - begin);
}

/* ---- replication ---- */

/* Before anybody can see its end, or that of the packet it is made of: steer/moves.c. */
static void count_made(struct lcore *lcore, const struct packet *packet)
{
	struct tally *tally;

	if (packet->group >= GROUPS_COUNTED)
		return;
	tally = &lcore->tallies[packet->first];
	__atomic_store_n(
		&tally->made[packet->group], tally->made[packet->group] + 1, __ATOMIC_RELAXED);
	lcore->tally_changes[packet->first]++;
}

static struct rte_mbuf *replicate(struct lcore *lcore, struct rte_mbuf *mbuf)
{
	struct rte_mbuf *replica = NULL;

	/* A copy, not a clone: each replica gets outer headers of its own. */
	if (door_credits(lcore) > 0)
		replica = rte_pktmbuf_copy(mbuf, mbuf->pool, 0, UINT32_MAX);
	counter_add(&lcore->counters.created, 1);
	if (replica == NULL) {
		counter_add(&lcore->counters.drops[DROP_FLOOD_REFUSED], 1);
		return NULL;
	}
	packet_of(replica)->door = lcore->index;
	counter_add(&lcore->counters.admitted, 1);
	count_made(lcore, packet_of(replica));
	return replica;
}

static void send_to_place(struct lcore *lcore, struct rte_mbuf *mbuf, uint16_t place)
{
	packet_of(mbuf)->destination = place;
	transition(lcore, place_is_remote(place) ? STAGE_ENCAP : STAGE_VETH, &mbuf, 1);
}

/* Head-end replication (RFC 7348, 4.2 without multicast): never back, never tunnel to tunnel. */
static bool floods_to(uint16_t source, uint16_t place)
{
	return place != source && !(place_is_remote(source) && place_is_remote(place));
}

static void flood_packet(struct lcore *lcore, struct rte_mbuf *mbuf)
{
	const struct network *network = lcore->context.tables->networks[packet_of(mbuf)->network];
	uint16_t source = packet_of(mbuf)->source;
	uint16_t last = PLACE_NONE;

	for (uint16_t i = 0; i < network->n_places; i++) {
		struct rte_mbuf *replica;

		if (!floods_to(source, network->places[i]))
			continue;
		replica = last != PLACE_NONE ? replicate(lcore, mbuf) : NULL;
		if (replica != NULL)
			send_to_place(lcore, replica, last);
		last = network->places[i];
	}
	if (last != PLACE_NONE)
		send_to_place(lcore, mbuf, last);
	else
		transition_drop(lcore, &mbuf, 1, DROP_FLOOD_NOBODY);
}

static void flood(struct lcore *lcore, struct rte_mbuf *mbuf)
{
	for (struct rte_mbuf *next; mbuf != NULL; mbuf = next) {
		next = followers_take(mbuf);
		flood_packet(lcore, mbuf);
	}
}

/* ---- stages ---- */

static void follow(struct lcore *lcore, struct rte_mbuf *mbuf, uint16_t verdict)
{
	if (verdict < STEP_COUNT)
		transition(lcore, verdict, &mbuf, 1);
	else if (verdict >= VERDICT_DROP)
		transition_drop(lcore, &mbuf, 1, verdict - VERDICT_DROP);
	else if (verdict == VERDICT_FLOOD)
		flood(lcore, mbuf);
	else if (verdict == VERDICT_CONSUMED)
		consume(lcore, mbuf);
}

/* True if all go on to the same step, which for most bursts they do. */
static bool is_uniform(const uint16_t *verdicts, uint16_t n)
{
	uint16_t different = 0;

	for (uint16_t i = 1; i < n; i++)
		different |= verdicts[i] ^ verdicts[0];
	return different == 0 && verdicts[0] < STEP_COUNT;
}

static void process(struct lcore *lcore, enum stage stage, struct rte_mbuf **mbufs, uint16_t n)
{
	uint16_t verdicts[STAGE_BURST_MAX];

	stage_table[stage].process(&lcore->context, mbufs, n, verdicts);
	if (likely(is_uniform(verdicts, n)))
		return transition(lcore, verdicts[0], mbufs, n);
	for (uint16_t i = 0; i < n; i++)
		follow(lcore, mbufs[i], verdicts[i]);
}

/* ---- ports ---- */

static enum drop refusal(const struct port *port)
{
	if (port->ops->is_up(port))
		return port->uplink ? DROP_UPLINK_FULL : DROP_PORT_FULL;
	return port->uplink ? DROP_UPLINK_DOWN : DROP_PORT_DOWN;
}

static void count_sent(struct lcore *lcore, struct port_counters *counters,
	const struct endings *endings, uint16_t sent, uint32_t bytes)
{
	finish(lcore, endings, sent);
	counter_add(&counters->tx_packets, sent);
	counter_add(&counters->tx_bytes, bytes);
	counter_add(&lcore->counters.delivered, sent);
	counter_add(&lcore->counters.coalesced, count_packets(endings, 0, sent) - sent);
}

static void send_burst(
	struct lcore *lcore, struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	struct port_counters *counters = &port->queues[queue].counters;
	struct endings endings;
	uint32_t bytes = bytes_of(mbufs, n);
	uint16_t sent;

	read_endings(mbufs, n, &endings);
	sent = port->ops->send(port, queue, mbufs, n);
	if (unlikely(sent < n)) {
		bytes -= bytes_of(mbufs + sent, n - sent);
		counter_add(&counters->tx_refused, n - sent);
		transition_drop(lcore, mbufs + sent, n - sent, refusal(port));
	}
	count_sent(lcore, counters, &endings, sent, bytes);
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
			send_burst(lcore, port, queue, burst, filled);
			filled = 0;
		}
	}
	if (filled > 0)
		send_burst(lcore, port, queue, burst, filled);
}

/* Which of its port's queues a packet leaves by. */
static uint16_t queue_of(
	const struct lcore *lcore, enum stage stage, const struct port *port, struct rte_mbuf *mbuf)
{
	if (stage == STAGE_SEND)
		return lcore->context.tables->exits[port->index][lcore->index].queue;
	return port->n_queues == 1 ? 0 : flow_hash(mbuf) % port->n_queues;
}

/* Packets of a burst that leave by the same queue. */
struct leaving {
	uint16_t n;
	uint16_t followers; /* not 0 if any has some */
	struct rte_mbuf *mbufs[STAGE_BURST_MAX];
};

/* Takes the packets that leave by the same queue as the first out of mbufs[0..*n), in order. */
static void take_group(const struct lcore *lcore, enum stage stage, const struct port *port,
	uint16_t queue, struct rte_mbuf **mbufs, uint16_t *n, struct leaving *leaving)
{
	uint16_t taken = 0, left = 0, followers = 0;

	for (uint16_t i = 0; i < *n; i++) {
		const struct packet *packet = packet_of(mbufs[i]);

		if (packet->destination == port->index &&
			queue_of(lcore, stage, port, mbufs[i]) == queue) {
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

static void leave(struct lcore *lcore, enum stage stage, struct rte_mbuf **mbufs, uint16_t n)
{
	struct leaving leaving;

	while (n > 0) {
		struct port *port = lcore->context.tables->ports[packet_of(mbufs[0])->destination];
		uint16_t queue;

		/* A port can go while its packets are on their way to the owner. */
		if (unlikely(port == NULL)) {
			transition_drop(lcore, mbufs, 1, DROP_PORT_GONE);
			mbufs++;
			n--;
			continue;
		}
		queue = queue_of(lcore, stage, port, mbufs[0]);
		take_group(lcore, stage, port, queue, mbufs, &n, &leaving);
		if (unlikely(leaving.followers > 0))
			send_apart(lcore, port, queue, leaving.mbufs, leaving.n);
		else
			send_burst(lcore, port, queue, leaving.mbufs, leaving.n);
	}
}

/* In place: a packet only ever moves to a stage further down, so nothing is added to this vector.
 */
static void run(struct lcore *lcore, enum stage stage)
{
	struct vector *vector = &lcore->vectors[stage];
	struct stage_counters *counters = &lcore->counters.stages[stage];
	uint16_t n = vector->n;

	vector->n = 0;
	if (stage < STAGE_COUNT)
		process(lcore, stage, vector->mbufs, n);
	else
		leave(lcore, stage, vector->mbufs, n);
	counter_add(&counters->bursts, 1);
	counter_add(&counters->packets, n);
	lcore_account(lcore, &counters->cycles);
}

void transition_run_from(struct lcore *lcore, unsigned int step)
{
	for (; step < STEP_COUNT; step++)
		if (lcore->vectors[step].n > 0)
			run(lcore, step);
}

/* ---- from other lcores ---- */

/* True if all wait for the same step, which for most bursts they do. */
static bool is_for_one_step(void **parcels, unsigned int n)
{
	uintptr_t different = 0;

	for (unsigned int i = 1; i < n; i++)
		different |= (uintptr_t)parcels[i] ^ (uintptr_t)parcels[0];
	return (different & PARCEL_STEP) == 0;
}

/* Into vectors, which all are empty: a burst has room in any. */
static void unpack(struct lcore *lcore, void **parcels, unsigned int n)
{
	struct vector *vector = &lcore->vectors[vector_of(lcore, parcel_step(parcels[0]))];

	if (likely(is_for_one_step(parcels, n))) {
		for (unsigned int i = 0; i < n; i++)
			vector->mbufs[i] = parcel_mbuf(parcels[i]);
		vector->n = n;
		return;
	}
	for (unsigned int i = 0; i < n; i++) {
		vector = &lcore->vectors[vector_of(lcore, parcel_step(parcels[i]))];
		vector->mbufs[vector->n++] = parcel_mbuf(parcels[i]);
	}
}

static uint16_t poll_ring(struct lcore *lcore, struct rte_ring *ring)
{
	void *parcels[RECEIVE_BURST];
	unsigned int n = rte_ring_sc_dequeue_burst(ring, parcels, RECEIVE_BURST, NULL);

	if (n == 0)
		return 0;
	unpack(lcore, parcels, n);
	transition_run_from(lcore, 0);
	return n;
}

uint16_t transition_poll_inbox(struct lcore *lcore)
{
	uint16_t moved = 0;

	for (uint16_t i = 0; i < lcore->n_inbox; i++)
		moved += poll_ring(lcore, lcore->inbox[i]);
	return moved;
}
