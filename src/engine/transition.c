/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/transition.h"

#include <assert.h>

#include "engine/door.h"
#include "engine/ending.h"
#include "engine/flood.h"
#include "engine/leave.h"
#include "engine/merging.h"
#include "engine/outbox.h"
#include "engine/parcel.h"
#include "stages/gro.h"
#include "stages/rx.h"

/* ---- transitions ---- */

static void run(struct lcore *lcore, enum step stage);

/* What a target may be besides an lcore. */
#define TO_NOBODY 0x4000
#define TO_MERGE 0x8000 /* + the lcore that merges */

static uint16_t lcore_or_here(const struct lcore *lcore, uint16_t to)
{
	return to == LCORE_INLINE ? lcore->index : to;
}

/* What is for the VTEP itself belongs to no elephant: such a packet has the hash of one. */
static uint16_t target_on_branch(const struct lcore *lcore, uint16_t step, const struct path *path)
{
	if (step == STAGE_VTEP)
		return TO_NOBODY;
	return lcore_or_here(lcore, path->lcore[step]) | (step == path->merge ? TO_MERGE : 0);
}

static uint16_t owner_of(const struct lcore *lcore, const struct packet *packet)
{
	uint16_t owner = lcore->context.tables->ports[packet->destination]->queues[0].owner;

	if (unlikely(group_is_branch(packet->group)))
		merging_note_consumer(lcore, packet, owner);
	return owner;
}

