/* SPDX-License-Identifier: BSD-3-Clause */
#include "steer/path.h"

#include "base/flow_hash.h"

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
	const struct micro_flows *micro_flows;
	const struct branch
		*branch; /* NULL before the split, after the merge, and in other paths */
	uint16_t depth;	 /* lcores of the branch so far, less one */
	uint16_t where[STAGE_COUNT]; /* each stage of the way runs */
};

/* Those of an elephant lie side by side, so that its branches are on different lcores if there are
 * enough. */
static uint16_t branch_lcore(const struct micro_flows *micro_flows, const struct branch *branch,
	uint16_t number, uint16_t depth)
{
	uint32_t n = micro_flows->n_branches;

	return micro_flows->lcores[(branch->elephant * n + number + depth * n) % micro_flows->n];
}

static uint16_t choose_by_policy(const struct chooser *chooser, unsigned int stage, bool *second)
{
	const struct steering *steering = chooser->steering;
	uint32_t hash = hash_of(chooser->plan, chooser->group, stage);

	return steering->lcores[steering->policy->choose(
		hash, chooser->loads, steering->n, steering->threshold, second)];
}

static uint16_t choose(struct chooser *chooser, const struct transition *transition,
	unsigned int stage, bool *second)
{
	if (transition->kind == TRANSITION_FLOW_STAGE && chooser->branch != NULL)
		return branch_lcore(chooser->micro_flows, chooser->branch, chooser->branch->number,
			++chooser->depth);
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

static uint16_t choose_merge(const struct chooser *chooser, const struct branch *branch)
{
	if (branch->consumer != LCORE_INLINE)
		return branch->consumer;
	return branch_lcore(chooser->micro_flows, branch, 0, chooser->depth + 1);
}

/* Where a branch begins and ends the choice is of another kind. */
static uint16_t choose_on_way(struct chooser *chooser, const struct branch *branch,
	const struct transition *transition, unsigned int stage, struct path *path)
{
	bool second = false;
	uint16_t lcore;

	switch (transition->kind) {
	case TRANSITION_SPLIT:
		chooser->branch = branch;
		return branch_lcore(chooser->micro_flows, branch, branch->number, 0);
	case TRANSITION_MERGE:
		chooser->branch = NULL;
		path->merge = stage;
		return choose_merge(chooser, branch);
	default:
		lcore = choose(chooser, transition, stage, &second);
		path->second |= second << stage;
		return lcore;
	}
}

static struct path choose_all(struct chooser *chooser, const struct transition *row, uint16_t first,
	const struct branch *branch)
{
	struct path path = {.merge = STAGE_COUNT};
	const struct plan_way *way = &chooser->plan->way;
	uint16_t here = first;

	memcpy(path.lcore, chooser->plan->lcore, sizeof(path.lcore));
	for (unsigned int i = 0; i < way->n; i++) {
		enum step stage = way->stages[i];
		uint16_t lcore = choose_on_way(chooser, branch, &row[stage], stage, &path);

		if (lcore != LCORE_INLINE)
			here = lcore;
		chooser->where[stage] = here;
		path.lcore[stage] = lcore;
	}
	return path;
}

struct path path_choose(const struct plan *plan, bool open, const struct steering *steering,
	const uint32_t *loads, uint16_t first, uint16_t group)
{
	struct chooser chooser = {
		.plan = plan, .steering = steering, .loads = loads, .group = group};

	return choose_all(&chooser, open ? plan->open : plan->closed, first, NULL);
}

struct path path_choose_branch(const struct plan *plan, const struct steering *steering,
	const struct micro_flows *micro_flows, const uint32_t *loads, uint16_t first,
	const struct branch *branch)
{
	struct chooser chooser = {.plan = plan,
		.steering = steering,
		.loads = loads,
		.group = branch->elephant,
		.micro_flows = micro_flows};

	return choose_all(&chooser, plan->elephant, first, branch);
}
