/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/lcore.h"

#include <rte_malloc.h>
#include <rte_mempool.h>

#include "steer/flow_hash.h"

/* Time since the last mark goes to *counter. */
static void account(struct lcore *lcore, uint64_t *counter)
{
	uint64_t now = clock_read(&lcore->dataplane->clock);

	counter_add(counter, now - lcore->mark);
	lcore->mark = now;
}

static void read_doors(struct rte_mbuf **mbufs, uint16_t n, uint16_t *doors)
{
	for (uint16_t i = 0; i < n; i++)
		doors[i] = packet_of(mbufs[i])->door;
}

/* One store for each run of packets of one door: a door that has run short of credits reads its
 * count all the time, and takes the line away each time. */
static void finish(struct lcore *lcore, const uint16_t *doors, uint16_t n)
{
	for (uint16_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && doors[end] == doors[i]; end++)
			;
		counter_add(&lcore->finished[doors[i]], end - i);
	}
}

static void drop(struct lcore *lcore, struct rte_mbuf **mbufs, uint16_t n, enum drop reason)
{
	uint16_t doors[STAGE_BURST_MAX];

	read_doors(mbufs, n, doors);
	counter_add(&lcore->counters.drops[reason], n);
	finish(lcore, doors, n);
	rte_pktmbuf_free_bulk(mbufs, n);
}

static void consume(struct lcore *lcore, struct rte_mbuf *mbuf)
{
	uint16_t door = packet_of(mbuf)->door;

	counter_add(&lcore->counters.consumed, 1);
	finish(lcore, &door, 1);
	rte_pktmbuf_free(mbuf);
}

/* ---- credits ---- */

static uint64_t credits_out(struct lcore *lcore)
{
	return lcore->counters.admitted - lcore->returned;
}

/* Packets that may still enter here. Other lcores' counts are read only when they are needed. */
static uint32_t credits_left(struct lcore *lcore)
{
	const struct dataplane *dataplane = lcore->dataplane;

	if (credits_out(lcore) + RECEIVE_BURST > dataplane->credits) {
		lcore->returned = 0;
		for (uint16_t i = 0; i < dataplane->n_lcores; i++)
			lcore->returned += counter_read(lcore->finished_at[i]);
	}
	return dataplane->credits - credits_out(lcore);
}

/* ---- to other lcores ---- */

static void outbox_flush(struct lcore *lcore, struct outbox *outbox)
{
	unsigned int sent =
		rte_ring_sp_enqueue_burst(outbox->ring, (void **)outbox->mbufs, outbox->n, NULL);

	/* Credits rule it out; were they wrong, it must not go unseen. */
	if (unlikely(sent < outbox->n))
		drop(lcore, outbox->mbufs + sent, outbox->n - sent, DROP_INBOX_FULL);
	outbox->n = 0;
}

static void outbox_add(
	struct lcore *lcore, struct outbox *outbox, struct rte_mbuf **mbufs, uint16_t n)
{
	if (outbox->n + n > STAGE_BURST_MAX)
		outbox_flush(lcore, outbox);
	if (!outbox->dirty)
		lcore->dirty[lcore->n_dirty++] = outbox;
	outbox->dirty = true;
	memcpy(&outbox->mbufs[outbox->n], mbufs, n * sizeof(mbufs[0]));
	outbox->n += n;
}

static void flush_outboxes(struct lcore *lcore)
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

/* The lcore that must do `stage` for this packet, or LCORE_INLINE. */
static uint16_t target(const struct lcore *lcore, uint16_t stage, struct rte_mbuf *mbuf)
{
	const struct tables *tables = lcore->context.tables;
	uint16_t destination = packet_of(mbuf)->destination;

	switch (stage) {
	case STAGE_DELIVER:
		return tables->ports[destination]->queues[0].owner;
	case STAGE_SEND:
		return tables->exits[destination][lcore->index].owner;
	default:
		return lcore->dataplane->plan.lcore[stage];
	}
}

static void vector_add(struct lcore *lcore, uint16_t stage, struct rte_mbuf **mbufs, uint16_t n)
{
	struct vector *vector = &lcore->vectors[stage];

	if (vector->n + n > STAGE_BURST_MAX)
		run(lcore, stage);
	memcpy(&vector->mbufs[vector->n], mbufs, n * sizeof(mbufs[0]));
	vector->n += n;
}