/* The lcore that does `step` for this packet. */
static uint16_t target(const struct lcore *lcore, uint16_t step, struct rte_mbuf *mbuf)
{
	const struct tables *tables = lcore->context.tables;
	const struct packet *packet = packet_of(mbuf);

	if (step == STAGE_DELIVER)
		return owner_of(lcore, packet);
	if (step == STAGE_SEND)
		return tables->exits[packet->destination][lcore->index].owner;
	if (packet->group < FLOW_GROUPS)
		return lcore_or_here(lcore, door_path(lcore->dataplane, packet)->lcore[step]);
	if (unlikely(group_is_branch(packet->group)))
		return target_on_branch(lcore, step, door_path(lcore->dataplane, packet));
	return lcore_or_here(lcore, lcore->plan->lcore[step]);
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

void transition_arrive(struct lcore *lcore, uint16_t step, struct rte_mbuf **mbufs, uint16_t n)
{
	vector_add(lcore, vector_of(lcore, step), mbufs, n);
}

static void put(
	struct lcore *lcore, uint16_t to, uint16_t step, struct rte_mbuf **mbufs, uint16_t n)
{
	if (to == lcore->index)
		transition_arrive(lcore, step, mbufs, n);
	else if (likely(to < TO_NOBODY))
		outbox_add(lcore, to, step, mbufs, n);
	else if (to & TO_MERGE)
		merging_send(lcore, to & ~TO_MERGE, step, mbufs, n);
	else
		ending_drop(lcore, STAGE_GRO, GRO_VTEP_SPLIT, mbufs, n);
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

/* ---- stages ---- */

static void drop_unknown(struct lcore *lcore, struct rte_mbuf **mbufs, uint16_t n)
{
	assert(!"a verdict that the stage has");
	ending_drop(lcore, STAGE_RX, RX_VERDICT_UNKNOWN, mbufs, n);
}

/* By an exit of the running stage. */
static void follow_exit(struct lcore *lcore, uint16_t exit, struct rte_mbuf **mbufs, uint16_t n)
{
	uint16_t next = lcore->plan->next[lcore->step][exit];

	if (unlikely(next == STEP_NONE))
		return drop_unknown(lcore, mbufs, n);
	if (unlikely(lcore->flood.waits) && flood_keep(lcore, next, mbufs[0]))
		return;
	transition(lcore, next, mbufs, n);
}

static bool is_drop(uint16_t stage, uint16_t verdict)
{
	return verdict >= VERDICT_DROP && verdict < VERDICT_DROP + STAGE_DROPS_MAX &&
	       drop_at(drop_slot(stage, verdict - VERDICT_DROP)) != NULL;
}

static void follow(struct lcore *lcore, struct rte_mbuf *mbuf, uint16_t verdict)
{
	if (verdict < STAGE_EXITS_MAX)
		follow_exit(lcore, verdict, &mbuf, 1);
	else if (verdict == VERDICT_FLOOD)
		flood(lcore, mbuf);
	else if (verdict == VERDICT_CONSUMED)
		ending_consume(lcore, mbuf);
	else if (is_drop(lcore->step, verdict))
		ending_drop(lcore, lcore->step, verdict - VERDICT_DROP, &mbuf, 1);
	else if (verdict != VERDICT_COALESCED)
		drop_unknown(lcore, &mbuf, 1);
}

/* True if all leave by the same exit, which for most bursts they do. */
static bool is_uniform(const uint16_t *verdicts, uint16_t n)
{
	uint16_t different = 0;

	for (uint16_t i = 1; i < n; i++)
		different |= verdicts[i] ^ verdicts[0];
	return different == 0 && verdicts[0] < STAGE_EXITS_MAX;
}

static void process(struct lcore *lcore, enum step stage, struct rte_mbuf **mbufs, uint16_t n)
{
	uint16_t verdicts[STAGE_BURST_MAX];

	lcore->context.state = lcore->states[stage];
	lcore->context.statistics = lcore->counters.statistics[stage];
	stage_table[stage]->process(&lcore->context, mbufs, n, verdicts);
	if (likely(is_uniform(verdicts, n) && !lcore->flood.waits))
		return follow_exit(lcore, verdicts[0], mbufs, n);
	for (uint16_t i = 0; i < n; i++)
		follow(lcore, mbufs[i], verdicts[i]);
}

static void merge_own(struct lcore *lcore)
{
	if (unlikely(lcore->outboxes[lcore->index].n > 0))
		outbox_merge_own(lcore);
}

/* In place: a packet only ever moves to a stage further down, so nothing is added to this vector.
 * That goes for packets that are merged here, too, because what an earlier stage has sent to the
 * lcore's own merges is merged before. (It may lead to a run of this stage.) */
static void run(struct lcore *lcore, enum step stage)
{
	struct vector *vector = &lcore->vectors[stage];
	struct stage_counters *counters = &lcore->counters.stages[stage];
	uint16_t before = lcore->step, n;

	merge_own(lcore);
	n = vector->n;
	if (n == 0)
		return;
	vector->n = 0;
	lcore->step = stage;
	if (stage < STAGE_COUNT)
		process(lcore, stage, vector->mbufs, n);
	else
		leave(lcore, stage, vector->mbufs, n);
	counter_add(&counters->bursts, 1);
	counter_add(&counters->packets, n);
	lcore_account(lcore, &counters->cycles);
	merge_own(lcore);
	lcore->step = before;
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

static bool have_labels(void **parcels, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (parcel_is_label(parcels[i]))
			return true;
	return false;
}

/* Into vectors, which all are empty: a burst has room in any. */
static void unpack(struct lcore *lcore, void **parcels, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct vector *vector = &lcore->vectors[vector_of(lcore, parcel_step(parcels[i]))];

		vector->mbufs[vector->n++] = parcel_mbuf(parcels[i]);
	}
}

static void unpack_one_step(struct lcore *lcore, void **parcels, unsigned int n)
{
	struct vector *vector = &lcore->vectors[vector_of(lcore, parcel_step(parcels[0]))];

	for (unsigned int i = 0; i < n; i++)
		vector->mbufs[i] = parcel_mbuf(parcels[i]);
	vector->n = n;
}

static void take(struct lcore *lcore, struct inbox *inbox, void **parcels, unsigned int n)
{
	bool one_step = is_for_one_step(parcels, n);

	if (unlikely(!label_is_none(inbox->label) || have_labels(parcels, one_step ? 1 : n)))
		merging_unpack(lcore, inbox, parcels, n);
	else if (likely(one_step))
		unpack_one_step(lcore, parcels, n);
	else
		unpack(lcore, parcels, n);
}

static uint16_t poll_inbox(struct lcore *lcore, struct inbox *inbox)
{
	void *parcels[RECEIVE_BURST];
	unsigned int n = rte_ring_sc_dequeue_burst(inbox->ring, parcels, RECEIVE_BURST, NULL);

	if (n == 0)
		return 0;
	take(lcore, inbox, parcels, n);
	transition_run_from(lcore, 0);
	return n;
}

uint16_t transition_poll_inbox(struct lcore *lcore)
{
	uint16_t moved = 0;

	for (uint16_t i = 0; i < lcore->n_inbox; i++)
		moved += poll_inbox(lcore, &lcore->inbox[i]);
	return moved;
}
