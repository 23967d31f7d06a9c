/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/merging.h"

#include "engine/door.h"
#include "engine/ending.h"
#include "engine/outbox.h"
#include "engine/transition.h"

/* ---- towards the merge ---- */

static union label label_of(const struct packet *packet)
{
	return (union label){.step = STAGE_MERGE,
		.first = packet->first,
		.group = packet->group,
		.micro_flow = packet->micro_flow,
		.replica = (packet->micro_flow & MICRO_FLOW_REPLICA) != 0};
}

void merging_send(
	struct lcore *lcore, uint16_t to, uint16_t step, struct rte_mbuf **mbufs, uint16_t n)
{
	for (uint16_t run; n > 0; mbufs += run, n -= run) {
		union label label = label_of(packet_of(mbufs[0]));
		uint32_t behind;

		run = packets_in_run(mbufs, n, &behind);
		label.packets = behind;
		outbox_add_labelled(lcore, to, label, step, mbufs, run);
	}
}

/* The same label but for the number of packets. */
static bool is_alike(union label label, union label other)
{
	label.packets = other.packets;
	return label.parcel == other.parcel;
}

/* If the last word is an end mark for the same micro-flow, it tells of this one, too. */
static void send_mark(struct lcore *lcore, uint16_t to, union label mark)
{
	struct outbox *outbox = &lcore->outboxes[to];
	union label last = {.parcel = NULL};

	if (outbox->n > 0)
		last.parcel = outbox->parcels[outbox->n - 1];
	if (!is_alike(mark, last))
		return outbox_add_label(lcore, to, mark);
	last.packets += mark.packets;
	outbox->parcels[outbox->n - 1] = last.parcel;
}

/* The stages of the table are in the order of the way. */
bool merging_is_ahead(const struct lcore *lcore, const struct packet *packet, enum step stage)
{
	return unlikely(group_is_branch(packet->group)) &&
	       stage < door_path(lcore->dataplane, packet)->merge;
}

bool merging_mark(struct lcore *lcore, enum step stage, struct rte_mbuf *mbuf)
{
	const struct packet *packet = packet_of(mbuf);
	const struct path *path;
	union label mark;

	if (likely(!merging_is_ahead(lcore, packet, stage)))
		return false;
	path = door_path(lcore->dataplane, packet);
	mark = label_of(packet);
	if (mark.replica)
		return false;
	mark.bare = true;
	mark.packets = 1 + packet->followers;
	send_mark(lcore, path->lcore[path->merge], mark);
	return true;
}

/* ---- at the merge ---- */

static uint16_t elephant_of(const struct lcore *lcore, uint16_t group)
{
	return (group - GROUP_BRANCHES) / lcore->dataplane->micro_flows.n_branches;
}

static uint16_t branch_of(const struct lcore *lcore, uint16_t group)
{
	return (group - GROUP_BRANCHES) % lcore->dataplane->micro_flows.n_branches;
}

void merging_note_consumer(
	const struct lcore *lcore, const struct packet *packet, uint16_t consumer)
{
	struct door *door = lcore->dataplane->lcores[packet->first]->door;
	uint16_t *known = &door->elephants.consumers[elephant_of(lcore, packet->group)];

	if (__atomic_load_n(known, __ATOMIC_RELAXED) != consumer)
		__atomic_store_n(known, consumer, __ATOMIC_RELAXED);
}

/* What is known while words are unpacked. Marks that a merge has absorbed give their credits back
 * at the end: then the elephant may be drained, and its merge another lcore's. */
struct unpacking {
	struct lcore *lcore;
	struct inbox *inbox;
	uint16_t n_absorbed;
	struct {
		uint32_t account;
		uint32_t packets;
	} absorbed[OUTBOX_SIZE];
};

/* Parcels that wait for the same step. */
static void pass(struct lcore *lcore, void **parcels, uint16_t n)
{
	struct rte_mbuf *mbufs[STAGE_BURST_MAX];

	for (uint16_t i = 0; i < n; i++)
		mbufs[i] = parcel_mbuf(parcels[i]);
	transition_arrive(lcore, parcel_step(parcels[0]), mbufs, n);
}

