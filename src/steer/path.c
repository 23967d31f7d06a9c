/* SPDX-License-Identifier: BSD-3-Clause */
#include "steer/path.h"

/* Stands for the flows of a group: neighbours must not get neighbouring lcores. */
static uint32_t hash_of(const struct plan *plan, uint16_t group)
{
	return (group + 1 + plan->salt) * 0x85ebca6bu;
}

/* By the flow alone the choice is fixed, as in the kernel's RPS. */
static uint16_t choose_by_flow(const struct steering *steering, uint32_t hash)
{
	return steering->lcores[(uint64_t)hash * steering->n >> 32];
}

/* What choosing one path needs. */
struct chooser {
	const struct plan *plan;
	const struct steering *steering;
	const uint32_t *loads;
	uint32_t hash;
	uint16_t where[STAGE_COUNT]; /* each stage of the way runs */
};

static uint16_t choose_by_policy(const struct chooser *chooser, unsigned int stage, bool *second)
{
	const struct steering *steering = chooser->steering;

	return steering->lcores[steering->policy->choose(
		chooser->hash + stage, chooser->loads, steering->n, steering->threshold, second)];
}

static uint16_t choose(const struct chooser *chooser, const struct transition *transition,
	unsigned int stage, bool *second)
{
	switch (transition->kind) {
	case TRANSITION_FLOW:
		return choose_by_flow(chooser->steering, chooser->hash);
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
	static const enum stage way[] = {
		STAGE_RX, STAGE_GRO, STAGE_VXLAN, STAGE_BRIDGE, STAGE_VETH};
	const struct transition *row = open ? plan->open : plan->closed;
	struct chooser chooser = {plan, steering, loads, hash_of(plan, group), {0}};
	uint16_t here = first;
	struct path path = {.second = 0};

	memcpy(path.lcore, plan->lcore, sizeof(path.lcore));
	for (unsigned int i = 0; i < RTE_DIM(way); i++) {
		bool second = false;
		uint16_t lcore = choose(&chooser, &row[way[i]], way[i], &second);

		if (lcore != LCORE_INLINE)
			here = lcore;
		chooser.where[way[i]] = here;
		path.lcore[way[i]] = lcore;
		path.second |= second << way[i];
	}
	return path;
}