/* Packets that all go the same way: the first one's. */
static void transition(struct lcore *lcore, uint16_t stage, struct rte_mbuf **mbufs, uint16_t n)
{
	uint16_t to;

	if (stage < STAGE_COUNT)
		stage = lcore->dataplane->plan.instead[stage];
	to = target(lcore, stage, mbufs[0]);
	if (to == LCORE_INLINE || to == lcore->index)
		vector_add(lcore, stage, mbufs, n);
	else
		outbox_add(lcore, &lcore->outboxes[stage][to], mbufs, n);
}

/* ---- replication ---- */

static struct rte_mbuf *replicate(struct lcore *lcore, struct rte_mbuf *mbuf)
{
	struct rte_mbuf *replica = NULL;

	/* A copy, not a clone: each replica gets outer headers of its own. */
	if (credits_left(lcore) > 0)
		replica = rte_pktmbuf_copy(mbuf, mbuf->pool, 0, UINT32_MAX);
	counter_add(&lcore->counters.created, 1);
	if (replica == NULL) {
		counter_add(&lcore->counters.drops[DROP_FLOOD_REFUSED], 1);
		return NULL;
	}
	packet_of(replica)->door = lcore->index;
	counter_add(&lcore->counters.admitted, 1);
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

static void flood(struct lcore *lcore, struct rte_mbuf *mbuf)
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
		drop(lcore, &mbuf, 1, DROP_FLOOD_NOBODY);
}

/* ---- stages ---- */

static void follow(struct lcore *lcore, struct rte_mbuf *mbuf, uint16_t verdict)
{
	if (verdict < STEP_COUNT)
		transition(lcore, verdict, &mbuf, 1);
	else if (verdict >= VERDICT_DROP)
		drop(lcore, &mbuf, 1, verdict - VERDICT_DROP);
	else if (verdict == VERDICT_FLOOD)
		flood(lcore, mbuf);
	else
		consume(lcore, mbuf);
}

/* True if one transition does for the whole burst, which for most bursts it does. */
static bool is_uniform(struct rte_mbuf **mbufs, const uint16_t *verdicts, uint16_t n)
{
	uint16_t different = 0;

	for (uint16_t i = 1; i < n; i++)
		different |= verdicts[i] ^ verdicts[0];
	if (different != 0 || verdicts[0] >= STEP_COUNT)
		return false;
	if (verdicts[0] < STAGE_COUNT)
		return true;
	for (uint16_t i = 1; i < n; i++)
		different |= packet_of(mbufs[i])->destination ^ packet_of(mbufs[0])->destination;
	return different == 0;
}

static void process(struct lcore *lcore, enum stage stage, struct rte_mbuf **mbufs, uint16_t n)
{
	uint16_t verdicts[STAGE_BURST_MAX];

	stage_table[stage].process(&lcore->context, mbufs, n, verdicts);
	if (likely(is_uniform(mbufs, verdicts, n)))
		return transition(lcore, verdicts[0], mbufs, n);
	for (uint16_t i = 0; i < n; i++)
		follow(lcore, mbufs[i], verdicts[i]);
}

/* ---- ports ---- */

static uint32_t bytes_of(struct rte_mbuf **mbufs, uint16_t n)
{
	uint32_t bytes = 0;

	for (uint16_t i = 0; i < n; i++)
		bytes += mbufs[i]->pkt_len;
	return bytes;
}

static enum drop refusal(const struct port *port)
{
	if (port->ops->is_up(port))
		return port->uplink ? DROP_UPLINK_FULL : DROP_PORT_FULL;
	return port->uplink ? DROP_UPLINK_DOWN : DROP_PORT_DOWN;
}

static void count_sent(struct lcore *lcore, struct port_counters *counters, const uint16_t *doors,
	uint16_t sent, uint32_t bytes)
{
	finish(lcore, doors, sent);
	counter_add(&counters->tx_packets, sent);
	counter_add(&counters->tx_bytes, bytes);
	counter_add(&lcore->counters.delivered, sent);
}