static struct merge *merge_of(const struct lcore *lcore, union label label)
{
	return &lcore->dataplane->merges[label.first][elephant_of(lcore, label.group)];
}

/* A merge does not say which branch they were on: the elephant is one group, so it is all the same.
 */
static void note_absorbed(struct unpacking *unpacking, struct merge *merge, union label label)
{
	const struct packet mark = {
		.group = label.group, .first = label.first, .door = label.first};

	unpacking->absorbed[unpacking->n_absorbed].account = mark.account;
	unpacking->absorbed[unpacking->n_absorbed++].packets = merge->absorbed;
	merge->absorbed = 0;
}

/* Whose turn has come by what the merge has just been told. */
static void pass_held(struct unpacking *unpacking, struct merge *merge, union label label)
{
	void *parcels[STAGE_BURST_MAX];
	uint16_t n;

	if (unlikely(merge->left == 0))
		while ((n = merge_next(merge, parcels, STAGE_BURST_MAX)) > 0)
			pass(unpacking->lcore, parcels, n);
	if (unlikely(merge->absorbed > 0))
		note_absorbed(unpacking, merge, label);
}

static void take_label(struct unpacking *unpacking, union label label)
{
	struct lcore *lcore = unpacking->lcore;
	struct merge *merge;

	if (!label.bare) {
		unpacking->inbox->label = label;
		return;
	}
	merge = merge_of(lcore, label);
	merge_mark(merge, branch_of(lcore, label.group), label.micro_flow, label.packets);
	pass_held(unpacking, merge, label);
}

/* Parcels under one label, for one step. */
static void take_run(struct unpacking *unpacking, void **parcels, uint16_t n)
{
	struct lcore *lcore = unpacking->lcore;
	union label label = unpacking->inbox->label;
	uint32_t packets = label.replica ? 0 : n + label.packets;
	struct merge *merge;

	if (label_is_none(label))
		return pass(lcore, parcels, n);
	unpacking->inbox->label.packets = 0;
	merge = merge_of(lcore, label);
	if (merge_arrive(
		    merge, branch_of(lcore, label.group), label.micro_flow, parcels, n, packets))
		pass(lcore, parcels, n);
	pass_held(unpacking, merge, label);
}

static uint16_t run_length(void **parcels, uint16_t n)
{
	uint16_t end = 1;

	while (end < n && parcel_step(parcels[end]) == parcel_step(parcels[0]))
		end++;
	return end;
}

/* The burst's time counts for the elephant that was the last in it; mostly it is the only one. */
static void count_burst(struct lcore *lcore, union label label, uint16_t n)
{
	struct stage_counters *counters = &lcore->counters.stages[STAGE_MERGE];
	uint64_t cycles = counters->cycles;

	counter_add(&counters->bursts, 1);
	counter_add(&counters->packets, n);
	lcore_account(lcore, &counters->cycles);
	if (!label_is_none(label))
		counter_add(&merge_of(lcore, label)->counters.cycles, counters->cycles - cycles);
}

void merging_unpack(struct lcore *lcore, struct inbox *inbox, void **parcels, uint16_t n)
{
	struct unpacking unpacking;
	union label label = inbox->label;
	uint16_t merged = 0;

	unpacking.lcore = lcore;
	unpacking.inbox = inbox;
	unpacking.n_absorbed = 0;
	for (uint16_t i = 0, run; i < n; i += run) {
		run = 1;
		if (parcel_is_label(parcels[i])) {
			label.parcel = parcels[i];
			take_label(&unpacking, label);
			continue;
		}
		run = run_length(parcels + i, n - i);
		take_run(&unpacking, parcels + i, run);
		merged += run;
	}
	count_burst(lcore, label, merged);
	for (uint16_t i = 0; i < unpacking.n_absorbed; i++)
		ending_finish(lcore, unpacking.absorbed[i].account, unpacking.absorbed[i].packets);
}
