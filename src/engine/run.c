/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/run.h"

#include "engine/drop.h"
#include "engine/flood.h"
#include "engine/route.h"
#include "engine/transmit.h"
#include "engine/turns.h"

static bool is_exit(const struct lcore *lcore, enum step stage, uint16_t verdict)
{
	return verdict < STAGE_EXITS_MAX && lcore->plan->next[stage][verdict] != STEP_NONE;
}

static bool is_drop(enum step stage, uint16_t verdict)
{
	return verdict >= VERDICT_DROP && verdict < VERDICT_DROP + STAGE_DROPS_MAX &&
	       drop_at(drop_slot(stage, verdict - VERDICT_DROP)) != NULL;
}

static void follow_exit(struct lcore *lcore, enum step step, struct rte_mbuf **mbufs, uint16_t n)
{
	route(lcore, step, mbufs, flood_keep(lcore, step, mbufs, n));
}

static void note_kept(struct lcore *lcore, enum step stage, uint32_t n)
{
	lcore->kept += n;
	lcore->kept_by[stage] += n;
}

/* n packets with the same verdict. */
static void follow(
	struct lcore *lcore, enum step stage, uint16_t verdict, struct rte_mbuf **mbufs, uint16_t n)
{
	if (is_exit(lcore, stage, verdict))
		follow_exit(lcore, lcore->plan->next[stage][verdict], mbufs, n);
	else if (is_drop(stage, verdict))
		drop_packets(lcore, stage, verdict - VERDICT_DROP, mbufs, n);
	else if (verdict == VERDICT_FLOOD)
		flood(lcore, mbufs, n);
	else if (verdict == VERDICT_CONSUMED)
		drop_consumed(lcore, stage, mbufs, n);
	else if (verdict == VERDICT_KEPT && stage_table[stage]->poll != NULL)
		note_kept(lcore, stage, n);
	else if (verdict != VERDICT_COALESCED)
		drop_unknown(lcore, stage, mbufs, n);
}

/* All have the same verdict. Looks at each, as that takes fewer instructions than to stop early. */
static bool is_uniform(const uint16_t *verdicts, uint16_t n)
{
	uint16_t different = 0;

	for (uint16_t i = 1; i < n; i++)
		different |= verdicts[i] ^ verdicts[0];
	return different == 0;
}

static uint16_t run_of(const uint16_t *verdicts, uint16_t n)
{
	uint16_t end = 1;

	while (end < n && verdicts[end] == verdicts[0])
		end++;
	return end;
}

static void follow_all(struct lcore *lcore, enum step stage, struct rte_mbuf **mbufs, uint16_t n,
	const uint16_t *verdicts)
{
	for (uint16_t i = 0, run; i < n; i += run) {
		run = run_of(verdicts + i, n - i);
		follow(lcore, stage, verdicts[i], mbufs + i, run);
	}
}

static void set_context(struct lcore *lcore, enum step stage)
{
	lcore->context.state = lcore->states[stage];
	lcore->context.statistics = lcore->counters.statistics[stage];
}

/* Most bursts go on whole. */
static void run_stage(struct lcore *lcore, enum step stage, struct vector *vector)
{
	uint16_t verdicts[STAGE_BURST_MAX];
	uint16_t n = vector->n;

	set_context(lcore, stage);
	stage_table[stage]->process(&lcore->context, vector->mbufs, n, verdicts);
	if (likely(is_uniform(verdicts, n) && is_exit(lcore, stage, verdicts[0]) &&
		    !flood_is_on(lcore)))
		return route_vector(lcore, stage, lcore->plan->next[stage][verdicts[0]]);
	follow_all(lcore, stage, vector->mbufs, n, verdicts);
	vector->n = 0;
}

/* In turn the step is done, and counted, when the number is up. */
static void leave(struct lcore *lcore, enum step step, struct vector *vector)
{
	if (lcore->plan->by_right)
		turns_add(lcore, vector->mbufs, vector->n);
	else
		transmit(lcore, step, vector->mbufs, vector->n);
	vector->n = 0;
}

static void run_step(struct lcore *lcore, enum step step)
{
	struct vector *vector = lcore->vectors.of[step];
	uint16_t n = vector->n;

	lcore->vectors.waiting &= ~(1u << step);
	if (step < STAGE_COUNT)
		run_stage(lcore, step, vector);
	else
		leave(lcore, step, vector);
	if (step < STAGE_COUNT || !lcore->plan->by_right)
		lcore_count_step(lcore, step, n);
}

/* A packet only ever goes on to a step further down. */
static void run_down(struct lcore *lcore)
{
	while (lcore->vectors.waiting != 0)
		run_step(lcore, rte_bsf32(lcore->vectors.waiting));
}

void run(struct lcore *lcore)
{
	do
		run_down(lcore);
	while (unlikely(flood_is_on(lcore)) && flood_feed(lcore));
}

/* ---- what stages keep ---- */

/* A burst of the stage's, whose packets have been counted. False if no more is to be had: it gave
 * nothing, or kept all of it again. */
static bool run_kept_by(struct lcore *lcore, enum step stage)
{
	struct rte_mbuf *mbufs[STAGE_BURST_MAX];
	uint16_t verdicts[STAGE_BURST_MAX], n;
	uint32_t kept = lcore->kept_by[stage];

	set_context(lcore, stage);
	n = stage_table[stage]->poll(&lcore->context, mbufs, verdicts);
	assert(n <= STAGE_BURST_MAX && n <= kept);
	if (n == 0)
		return false;
	lcore->kept -= n;
	lcore->kept_by[stage] -= n;
	follow_all(lcore, stage, mbufs, n, verdicts);
	lcore_count_step(lcore, stage, 0);
	run(lcore);
	return lcore->kept_by[stage] < kept;
}

bool run_kept(struct lcore *lcore)
{
	bool moved = false;

	for (unsigned int stage = 0; stage < STAGE_COUNT; stage++)
		while (lcore->kept_by[stage] > 0 && run_kept_by(lcore, stage))
			moved = true;
	return moved;
}
