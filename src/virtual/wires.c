/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What leads from one lcore to another, with the driver in between: packets, credits, notices.
 *
 * The lines of a packet lie in the cache of the lcore that touched them last. Where that is, is
 * noted in the mbuf itself, in a dynamic field that stays when the mbuf is freed and taken again.
 */
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_mbuf_dyn.h>

#include "engine/door.h"
#include "engine/parcel.h"
#include "virtual/private.h"

#define MOVE_BURST 64
#define HOME_NONE 0 /* nobody's: not yet touched */

/* Index + 1 of the lcore that has the lines. */
struct home {
	uint32_t run;	  /* of which driver this is said */
	uint8_t metadata; /* the mbuf's lines */
	uint8_t header;
	uint8_t payload;
	uint8_t pool; /* who took it, or put it back */
};

static int home_offset = -1;
static uint32_t runs;

static int register_home(void)
{
	static const struct rte_mbuf_dynfield field = {.name = "weft_dynfield_home",
		.size = sizeof(struct home),
		.align = __alignof__(struct home)};

	home_offset = rte_mbuf_dynfield_register(&field);
	return home_offset < 0 ? -1 : 0;
}

static struct home *home_of(const struct virtual_driver *driver, struct rte_mbuf *mbuf)
{
	struct home *home = RTE_MBUF_DYNFIELD(mbuf, home_offset, struct home *);

	if (home->run != driver->run)
		*home = (struct home){.run = driver->run};
	return home;
}

/* What it costs to fetch a line from `*home` to the lcore that now gets it. */
static int32_t fetch(uint8_t *home, uint8_t to, int32_t price)
{
	int32_t cost = *home == to || *home == HOME_NONE ? 0 : price;

	*home = to;
	return cost;
}

/* ---- rings that only the driver empties ---- */

/* Of its own memory: EAL's memzones are few, and a mesh of many lcores has many wires. */
static struct rte_ring *make_ring(unsigned int element, unsigned int size)
{
	struct rte_ring *ring = NULL;

	if (posix_memalign((void **)&ring, RTE_CACHE_LINE_SIZE,
		    rte_ring_get_memsize_elem(element, size)) != 0)
		return NULL;
	if (rte_ring_init(ring, "staged", size, RING_F_SP_ENQ | RING_F_SC_DEQ) != 0) {
		free(ring);
		return NULL;
	}
	return ring;
}

/* ---- prices ---- */

/* The stages up to the last one read a packet's headers; rx hands it on unread, but what comes
 * after it does not. The last steps free it, or copy it: virtual_copied(). */
static int64_t price_of(
	const struct virtual_driver *driver, struct parcel parcel, const struct wire *wire)
{
	const struct price *price = &driver->config.costs->price;
	int64_t cost = price->metadata; /* whoever sends a packet has written that */
	struct home *home;

	if (parcel_is_label(parcel) || wire->to_itself)
		return 0;
	home = home_of(driver, parcel_mbuf(parcel));
	home->metadata = wire->receiver + 1;
	if (parcel_step(parcel) < STAGE_COUNT)
		cost += fetch(&home->header, wire->receiver + 1, price->header);
	return cost;
}

int64_t wires_price(struct virtual_lcore *receiver)
{
	int64_t cost = 0;

	for (struct wire *wire = receiver->incoming; wire; wire = wire->next_of_receiver) {
		uint32_t left, taken;
		int64_t share;

		if (wire->waiting == 0)
			continue;
		left = rte_ring_count(wire->ring);
		taken = wire->waiting - left;
		share = wire->owed * taken / wire->waiting;
		wire->owed -= share;
		wire->waiting = left;
		cost += share;
	}
	return cost;
}

uint32_t wires_waiting(const struct virtual_lcore *receiver)
{
	uint32_t sum = 0;

	for (const struct wire *wire = receiver->incoming; wire; wire = wire->next_of_receiver)
		sum += wire->waiting;
	return sum;
}

/* Lines after the two that price.header counts. */
static int32_t payload_lines(const struct rte_mbuf *mbuf)
{
	int32_t lines = (mbuf->data_len + RTE_CACHE_LINE_SIZE - 1) / RTE_CACHE_LINE_SIZE;

	return lines > 2 ? lines - 2 : 0;
}

void virtual_copied(struct virtual_driver *driver, struct rte_mbuf **mbufs, uint16_t n)
{
	const struct price *price = &driver->config.costs->price;
	uint8_t here = driver->current->lcore->index + 1;

	for (uint16_t i = 0; i < n; i++) {
		struct home *home = home_of(driver, mbufs[i]);
		int32_t payload = price->payload * payload_lines(mbufs[i]);

		driver->charged += fetch(&home->header, here, price->header);
		driver->charged += fetch(&home->payload, here, payload);
	}
}

void virtual_freed(struct virtual_driver *driver, struct rte_mbuf **mbufs, uint16_t n)
{
	uint8_t here = driver->current->lcore->index + 1;
	uint32_t *cached = &driver->current->cached_mbufs;

	*cached = RTE_MIN(*cached + n, (uint32_t)RTE_MEMPOOL_CACHE_MAX_SIZE);
	for (uint16_t i = 0; i < n; i++)
		driver->charged += fetch(
			&home_of(driver, mbufs[i])->pool, here, driver->config.costs->price.free);
}

