/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/merging.h"

#include "engine/door.h"
#include "engine/lcore.h"
#include "engine/ledger.h"

static uint16_t elephant_of(const struct lcore *lcore, struct account account)
{
	assert(account_is_branch(account));
	return (account.number - ACCOUNT_BRANCHES) / lcore->dataplane->micro_flows.n_branches;
}

static uint16_t branch_of(const struct lcore *lcore, union label label)
{
	return (label.account - ACCOUNT_BRANCHES) % lcore->dataplane->micro_flows.n_branches;
}

static struct merge *merge_of(const struct lcore *lcore, union label label)
{
	return &lcore->dataplane
			->merges[label.first][elephant_of(lcore, (struct account){label.account})];
}

void merging_note_consumer(struct lcore *lcore, const struct packet *packet, uint16_t consumer)
{
	struct door *door = lcore->dataplane->lcores[packet->origin.first]->door;
	uint16_t *known = &door->elephants.consumers[elephant_of(lcore, packet->origin.account)];

	if (__atomic_load_n(known, __ATOMIC_RELAXED) != consumer)
		__atomic_store_n(known, consumer, __ATOMIC_RELAXED);
}

void merging_pass(struct lcore *lcore, struct parcel *parcels, uint16_t n)
{
	enum step step = lcore_step_here(lcore, parcel_step(parcels[0]));
	struct rte_mbuf **places = vectors_extend(&lcore->vectors, step, n);

	for (uint16_t i = 0; i < n; i++)
		places[i] = parcel_mbuf(parcels[i]);
}

/* ---- credits of marks ---- */

/* A mark that a merge has absorbed gives its credits back, which may be the last ones of the
 * elephant: then the door may give the merge to another lcore. So this comes when the merge is no
 * longer touched. */
static void return_absorbed(struct lcore *lcore)
{
	struct merging *merging = &lcore->merging;

	if (merging->absorbed > 0)
		ledger_end_origin(lcore, merging->origin, merging->absorbed);
	merging->absorbed = 0;
}

/* A merge does not say which branch they were on: the elephant is one group, so it is all the same.
 */
static void note_absorbed(struct lcore *lcore, struct merge *merge, union label label)
{
	const union origin mark = {
		.account = {label.account}, .first = label.first, .door = label.first};
	struct merging *merging = &lcore->merging;

	if (merging->origin.word != mark.word)
		return_absorbed(lcore);
	merging->origin = mark;
	merging->absorbed += merge->absorbed;
	merge->absorbed = 0;
}

/* ---- letting on ---- */

/* Held parcels whose place it is, as far as there is room. False if there are more. */
static bool pass_held(struct lcore *lcore, struct merge *merge, union label label)
{
	struct parcel parcels[STAGE_BURST_MAX];
	uint16_t n;

	while (merge->waiting > 0 && lcore->merging.fed < STAGE_BURST_MAX) {
		n = merge_next(merge, parcels, STAGE_BURST_MAX - lcore->merging.fed);
		merging_pass(lcore, parcels, n);
		lcore->merging.fed += n;
	}
	if (unlikely(merge->absorbed > 0))
		note_absorbed(lcore, merge, label);
	return merge->waiting == 0;
}

/* To be gone on with when there is room. */
static void note_ready(struct lcore *lcore, struct merge *merge, union label label)
{
	struct merging *merging = &lcore->merging;

	for (uint16_t i = 0; i < merging->n_ready; i++)
		if (merging->ready[i].merge == merge)
			return;
	assert(merging->n_ready < RTE_DIM(merging->ready));
	merging->ready[merging->n_ready++] = (struct ready){merge, label};
}

static void let_on(struct lcore *lcore, struct merge *merge, union label label)
{
	if (unlikely(!pass_held(lcore, merge, label)))
		note_ready(lcore, merge, label);
}

void merging_take_label(struct lcore *lcore, struct inbox *inbox, union label label)
{
	struct merge *merge;

	lcore->merging.active = true;
	lcore->merging.last = label;
	if (!label.bare) {
		inbox->label = label;
		return;
	}
	merge = merge_of(lcore, label);
	merge_mark(merge, branch_of(lcore, label), label.micro_flow, label.packets);
	let_on(lcore, merge, label);
}

void merging_take(struct lcore *lcore, struct inbox *inbox, struct parcel *parcels, uint16_t n)
{
	union label label = inbox->label;
	uint32_t packets = label.replica ? 0 : n + label.packets;
	struct merge *merge = merge_of(lcore, label);

	lcore->merging.active = true;
	lcore->merging.last = label;
	lcore->merging.n_parcels += n;
	inbox->label.packets = 0;
	if (merge_arrive(merge, branch_of(lcore, label), label.micro_flow, parcels, n, packets))
		merging_pass(lcore, parcels, n);
	let_on(lcore, merge, label);
}

/* ---- feeds ---- */

/* The feed's time counts for the elephant that was the last in it; mostly it is the only one. */
void merging_count(struct lcore *lcore)
{
	struct merging *merging = &lcore->merging;
	struct stage_counters *counters = &lcore->counters.stages[STEP_MERGE];
	uint64_t cycles = counters->cycles;

	if (likely(!merging->active))
		return;
	lcore_count_step(lcore, STEP_MERGE, merging->n_parcels);
	if (!label_is_none(merging->last))
		counter_add(&merge_of(lcore, merging->last)->counters.cycles,
			counters->cycles - cycles);
	merging->n_parcels = 0;
	return_absorbed(lcore);
}

bool merging_feed(struct lcore *lcore)
{
	struct merging *merging = &lcore->merging;
	struct ready *ready;

	merging->fed = 0;
	while (unlikely(merging->n_ready > 0)) {
		ready = &merging->ready[merging->n_ready - 1];
		merging->last = ready->label;
		if (!pass_held(lcore, ready->merge, ready->label))
			return true;
		merging->n_ready--;
	}
	merging->active = merging->fed > 0;
	return merging->active;
}
