/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/inbox.h"

#include "engine/merging.h"
#include "engine/run.h"

/* All are parcels for the same step; or labels. */
static bool is_uniform(const struct parcel *parcels, uint16_t n)
{
	uintptr_t different = 0;

	for (uint16_t i = 1; i < n; i++)
		different |= parcels[i].word ^ parcels[0].word;
	return (different & PARCEL_STEP) == 0;
}

/* How many of n words, from the first one on, are parcels for the same step; or labels. */
static uint16_t run_of(struct parcel *parcels, uint16_t n)
{
	uint16_t end = 1;

	while (end < n && parcel_step(parcels[end]) == parcel_step(parcels[0]))
		end++;
	return end;
}

static void take_labels(
	struct lcore *lcore, struct inbox *inbox, struct parcel *parcels, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		merging_take_label(lcore, inbox, (union label){.parcel = parcels[i]});
}

static void unpack(struct lcore *lcore, struct inbox *inbox, struct parcel *parcels, uint16_t n)
{
	for (uint16_t run; n > 0; parcels += run, n -= run) {
		run = likely(is_uniform(parcels, n)) ? n : run_of(parcels, n);
		if (unlikely(parcel_is_label(parcels[0])))
			take_labels(lcore, inbox, parcels, run);
		else if (unlikely(!label_is_none(inbox->label)))
			merging_take(lcore, inbox, parcels, run);
		else
			merging_pass(lcore, parcels, run);
	}
}

/* What merges hold back for lack of room comes in further feeds. */
static uint16_t poll_one(struct lcore *lcore, struct inbox *inbox)
{
	struct parcel parcels[RECEIVE_BURST];
	unsigned int n = rte_ring_sc_dequeue_burst_elem(
		inbox->ring, parcels, sizeof(parcels[0]), RECEIVE_BURST, NULL);

	if (n == 0)
		return 0;
	lcore->merging.fed = n;
	unpack(lcore, inbox, parcels, n);
	do {
		merging_count(lcore);
		run(lcore);
	} while (unlikely(merging_feed(lcore)));
	return n;
}

uint16_t inbox_poll(struct lcore *lcore)
{
	uint16_t moved = 0;

	for (uint16_t i = 0; i < lcore->n_inbox; i++)
		moved += poll_one(lcore, &lcore->inbox[i]);
	return moved;
}

/* What the lcore has for itself is none of it: it has had its time. As rte_ring_count(), which
 * reads the producer's word as if nobody wrote it. */
uint32_t inbox_depth(const struct lcore *lcore)
{
	uint32_t sum = 0;

	for (uint16_t i = 0; i < lcore->n_inbox; i++) {
		const struct rte_ring *ring = lcore->inbox[i].ring;
		uint32_t end = __atomic_load_n(&ring->prod.tail, __ATOMIC_RELAXED);

		if (!lcore->inbox[i].own)
			sum += (end - ring->cons.tail) & ring->mask;
	}
	return sum;
}