/* Measured, it has cost its time already. */
static int32_t cost_of_cold(
	const struct virtual_driver *driver, const struct rte_mbuf *mbuf, bool timed)
{
	const struct price *price = &driver->config.costs->price;

	return driver->config.measured && timed
		       ? 0
		       : price->cold + price->cold_payload * payload_lines(mbuf);
}

/* An lcore takes the mbufs that it freed last, which lie in its mempool cache, whoever had taken
 * them before. What it takes beyond these has come round the whole pool, if another lcore had it.
 */
static bool is_cold(struct virtual_driver *driver, const struct home *home)
{
	uint32_t *cached = &driver->current->cached_mbufs;

	if (*cached > 0) {
		(*cached)--;
		return false;
	}
	return home->pool != HOME_NONE && home->pool != driver->current->lcore->index + 1;
}

void virtual_filled(struct virtual_driver *driver, struct rte_mbuf **mbufs, uint16_t n, bool timed)
{
	const struct price *price = &driver->config.costs->price;
	uint8_t here = driver->current->lcore->index + 1;

	for (uint16_t i = 0; i < n; i++) {
		struct home *home = home_of(driver, mbufs[i]);
		int32_t payload = price->back_payload * payload_lines(mbufs[i]);

		driver->charged += fetch(&home->metadata, here, price->back);
		driver->charged += fetch(&home->header, here, price->back_header);
		driver->charged += fetch(&home->payload, here, payload);
		if (is_cold(driver, home))
			driver->charged += cost_of_cold(driver, mbufs[i], timed);
		home->pool = here;
	}
}

/* ---- handing over ---- */

static void move_burst(
	struct virtual_driver *driver, struct wire *wire, struct parcel *parcels, unsigned int n)
{
	unsigned int moved =
		rte_ring_sp_enqueue_burst_elem(wire->ring, parcels, sizeof(parcels[0]), n, NULL);

	for (unsigned int i = 0; i < moved; i++)
		wire->owed += price_of(driver, parcels[i], wire);
	for (unsigned int i = moved; i < n; i++)
		if (!parcel_is_label(parcels[i]))
			rte_pktmbuf_free(parcel_mbuf(parcels[i]));
	wire->waiting += moved;
	driver->counters.moved += moved;
	driver->counters.overflowed += n - moved;
}

static void move(struct virtual_driver *driver, struct wire *wire)
{
	struct parcel parcels[MOVE_BURST];
	unsigned int n;

	while ((n = rte_ring_sc_dequeue_burst_elem(
			wire->staged, parcels, sizeof(parcels[0]), MOVE_BURST, NULL)) > 0)
		move_burst(driver, wire, parcels, n);
	/* From the front again: or it would pull all its memory through the cache in time. */
	rte_ring_reset(wire->staged);
}

static void move_packets(struct virtual_driver *driver, struct virtual_lcore *sender)
{
	for (uint16_t i = 0; i < sender->lcore->handover.n_flushed; i++) {
		struct wire *wire = sender->outgoing[sender->lcore->dirty[i]->receiver];

		move(driver, wire);
		virtual_wake(driver, wire->receiver, sender->time);
	}
	sender->lcore->handover.n_flushed = 0;
}

static void move_credits(struct virtual_driver *driver, struct virtual_lcore *sender)
{
	for (uint16_t door = 0; door < driver->dataplane->n_lcores; door++) {
		uint32_t changes = sender->lcore->handover.tally_changes[door];

		if (sender->finished[door] == sender->lcore->finished[door] &&
			sender->tally_changes[door] == changes)
			continue;
		sender->finished[door] = sender->lcore->finished[door];
		sender->tally_changes[door] = changes;
		memcpy(sender->tallies[door], sender->lcore->tallies[door],
			sender->lcore->door->moves.n_accounts * sizeof(struct tally));
		virtual_wake(driver, door, sender->time);
	}
}

void wires_move_notices(struct virtual_lcore *sender)
{
	struct rte_ring *staged = sender->lcore->notices;
	struct notice notice;

	/* Where the main lcore's end is full the notice waits, and the lcore sees less room. */
	while (!rte_ring_full(sender->notices) &&
		rte_ring_sc_dequeue_elem(staged, &notice, sizeof(notice)) == 0)
		rte_ring_sp_enqueue_elem(sender->notices, &notice, sizeof(notice));
}

/* For how long it had them: the right since its round came to receiving, the number while it handed
 * over. */
static void count_held(struct virtual_driver *driver, const struct virtual_lcore *sender,
	const struct passing *passing)
{
	if (passing->kind == PASSING_RIGHT)
		driver->counters.right_held += sender->time - sender->stepped;
	else if (passing->kind == PASSING_NUMBER && sender->handing_since < sender->time)
		driver->counters.number_held += sender->time - sender->handing_since;
}

