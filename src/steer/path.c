/* SPDX-License-Identifier: BSD-3-Clause */
#include "steer/path.h"

#include "steer/flow_hash.h"

/* Stands for the flows of a group, and a stage of theirs. Mixed, because the policies' hash is
 * linear: with a sum, the lcores of two stages would always be equally far apart. */
static uint32_t hash_of(const struct plan *plan, uint16_t group, unsigned int stage)
{
	return flow_hash_mix(plan->salt + stage * FLOW_GROUPS + group);
}

/* By the flow alone the choice is fixed, as in the kernel's RPS: each lcore has as many groups. */
static uint16_t choose_by_flow(
	const struct plan *plan, const struct steering *steering, uint16_t group)
{
	return steering->lcores[(group + plan->salt) % FLOW_GROUPS * steering->n / FLOW_GROUPS];
}

/* What choosing one path needs. */
struct chooser {
	const struct plan *plan;
	const struct steering *steering;
	const uint32_t *loads;
	uint16_t group;
	uint16_t where[STAGE_COUNT]; /* each stage of the way runs */
};

static uint16_t choose_by_policy(const struct chooser *chooser, unsigned int stage, bool *second)
{
	const struct steering *steering = chooser->steering;
	uint32_t hash = hash_of(chooser->plan, chooser->group, stage);

	return steering->lcores[steering->policy->choose(
		hash, chooser->loads, steering->n, steering->threshold, second)];
}

static uint16_t choose(const struct chooser *chooser, const struct transition *transition,
	unsigned int stage, bool *second)
{
	switch (transition->kind) {
	case TRANSITION_FLOW:
		return choose_by_flow(chooser->plan, chooser->steering, chooser->group);
	case TRANSITION_FLOW_STAGE:
		return choose_by_policy(chooser, stage, second);
	case TRANSITION_WITH:
		return chooser->where[transition->with];
	default:
		return chooser->plan->lcore[stage];
	}
}

struct path path_choose(const struct plan *plan, bool open, const struct steering *steering,
	const uint32_t *loads, uint16_t first, uint16_t group)
{
	const struct transition *row = open ? plan->open : plan->closed;
	struct chooser chooser = {plan, steering, loads, group, {0}};
	uint16_t here = first;
	struct path path = {.second = 0};

	memcpy(path.lcore, plan->lcore, sizeof(path.lcore));
	for (unsigned int i = 0; i < PLAN_WAY_STAGES; i++) {
		enum stage stage = plan_way[i];
		bool second = false;
		uint16_t lcore = choose(&chooser, &row[stage], stage, &second);

		if (lcore != LCORE_INLINE)
			here = lcore;
		chooser.where[stage] = here;
		path.lcore[stage] = lcore;
		path.second |= second << stage;
	}
	return path;
}
