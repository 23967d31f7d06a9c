/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an lcore does with the queues that it takes turns at (ports/turn.h), part by part:
 *
 *   receive    with the right: a batch, or buffers of the peer's that have one; a ticket; the right
 *              is passed on
 *   run        the batch is copied out of the peer's buffers, where it is there, and goes through
 *              all stages on this lcore; what comes out waits in batch.mbufs[],
 *              sorted by where it leaves
 *   hand over  when the number is up: what is for a ring of our own is given buffers there, what is
 *              for another port is sent. When all is, the number is passed on
 *   copy       into these buffers, beside other lcores
 *
 * A round does parts as long as there are any. Copies come first, then what is to be handed over,
 * so that no lcore waits longer for a number than it must. Where the number is not up, or another
 * lcore is at the port, the batch stays and the round goes on with something else.
 *
 * A batch is open while some of it waits behind a flood, or is with a stage. It keeps its number
 * then, and the lcore receives nothing more: so all that waits is of one batch. What an open batch
 * waits for are credits; those are with batches that this lcore received before, and these wait for
 * numbers of batches received before them. So there is always one that waits for nobody.
 */
#include "engine/turns.h"

#include <rte_malloc.h>

#include "engine/credits.h"
#include "engine/drop.h"
#include "engine/ledger.h"
#include "engine/passing.h"
#include "engine/receive.h"
#include "engine/route.h"
#include "engine/run.h"
#include "engine/transmit.h"
#include "ports/large_segment.h"
#include "stages/followers.h"
#include "stages/steps.h"

#define SORTED_MAX BATCH_PACKETS /* packets, at a time */
static_assert(RESERVATION_PACKETS == STAGE_BURST_MAX, "what is claimed at once is a feed");
static_assert(RESERVATION_MBUFS >= RESERVATION_PACKETS, "a reservation knows its packets");

/* ---- making ---- */

/* Each packet has a credit of the lcore's, but for what the main lcore has made. */
static uint32_t most_packets(const struct dataplane *dataplane)
{
	return dataplane->credits + FROM_MAIN_SIZE;
}

static int make_batch(struct batch *batch, const struct dataplane *dataplane, int socket_id)
{
	batch->mbufs = rte_malloc_socket("batch", most_packets(dataplane) * sizeof(batch->mbufs[0]),
		RTE_CACHE_LINE_SIZE, socket_id);
	return batch->mbufs == NULL ? -1 : 0;
}

int turns_init(struct turns *turns, const struct dataplane *dataplane, int socket_id)
{
	turns->current = &turns->loose;
	helpers_init(&turns->helpers);
	for (uint16_t i = 0; i < BATCHES_MAX; i++) {
		turns->free[turns->n_free++] = &turns->batches[i];
		if (make_batch(&turns->batches[i], dataplane, socket_id) != 0)
			return -1;
	}
	return make_batch(&turns->loose, dataplane, socket_id);
}

void turns_free(struct turns *turns)
{
	for (uint16_t i = 0; i < BATCHES_MAX; i++)
		rte_free(turns->batches[i].mbufs);
	rte_free(turns->loose.mbufs);
}

/* ---- receive ---- */

/* What the peer has, without a copy. */
static uint16_t claim(struct turns *turns, const struct owned_queue *source, uint32_t most)
{
	struct port *port = source->port;
	uint16_t sum = 0, n;

	do {
		n = RTE_MIN(most - sum, (uint32_t)RESERVATION_PACKETS);
		n = port->ops->claim(port, source->queue, n, &turns->claims[turns->n_claims]);
		turns->n_claims += n > 0;
		sum += n;
	} while (n > 0 && sum < most && turns->n_claims < CLAIMS_MAX);
	return sum;
}

/* Drivers give less than they have, in bursts of their own. */
static uint16_t take(struct turns *turns, const struct owned_queue *source, uint32_t most)
{
	uint16_t n;

	do {
		n = source->port->ops->receive(source->port, source->queue,
			turns->received + turns->n_received,
			RTE_MIN(most - turns->n_received, (uint32_t)RECEIVE_BURST));
		turns->n_received += n;
	} while (n == RECEIVE_BURST && turns->n_received < most);
	return turns->n_received;
}