/* Rights, numbers and reservations: whoever takes turns may have waited for them. */
static void pass_on(struct virtual_driver *driver, struct virtual_lcore *sender)
{
	struct handover *handover = &sender->lcore->handover;
	uint16_t n = handover->n_passed;

	handover->n_passed = 0;
	for (uint16_t i = 0; i < n; i++) {
		count_held(driver, sender, &handover->passed[i]);
		passing_do(&handover->passed[i]);
	}
	for (uint16_t i = 0; n > 0 && i < driver->dataplane->n_lcores; i++)
		virtual_wake(driver, i, sender->time);
}

void wires_hand_over(struct virtual_driver *driver, struct virtual_lcore *sender)
{
	move_packets(driver, sender);
	pass_on(driver, sender);
	move_credits(driver, sender);
	wires_move_notices(sender);
}

/* ---- laying ---- */

static int lay_wire(struct virtual_driver *driver, struct virtual_lcore *sender, uint16_t to)
{
	struct outbox *outbox = &sender->lcore->outboxes[to];
	struct virtual_lcore *receiver = &driver->lcores[to];
	struct wire *wire = &sender->wires[sender->n_wires];
	struct rte_ring *staged = make_ring(sizeof(void *), rte_ring_get_size(outbox->ring));

	if (staged == NULL)
		return -1;
	*wire = (struct wire){.outbox = outbox,
		.staged = staged,
		.ring = outbox->ring,
		.receiver = to,
		.to_itself = to == sender->lcore->index,
		.next_of_receiver = receiver->incoming};
	receiver->incoming = wire;
	sender->outgoing[to] = wire;
	outbox->ring = staged;
	sender->n_wires++;
	return 0;
}

static int lay_wires_of(struct virtual_driver *driver, struct virtual_lcore *sender)
{
	if (driver->dataplane->n_lcores == 1)
		return 0;
	for (uint16_t to = 0; to < driver->dataplane->n_lcores; to++)
		if (lay_wire(driver, sender, to) != 0)
			return -1;
	return 0;
}

static int lay_notices(struct virtual_lcore *sender)
{
	struct rte_ring *staged = make_ring(sizeof(struct notice), NOTICE_RING_SIZE);

	if (staged == NULL)
		return -1;
	sender->notices = sender->lcore->notices;
	sender->lcore->notices = staged;
	return 0;
}

static int lay_tallies(struct virtual_driver *driver, struct virtual_lcore *sender)
{
	uint16_t n_accounts = sender->lcore->door->moves.n_accounts;

	for (uint16_t door = 0; door < driver->dataplane->n_lcores; door++) {
		sender->tallies[door] = calloc(n_accounts, sizeof(struct tally));
		if (sender->tallies[door] == NULL)
			return -1;
	}
	return 0;
}

/* Another lcore's count is seen as it was when it was handed over, its own as it is. */
static int lay_credits(struct virtual_driver *driver)
{
	uint16_t n = driver->dataplane->n_lcores;

	for (uint16_t i = 0; i < n; i++)
		if (lay_tallies(driver, &driver->lcores[i]) != 0)
			return -1;
	for (uint16_t door = 0; door < n; door++) {
		struct lcore *lcore = driver->lcores[door].lcore;

		for (uint16_t i = 0; i < n; i++) {
			if (i == door)
				continue;
			lcore->finished_at[i] = &driver->lcores[i].finished[door];
			lcore->door->moves.tallies[i] = driver->lcores[i].tallies[door];
		}
	}
	return 0;
}

int wires_lay(struct virtual_driver *driver)
{
	struct dataplane *dataplane = driver->dataplane;
	struct wire *next;

	driver->wires = next =
		calloc((size_t)dataplane->n_lcores * dataplane->n_lcores, sizeof(*driver->wires));
	if (next == NULL || register_home() != 0)
		return -1;
	for (uint16_t i = 0; i < dataplane->n_lcores; i++) {
		driver->lcores[i].wires = next;
		if (lay_notices(&driver->lcores[i]) != 0 ||
			lay_wires_of(driver, &driver->lcores[i]) != 0)
			return -1;
		next += driver->lcores[i].n_wires;
	}
	if (lay_credits(driver) != 0)
		return -1;
	driver->run = ++runs;
	return 0;
}

static void remove_wires_of(struct virtual_lcore *sender)
{
	for (uint16_t i = 0; i < sender->n_wires; i++) {
		sender->wires[i].outbox->ring = sender->wires[i].ring;
		free(sender->wires[i].staged);
	}
	sender->n_wires = 0;
	for (uint16_t i = 0; i < LCORES_MAX; i++)
		free(sender->tallies[i]);
	memset(sender->tallies, 0, sizeof(sender->tallies));
	if (sender->notices != NULL) {
		free(sender->lcore->notices);
		sender->lcore->notices = sender->notices;
		sender->notices = NULL;
	}
}

void wires_remove(struct virtual_driver *driver)
{
	for (uint16_t i = 0; i < driver->dataplane->n_lcores; i++)
		remove_wires_of(&driver->lcores[i]);
	dataplane_link_credits(driver->dataplane);
	free(driver->wires);
	driver->wires = NULL;
}
