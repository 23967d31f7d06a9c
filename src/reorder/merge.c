/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The batch merge of mFlow, without its traps.
 *
 * The door cuts an elephant into micro-flows of exactly `batch` packets and numbers them. Each goes
 * through one branch, which hands its packets over in order. One micro-flow is current: its packets
 * pass as they come, while packets of later ones are held, in a queue for each branch. What ends on
 * a branch is told of by an end mark.
 *
 * A micro-flow is over when all its packets have passed or ended. As this is found by counting,
 * neither the end of a micro-flow nor that of the flow has to be seen: a flow that pauses leaves
 * nothing behind, since all before its last micro-flow are complete, and the packets of that one
 * pass. A mark may overtake the packets of its micro-flow, and of others: it is counted until its
 * micro-flow's turn comes. (Packets of one branch do not overtake each other.)
 *
 * Marks of later micro-flows keep the credits of the packets that they stand for. So from the
 * current micro-flow to the newest one there are no more than there are credits, and early[] needs
 * no more places.
 *
 * A branch hands its micro-flows over one after the other. So what is held of one lies together in
 * the branch's queue, in which that of the current one, if there is any, comes first: how many
 * parcels that are is all that has to be noted, and runs of parcels are copied whole.
 *
 * tests/model/split.pml is a model of this.
 */
#include "reorder/merge.h"

#include <string.h>

#include <rte_branch_prediction.h>

#include "base/counter.h"

/* ---- making ---- */

static uint32_t places(uint32_t credits)
{
	return rte_align32pow2(credits);
}

size_t merge_memory(uint16_t n_branches, uint32_t credits)
{
	return places(credits) * (n_branches * sizeof(struct parcel) + sizeof(struct early));
}

void merge_init(struct merge *merge, void *memory, uint16_t n_branches, uint32_t credits)
{
	struct parcel *ring = memory;

	*merge = (struct merge){.mask = places(credits) - 1, .n_branches = n_branches};
	for (uint16_t i = 0; i < n_branches; i++, ring += places(credits))
		merge->queues[i].ring = ring;
	merge->early = (struct early *)ring;
	merge_begin(merge, 1);
}

void merge_begin(struct merge *merge, uint32_t batch)
{
	assert(merge->waiting == 0 && merge->absorbed == 0 && merge->counters.held == 0);
	number_set32(&merge->current, 0);
	merge->left = merge->batch = batch;
	for (uint16_t i = 0; i < merge->n_branches; i++)
		number_set32(&merge->arrived[i], 0);
}

void merge_begin_counting(struct merge *merge)
{
	struct merge_counters *counters = &merge->counters;

	__atomic_store_n(&counters->packets, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&counters->out_of_order, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&counters->marks, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&counters->cycles, 0, __ATOMIC_RELAXED);
	number_set32(&counters->most_held, 0);
}

/* ---- arriving ---- */

static void count_arrival(struct merge *merge, uint16_t branch, uint32_t packets)
{
	number_set32(&merge->arrived[branch], merge->arrived[branch] + packets);
	counter_add(&merge->counters.packets, packets);
}

/* Of n places from `at` on so many lie before the ring's end. */
static uint32_t before_end(const struct merge *merge, uint32_t at, uint32_t n)
{
	return RTE_MIN(n, merge->mask + 1 - (at & merge->mask));
}

static void put(const struct merge *merge, struct held_queue *queue, const struct parcel *parcels,
	uint32_t n)
{
	uint32_t first = before_end(merge, queue->tail, n);

	assert(queue->tail - queue->head + n <= merge->mask + 1);

	memcpy(&queue->ring[queue->tail & merge->mask], parcels, first * sizeof(parcels[0]));
	if (unlikely(first < n))
		memcpy(queue->ring, parcels + first, (n - first) * sizeof(parcels[0]));
	queue->tail += n;
}

static void hold(struct merge *merge, uint16_t branch, const struct parcel *parcels, uint16_t n)
{
	struct merge_counters *counters = &merge->counters;

	put(merge, &merge->queues[branch], parcels, n);
	number_set32(&counters->held, counters->held + n);
	number_set32(&counters->most_held, RTE_MAX(counters->most_held, counters->held));
}