static void send_burst(
	struct lcore *lcore, struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	struct port_counters *counters = &port->queues[queue].counters;
	uint16_t doors[STAGE_BURST_MAX];
	uint32_t bytes = bytes_of(mbufs, n);
	uint16_t sent;

	read_doors(mbufs, n, doors);
	sent = port->ops->send(port, queue, mbufs, n);
	if (unlikely(sent < n)) {
		bytes -= bytes_of(mbufs + sent, n - sent);
		counter_add(&counters->tx_refused, n - sent);
		drop(lcore, mbufs + sent, n - sent, refusal(port));
	}
	count_sent(lcore, counters, doors, sent, bytes);
}

/* Which of its port's queues a packet leaves by. */
static uint16_t queue_of(
	const struct lcore *lcore, enum stage stage, const struct port *port, struct rte_mbuf *mbuf)
{
	if (stage == STAGE_SEND)
		return lcore->context.tables->exits[port->index][lcore->index].queue;
	return port->n_queues == 1 ? 0 : flow_hash(mbuf) % port->n_queues;
}

/* Takes the packets that leave by the same queue as the first out of mbufs[0..*n), in order. */
static uint16_t take_group(const struct lcore *lcore, enum stage stage, const struct port *port,
	uint16_t queue, struct rte_mbuf **mbufs, uint16_t *n, struct rte_mbuf **group)
{
	uint16_t taken = 0, left = 0;

	for (uint16_t i = 0; i < *n; i++) {
		if (packet_of(mbufs[i])->destination == port->index &&
			queue_of(lcore, stage, port, mbufs[i]) == queue)
			group[taken++] = mbufs[i];
		else
			mbufs[left++] = mbufs[i];
	}
	*n = left;
	return taken;
}