static uint16_t poll_source(struct turns *turns, const struct owned_queue *source, uint32_t most)
{
	return source->port->ops->claim != NULL ? claim(turns, source, most)
						: take(turns, source, most);
}

static void begin_batch(struct turns *turns, const struct owned_queue *source, uint32_t ticket)
{
	struct batch *batch = turns->free[--turns->n_free];

	batch->source = *source;
	batch->ticket = ticket;
	batch->packets = batch->bytes = 0;
	batch->sorted = batch->end = 0;
	batch->departed = batch->n_departures = 0;
	turns->waiting[turns->n_waiting++] = batch;
	turns->current = batch;
}

static bool is_own(const struct lcore *lcore, const struct owned_queue *source)
{
	return source->port->queues[source->queue].owner == lcore->index;
}

static void note_batch(struct lcore *lcore, const struct owned_queue *source)
{
	lcore->turns->now.batches++;
	if (is_own(lcore, source)) {
		lcore->turns->now.own_batches++;
		lcore->turns->found = true;
	}
}

static uint16_t receive_from(
	struct lcore *lcore, const struct owned_queue *source, uint32_t credits)
{
	struct turns *turns = lcore->turns;
	struct turn *turn = &source->port->queues[source->queue].turn;
	uint16_t n;

	if (!turn_take(turn))
		return 0;
	n = poll_source(turns, source, RTE_MIN(credits, (uint32_t)BATCH_PACKETS));
	if (n == 0) {
		turn_pass_on(turn);
		return 0;
	}
	begin_batch(turns, source, turn_draw(turn));
	pass_right(lcore, turn);
	note_batch(lcore, source);
	return n;
}

/* Whether it is wanted at the queue of another. */
static bool helps(const struct lcore *lcore, const struct owned_queue *source)
{
	const struct dataplane *dataplane = lcore->dataplane;
	uint16_t owner = source->port->queues[source->queue].owner, n = dataplane->n_lcores;

	if (!(source->port->lcores >> lcore->index & 1))
		return false;
	return !lcore->plan->mode->adapts ||
	       (lcore->index + n - owner - 1) % n <
		       number_read16(&dataplane->lcores[owner]->helpers);
}

/* The queues that an lcore may look into, its own ones first; NULL: it has seen all of them in this
 * round, or is not wanted at more. */
static const struct owned_queue *next_source(struct lcore *lcore)
{
	const struct tables *tables = lcore->context.tables;
	const struct owned_queue *source;
	struct turns *turns = lcore->turns;
	uint16_t n = tables->owned_begin[lcore->dataplane->n_lcores];
	uint16_t begin = tables->owned_begin[lcore->index];
	uint16_t own = tables->owned_begin[lcore->index + 1] - begin;

	while (turns->n_looked < (turns->found ? own : n)) {
		uint16_t i = turns->n_looked++;

		if (i < own)
			return &tables->owned[begin + (lcore->first_queue + i) % own];
		source = &tables->owned[(begin + i) % n];
		if (helps(lcore, source))
			return source;
	}
	return NULL;
}

static uint16_t receive_next(struct lcore *lcore, bool *refused)
{
	struct turns *turns = lcore->turns;
	const struct owned_queue *source;
	uint32_t credits;
	uint16_t n = 0;

	if (turns->current != &turns->loose || turns->n_free == 0)
		return 0;
	credits = credits_for_received(lcore);
	*refused = credits == 0;
	while (credits > 0 && n == 0 && (source = next_source(lcore)) != NULL)
		n = receive_from(lcore, source, credits);
	return n;
}

/* ---- what has come out ---- */