/* Parcels of a micro-flow whose turn has not come. */
static void hold_early(struct merge *merge, uint16_t branch, uint32_t micro_flow,
	const struct parcel *parcels, uint16_t n, uint32_t packets)
{
	struct early *early = &merge->early[micro_flow & merge->mask];

	hold(merge, branch, parcels, n);
	early->parcels += n;
	early->packets += packets;
	early->branch = branch;
	counter_add(&merge->counters.out_of_order, n);
}

/* Parcels of the current one, behind others of it that have not been taken. Its branch has handed
 * over nothing of later ones yet. */
static void hold_behind(
	struct merge *merge, uint16_t branch, const struct parcel *parcels, uint16_t n)
{
	assert(branch == merge->source);
	hold(merge, branch, parcels, n);
	merge->waiting += n;
}

/* The next micro-flow's turn has come. */
static void advance(struct merge *merge)
{
	struct early *early;

	number_set32(&merge->current, (merge->current + 1) & MICRO_FLOW_MASK);
	early = &merge->early[merge->current & merge->mask];
	merge->left = merge->batch - early->packets - early->ended;
	merge->absorbed += early->ended;
	merge->waiting = early->parcels;
	merge->source = early->branch;
	*early = (struct early){.parcels = 0};
}

/* All of the current one has come or ended, and been taken: on to the first one of which something
 * is missing, or waits to be taken. */
static void advance_to_next(struct merge *merge)
{
	while (merge->left == 0 && merge->waiting == 0)
		advance(merge);
}

bool merge_arrive(struct merge *merge, uint16_t branch, uint32_t micro_flow,
	const struct parcel *parcels, uint16_t n, uint32_t packets)
{
	count_arrival(merge, branch, packets);
	if (micro_flow != merge->current) {
		hold_early(merge, branch, micro_flow, parcels, n, packets);
		return false;
	}
	assert(merge->left >= packets);
	merge->left -= packets;
	if (unlikely(merge->waiting > 0)) {
		hold_behind(merge, branch, parcels, n);
		return false;
	}
	advance_to_next(merge);
	return true;
}

void merge_mark(struct merge *merge, uint16_t branch, uint32_t micro_flow, uint32_t packets)
{
	count_arrival(merge, branch, packets);
	counter_add(&merge->counters.marks, 1);
	if (micro_flow != merge->current) {
		merge->early[micro_flow & merge->mask].ended += packets;
		return;
	}
	assert(merge->left >= packets);
	merge->left -= packets;
	merge->absorbed += packets;
	advance_to_next(merge);
}

/* ---- passing on what was held ---- */

static void get(
	const struct merge *merge, struct held_queue *queue, struct parcel *parcels, uint32_t n)
{
	uint32_t first = before_end(merge, queue->head, n);

	memcpy(parcels, &queue->ring[queue->head & merge->mask], first * sizeof(parcels[0]));
	if (unlikely(first < n))
		memcpy(parcels + first, queue->ring, (n - first) * sizeof(parcels[0]));
	queue->head += n;
	/* From the front again: or it would pull all its memory through the cache in time. */
	if (queue->head == queue->tail)
		queue->head = queue->tail = 0;
}

/* Up to n parcels of the current micro-flow. */
static uint16_t take(struct merge *merge, struct parcel *parcels, uint16_t n)
{
	uint16_t taken = RTE_MIN(merge->waiting, (uint32_t)n);

	get(merge, &merge->queues[merge->source], parcels, taken);
	merge->waiting -= taken;
	number_set32(&merge->counters.held, merge->counters.held - taken);
	return taken;
}

uint16_t merge_next(struct merge *merge, struct parcel *parcels, uint16_t n)
{
	uint16_t taken = 0;

	while (merge->waiting > 0 && taken < n) {
		taken += take(merge, parcels + taken, n - taken);
		advance_to_next(merge);
	}
	return taken;
}
