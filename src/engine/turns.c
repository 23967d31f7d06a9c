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

#include "engine/credits.h"
#include "engine/passing.h"
#include "engine/receive.h"
#include "engine/route.h"
#include "engine/run.h"

#define SMALL_BATCH (BATCH_PACKETS / 4)
#define BEHIND_BATCHES 4 /* of a window, from which on they tell that packets wait */

static_assert(RESERVATION_PACKETS == STAGE_BURST_MAX, "what is claimed at once is a feed");

/* ---- making ---- */

/* Each packet has a credit of the lcore's, but for what the main lcore has made. */
static uint32_t most_packets(const struct dataplane *dataplane)
{
	return dataplane->credits + FROM_MAIN_SIZE;
}

int turns_init(struct turns *turns, const struct dataplane *dataplane, int socket_id)
{
	turns->current = &turns->loose;
	helpers_init(&turns->helpers);
	for (uint16_t i = 0; i < BATCHES_MAX; i++) {
		turns->free[turns->n_free++] = &turns->batches[i];
		if (batch_init(&turns->batches[i], most_packets(dataplane), socket_id) != 0)
			return -1;
	}
	return batch_init(&turns->loose, most_packets(dataplane), socket_id);
}

void turns_free(struct turns *turns)
{
	for (uint16_t i = 0; i < BATCHES_MAX; i++)
		batch_free(&turns->batches[i]);
	batch_free(&turns->loose);
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

	batch_begin(batch, source, ticket);
	turns->waiting[turns->n_waiting++] = batch;
	turns->current = batch;
}

static bool is_own(const struct lcore *lcore, const struct owned_queue *source)
{
	return source->port->queues[source->queue].owner == lcore->index;
}

static void note_batch(
	struct lcore *lcore, const struct owned_queue *source, uint16_t n, bool is_full)
{
	counter_add(&lcore->turns->now.batches, 1);
	if (!is_own(lcore, source))
		return;
	counter_add(&lcore->turns->now.own_batches, 1);
	lcore->turns->now.full += is_full;
	lcore->turns->now.packets += n;
	lcore->turns->found = true;
}

static uint16_t receive_from(
	struct lcore *lcore, const struct owned_queue *source, uint32_t credits)
{
	struct turns *turns = lcore->turns;
	struct turn *turn = &source->port->queues[source->queue].turn;
	uint32_t most = RTE_MIN(credits, (uint32_t)BATCH_PACKETS);
	uint16_t n;

	if (!turn_take(turn))
		return 0;
	n = poll_source(turns, source, most);
	if (n == 0) {
		turn_pass_on(turn);
		return 0;
	}
	counter_add(&lcore->counters.admitted, n);
	begin_batch(turns, source, turn_draw(turn));
	pass_right(lcore, turn);
	note_batch(lcore, source, n, n == most);
	return n;
}

bool turns_may_help(const struct dataplane *dataplane, const struct mode *mode, uint16_t index,
	const struct port *port, uint16_t owner)
{
	uint16_t n = dataplane->n_lcores;

	if (!(port->lcores >> index & 1))
		return false;
	return !mode->adapts ||
	       (index + n - owner - 1) % n < number_read16(&dataplane->lcores[owner]->helpers);
}

static bool helps(const struct lcore *lcore, const struct owned_queue *source)
{
	return turns_may_help(lcore->dataplane, lcore->plan->mode, lcore->index, source->port,
		source->port->queues[source->queue].owner);
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

void turns_add(struct lcore *lcore, struct rte_mbuf **mbufs, uint16_t n)
{
	batch_add(lcore->turns->current, mbufs, n);
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
		batch_sort(batch, lcore->context.tables);
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
	n = handing_over(lcore, batch);
	if (!batch_is_out(batch) || batch == turns->current)
		return n;
	end_batch(lcore, batch);
	remove_waiting(turns, i);
	return n + 1;
}

static uint16_t hand_over(struct lcore *lcore)
{
	struct turns *turns = lcore->turns;
	uint16_t n = batch_is_out(&turns->loose) ? 0 : handing_over(lcore, &turns->loose);

	for (uint16_t i = 0; i < turns->n_waiting && n == 0; i++)
		n = hand_over_batch(lcore, i);
	return n;
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
	view.is_small = turns->now.packets - turns->seen.packets < own * SMALL_BATCH;
	view.is_behind = own >= BEHIND_BATCHES && turns->now.full - turns->seen.full == own;
	turns->seen = turns->now;
	return view;
}

static void wake_others(const struct lcore *lcore)
{
	const struct dataplane *dataplane = lcore->dataplane;

	for (uint16_t i = 0; i < dataplane->n_lcores; i++)
		if (dataplane->sleeps && i != lcore->index)
			idle_wake(&dataplane->lcores[i]->idle);
}

/* Who sleeps does not see that an lcore has no time. Who is not wanted sleeps again. */
void turns_look_around(struct lcore *lcore)
{
	struct turns *turns = lcore->turns;
	const struct helpers_view view = look(lcore);

	if (lcore->plan->mode->adapts &&
		helpers_review(&turns->helpers, &view, lcore->dataplane->n_lcores - 1))
		number_set16(&lcore->helpers, turns->helpers.n);
	if (view.load >= (lcore->plan->mode->adapts ? HELPERS_NO_TIME : LOAD_FULL / 2))
		wake_others(lcore);
}

/* ---- part by part ---- */

static uint16_t next_part(struct lcore *lcore, bool receives, bool *refused)
{
	struct turns *turns = lcore->turns;
	uint16_t n;

	if (turns->n_handings > 0)
		return handing_copy(lcore);
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