/* True if nothing that has come out is still to be handed over. */
static bool is_all_out(const struct batch *batch)
{
	return batch->departed == batch->n_departures && batch->sorted == batch->end;
}

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
static struct rte_mbuf **extend(struct lcore *lcore, struct batch *batch)
{
	if (unlikely(batch->end == most_packets(lcore->dataplane)))
		compact(batch);
	return &batch->mbufs[batch->end++];
}

/* Packets that hang behind others leave by themselves, unless they were made one with them. */
static void add_apart(struct lcore *lcore, struct batch *batch, struct rte_mbuf *mbuf)
{
	for (struct rte_mbuf *next; mbuf != NULL; mbuf = next) {
		next = large_segment_is(mbuf) ? NULL : followers_take(mbuf);
		*extend(lcore, batch) = mbuf;
	}
}

void turns_add(struct lcore *lcore, struct rte_mbuf **mbufs, uint16_t n)
{
	struct batch *batch = lcore->turns->current;

	for (uint16_t i = 0; i < n; i++) {
		if (likely(packet_of(mbufs[i])->followers == 0))
			*extend(lcore, batch) = mbufs[i];
		else
			add_apart(lcore, batch, mbufs[i]);
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
	struct lcore *lcore, struct batch *batch, struct rte_mbuf *mbuf)
{
	uint16_t index = packet_of(mbuf)->destination, queue = 0, i = batch->n_departures;
	const struct port *port = lcore->context.tables->ports[index];

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

/* Before the number is up, as far as that can be. */
static void sort(struct lcore *lcore, struct batch *batch)
{
	uint16_t most = RTE_MIN(batch->end - batch->sorted, (uint32_t)SORTED_MAX), n;
	uint8_t of[SORTED_MAX];

	batch->departed = batch->n_departures = 0;
	for (n = 0; n < most; n++) {
		struct rte_mbuf *mbuf = batch->mbufs[batch->sorted + n];
		struct departure *departure = departure_of(lcore, batch, mbuf);

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

/* ---- run ---- */

static bool is_open(const struct lcore *lcore)
{
	return flood_is_on(lcore) || lcore->kept > 0;
}

static void close_batch(struct lcore *lcore)
{
	struct batch *batch = lcore->turns->current;

	if (is_open(lcore) || batch == &lcore->turns->loose)
		return;
	if (batch->departed == batch->n_departures)
		sort(lcore, batch);
	lcore->turns->current = &lcore->turns->loose;
}

static void run_feed(struct lcore *lcore, struct rte_mbuf **mbufs, uint16_t n)
{
	struct batch *batch = lcore->turns->current;
	struct port *port = batch->source.port;

	batch->packets += n;
	batch->bytes += receive_note(lcore, port, mbufs, n);
	route(lcore, port->uplink ? STAGE_RX : STAGE_VETH_RX, mbufs, n);
	run(lcore);
}

static uint16_t run_received(struct lcore *lcore)
{
	struct turns *turns = lcore->turns;
	uint16_t n = turns->n_received;

	for (uint16_t i = 0; i < n; i += STAGE_BURST_MAX)
		run_feed(lcore, turns->received + i, RTE_MIN(n - i, STAGE_BURST_MAX));
	turns->n_received = 0;
	close_batch(lcore);
	return n;
}

static uint16_t run_claimed(struct lcore *lcore)
{
	struct turns *turns = lcore->turns;
	struct port *port = turns->current->source.port;
	uint16_t sum = 0;

	for (uint16_t i = 0; i < turns->n_claims; i++) {
		struct reservation *claim = &turns->claims[i];

		port->ops->collect(port, claim, turns->received);
		lcore_count_step(lcore, STEP_COPY, claim->n);
		sum += claim->n;
		run_feed(lcore, turns->received, claim->n);
		pass_reservation(lcore, port, claim);
	}
	turns->n_claims = 0;
	close_batch(lcore);
	return sum;
}

/* ---- hand over ---- */

static void count(struct lcore *lcore, const struct batch *batch, const struct departure *departure,
	struct port_counters *counters, uint16_t n)
{
	const union origin own = {
		.account = {ACCOUNT_NONE}, .first = lcore->index, .door = lcore->index};
	bool is_whole = departure->is_whole && n == departure->n;
	uint32_t bytes = is_whole ? departure->bytes : bytes_of(departure->mbufs, n);
	struct endings endings;
	uint32_t packets = n;

	if (likely(batch->source.port != NULL && !departure->has_followers)) {
		ledger_end_origin(lcore, own, n);
	} else {
		ledger_read(departure->mbufs, n, &endings);
		ledger_end(lcore, &endings, n);
		packets = ledger_packets(&endings, 0, n);
	}
	transmit_count(lcore, counters, n, packets, bytes);
}

/* The first n are gone. */
static void advance(struct departure *departure, uint16_t n)
{
	departure->mbufs += n;
	departure->n -= n;
	departure->is_whole = false;
}

/* Buffers for the first packets; returns how many that is, 0 if the port takes none, -1 if another
 * lcore is at its ring. */
static int reserve(struct lcore *lcore, const struct batch *batch, struct departure *departure,
	struct port *port)
{
	struct handing *handing = &lcore->turns->handings[lcore->turns->n_handings];
	struct reservation *reservation = &handing->reservation;
	int n = port->ops->reserve(port, departure->queue, departure->mbufs,
		RTE_MIN(departure->n, RESERVATION_PACKETS), reservation);

	if (n <= 0)
		return n;
	handing->port = port;
	memcpy(reservation->mbufs, departure->mbufs, n * sizeof(departure->mbufs[0]));
	lcore->turns->n_handings++;
	count(lcore, batch, departure, &port->queues[departure->queue].counters, n);
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
			n = transmit_refuse(
				lcore, port, departure->queue, departure->mbufs, departure->n);
		advance(departure, n);
	}
}

static void send_all(struct lcore *lcore, struct departure *departure, struct port *port)
{
	for (uint16_t n; departure->n > 0; advance(departure, n)) {
		n = RTE_MIN(departure->n, STAGE_BURST_MAX);
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
		n = RTE_MIN(departure->n, STAGE_BURST_MAX);
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

/* Returns how many packets it is done with: all that there are, unless somebody is in the way. */
static uint16_t hand_over_packets(struct lcore *lcore, struct batch *batch)
{
	uint16_t sum = 0;

	do {
		if (batch->departed == batch->n_departures)
			sort(lcore, batch);
		sum += hand_over_departures(lcore, batch);
	} while (batch->departed == batch->n_departures && batch->sorted < batch->end);
	if (is_all_out(batch))
		batch->sorted = batch->end = 0;
	return sum;
}

static void remove_waiting(struct turns *turns, uint16_t i)
{
	turns->free[turns->n_free++] = turns->waiting[i];
	turns->n_waiting--;
	memmove(turns->waiting + i, turns->waiting + i + 1,
		(turns->n_waiting - i) * sizeof(turns->waiting[0]));
}

/* By who has the number, the only one who counts for the queue. */
static void end_batch(struct lcore *lcore, struct batch *batch)
{
	struct port_queue *queue = &batch->source.port->queues[batch->source.queue];

	counter_add(&queue->counters.rx_packets, batch->packets);
	counter_add(&queue->counters.rx_bytes, batch->bytes);
	pass_number(lcore, &queue->turn);
}

/* Returns how much it did. */
static uint16_t hand_over_batch(struct lcore *lcore, uint16_t i)
{
	struct turns *turns = lcore->turns;
	struct batch *batch = turns->waiting[i];
	uint16_t n;

	if (!turn_is_up(&batch->source.port->queues[batch->source.queue].turn, batch->ticket))
		return 0;
	n = hand_over_packets(lcore, batch);
	if (!is_all_out(batch) || batch == turns->current)
		return n;
	end_batch(lcore, batch);
	remove_waiting(turns, i);
	return n + 1;
}

static uint16_t hand_over(struct lcore *lcore)
{
	struct turns *turns = lcore->turns;
	uint16_t n = is_all_out(&turns->loose) ? 0 : hand_over_packets(lcore, &turns->loose);

	for (uint16_t i = 0; i < turns->n_waiting && n == 0; i++)
		n = hand_over_batch(lcore, i);
	return n;
}

/* ---- copy ---- */

static uint16_t copy(struct lcore *lcore)
{
	struct turns *turns = lcore->turns;
	uint16_t sum = 0;

	for (uint16_t i = 0; i < turns->n_handings; i++) {
		struct handing *handing = &turns->handings[i];
		struct reservation *reservation = &handing->reservation;

		handing->port->ops->fill(handing->port, reservation, reservation->mbufs);
		rte_pktmbuf_free_bulk(reservation->mbufs, reservation->n);
		pass_reservation(lcore, handing->port, reservation);
		lcore_count_step(lcore, STEP_COPY, reservation->n);
		sum += reservation->n;
	}
	turns->n_handings = 0;
	return sum;
}

/* ---- who helps ---- */

/* Tickets of the queues that the lcore owns. */
static uint64_t count_tickets(const struct lcore *lcore)
{
	const struct tables *tables = lcore->context.tables;
	uint64_t sum = 0;

	for (uint16_t i = tables->owned_begin[lcore->index];
		i < tables->owned_begin[lcore->index + 1]; i++) {
		const struct owned_queue *own = &tables->owned[i];

		sum += number_read32(&own->port->queues[own->queue].turn.next);
	}
	return sum;
}

/* Of the batches of the last window. Queues may have come or gone. */
static uint32_t share_of(uint64_t part, uint64_t whole)
{
	return part >= whole ? LOAD_FULL : part * LOAD_FULL / whole;
}

static struct helpers_view look(struct lcore *lcore)
{
	struct turns *turns = lcore->turns;
	uint64_t own = turns->now.own_batches - turns->seen.own_batches;
	uint32_t part = share_of(own, turns->now.batches - turns->seen.batches);
	struct helpers_view view = {.load = load_read(&lcore->load) * part / LOAD_FULL};

	turns->now.of_own = count_tickets(lcore);
	view.share = share_of(own, turns->now.of_own - turns->seen.of_own);
	turns->seen = turns->now;
	return view;
}

void turns_look_around(struct lcore *lcore)
{
	struct turns *turns = lcore->turns;
	const struct helpers_view view = look(lcore);

	if (helpers_review(&turns->helpers, &view, lcore->dataplane->n_lcores - 1))
		number_set16(&lcore->helpers, turns->helpers.n);
}

/* ---- part by part ---- */

static uint16_t next_part(struct lcore *lcore, bool receives, bool *refused)
{
	struct turns *turns = lcore->turns;
	uint16_t n;

	if (turns->n_handings > 0)
		return copy(lcore);
	n = hand_over(lcore);
	if (n > 0)
		return n;
	if (turns->n_received > 0)
		return run_received(lcore);
	if (turns->n_claims > 0)
		return run_claimed(lcore);
	return receives ? receive_next(lcore, refused) : 0;
}

/* Where batches or credits have run out, the next round goes on with the queues that this one has
 * not looked into. */
static uint16_t continue_at(const struct lcore *lcore)
{
	const struct tables *tables = lcore->context.tables;
	uint16_t own = tables->owned_begin[lcore->index + 1] - tables->owned_begin[lcore->index];

	return own == 0 ? 0 : (lcore->first_queue + RTE_MIN(lcore->turns->n_looked, own)) % own;
}

uint16_t turns_poll(struct lcore *lcore, bool receives, bool *refused)
{
	struct turns *turns = lcore->turns;
	uint16_t moved = 0, n;

	if (turns->n_received == 0 && turns->n_claims == 0)
		close_batch(lcore);
	turns->n_looked = 0;
	turns->found = false;
	do {
		n = next_part(lcore, receives, refused);
		moved += n;
	} while (n > 0 && !passing_ends_round(lcore));
	lcore->first_queue = continue_at(lcore);
	return moved;
}