static void leave(struct lcore *lcore, enum stage stage, struct rte_mbuf **mbufs, uint16_t n)
{
	struct rte_mbuf *group[STAGE_BURST_MAX];

	while (n > 0) {
		struct port *port = lcore->context.tables->ports[packet_of(mbufs[0])->destination];
		uint16_t queue, taken;

		/* A port can go while its packets are on their way to the owner. */
		if (unlikely(port == NULL)) {
			drop(lcore, mbufs, 1, DROP_PORT_GONE);
			mbufs++;
			n--;
			continue;
		}
		queue = queue_of(lcore, stage, port, mbufs[0]);
		taken = take_group(lcore, stage, port, queue, mbufs, &n, group);
		send_burst(lcore, port, queue, group, taken);
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
	account(lcore, &counters->cycles);
}

static void run_from(struct lcore *lcore, unsigned int stage)
{
	for (; stage < STEP_COUNT; stage++)
		if (lcore->vectors[stage].n > 0)
			run(lcore, stage);
}

/* ---- the turn ---- */

static uint16_t poll_inbox(struct lcore *lcore, enum stage stage)
{
	const struct inbox *inbox = &lcore->inboxes[stage];
	struct vector *vector = &lcore->vectors[stage];
	uint16_t moved = 0;

	for (uint16_t i = 0; i < inbox->n; i++) {
		vector->n = rte_ring_sc_dequeue_burst(
			inbox->rings[i], (void **)vector->mbufs, RECEIVE_BURST, NULL);
		moved += vector->n;
		run_from(lcore, stage);
	}
	return moved;
}

static uint16_t poll_inboxes(struct lcore *lcore)
{
	uint16_t moved = 0;

	for (int stage = STEP_COUNT - 1; stage >= 0; stage--)
		if (lcore->inboxes[stage].n > 0)
			moved += poll_inbox(lcore, stage);
	return moved;
}

static void admit(
	struct lcore *lcore, struct port *port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n)
{
	struct port_counters *counters = &port->queues[queue].counters;
	enum stage first = port->uplink ? STAGE_RX : STAGE_VETH_RX;

	counter_add(&lcore->counters.admitted, n);
	counter_add(&counters->rx_packets, n);
	counter_add(&counters->rx_bytes, bytes_of(mbufs, n));
	for (uint16_t i = 0; i < n; i++) {
		struct packet *packet = packet_of(mbufs[i]);

		mbufs[i]->port = port->index;
		packet->door = lcore->index;
		packet->network = NETWORK_NONE;
		packet->source = PLACE_NONE;
	}
	transition(lcore, first, mbufs, n);
}

static uint16_t poll_queue(struct lcore *lcore, const struct owned_queue *owned, uint32_t credits)
{
	struct rte_mbuf *mbufs[RECEIVE_BURST];
	uint16_t n = owned->port->ops->receive(
		owned->port, owned->queue, mbufs, RTE_MIN(credits, (uint32_t)RECEIVE_BURST));

	if (n == 0)
		return 0;
	admit(lcore, owned->port, owned->queue, mbufs, n);
	run_from(lcore, 0);
	return n;
}

/* Sets *refused if credits kept a queue from being polled. */
static uint16_t poll_queues(struct lcore *lcore, bool *refused)
{
	const struct tables *tables = lcore->context.tables;
	uint16_t end = tables->owned_begin[lcore->index + 1];
	uint16_t moved = 0;

	for (uint16_t i = tables->owned_begin[lcore->index]; i < end; i++) {
		uint32_t credits = credits_left(lcore);

		if (credits > 0)
			moved += poll_queue(lcore, &tables->owned[i], credits);
		else
			*refused = true;
	}
	return moved;
}

/* False if there is no room: the ring keeps some for neighbours, as the list does. */
static bool send_notice(struct lcore *lcore, const struct notice *notice)
{
	if (notice->kind != NOTICE_NEIGHBOUR &&
		rte_ring_free_count(lcore->notices) <= NOTICES_RESERVED)
		return false;
	return rte_ring_sp_enqueue_elem(
		       lcore->notices, (void *)(uintptr_t)notice, sizeof(*notice)) == 0;
}

static void housekeep(struct lcore *lcore)
{
	struct notice_list *notices = &lcore->context.notices;
	uint64_t lost = notices->lost;

	if (notices->n == 0 && lost == 0)
		return;
	for (uint16_t i = 0; i < notices->n; i++)
		lost += !send_notice(lcore, &notices->list[i]);
	counter_add(&lcore->counters.notices_lost, lost);
	notices->n = 0;
	notices->lost = 0;
	account(lcore, &lcore->counters.time.housekeeping);
}

/* The turn's time, from its begin to the mark that the last step left, or to now. */
static void account_turn(struct lcore *lcore, uint64_t begin, uint16_t moved, bool refused)
{
	struct time_counters *time = &lcore->counters.time;
	uint64_t now = clock_read(&lcore->dataplane->clock);

	lcore->mark = now;
	if (moved > 0)
		counter_add(&time->working, now - begin);
	else if (refused)
		counter_add(&time->back_pressured, now - begin);
	else
		counter_add(&time->idle, now - begin);
}

bool lcore_poll(struct lcore *lcore)
{
	struct dataplane *dataplane = lcore->dataplane;
	uint64_t begin = lcore->mark;
	bool refused = false;
	uint16_t moved;

	/* Between two turns nothing of the tables is held. */
	rte_rcu_qsbr_quiescent(dataplane->rcu, lcore->index);
	lcore->context.tables = __atomic_load_n(&dataplane->tables, __ATOMIC_ACQUIRE);
	lcore->context.seconds = __atomic_load_n(&dataplane->seconds, __ATOMIC_RELAXED);
	moved = poll_inboxes(lcore);
	if (!__atomic_load_n(&dataplane->closing, __ATOMIC_RELAXED))
		moved += poll_queues(lcore, &refused);
	flush_outboxes(lcore);
	account_turn(lcore, begin, moved, refused);
	housekeep(lcore);
	return moved > 0;
}

/* ---- the driver of real lcores ---- */

void lcore_begin(struct lcore *lcore)
{
	rte_rcu_qsbr_thread_register(lcore->dataplane->rcu, lcore->index);
	rte_rcu_qsbr_thread_online(lcore->dataplane->rcu, lcore->index);
	lcore->mark = clock_read(&lcore->dataplane->clock);
}

void lcore_end(struct lcore *lcore)
{
	rte_rcu_qsbr_thread_offline(lcore->dataplane->rcu, lcore->index);
	rte_rcu_qsbr_thread_unregister(lcore->dataplane->rcu, lcore->index);
}

int lcore_run(void *argument)
{
	struct lcore *lcore = argument;

	lcore_begin(lcore);
	while (!__atomic_load_n(&lcore->dataplane->stop, __ATOMIC_RELAXED))
		lcore_poll(lcore);
	lcore_end(lcore);
	return 0;
}
