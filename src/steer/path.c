/* SPDX-License-Identifier: BSD-3-Clause */
#include "steer/path.h"

#include <assert.h>

#include "base/flow_hash.h"
#include "steer/hops.h"

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
	const struct branch *branch; /* NULL for a flow group */
};

/* Those of an elephant lie side by side, so that its branches are on different lcores if there are
 * enough. */
static uint16_t branch_lcore(const struct chooser *chooser, uint16_t number, uint16_t depth)
{
	const struct micro_flows *micro_flows = chooser->micro_flows;
	uint32_t n = micro_flows->n_branches;

	assert(chooser->branch != NULL && number < n && micro_flows->n > 0);
	return micro_flows
		->lcores[(chooser->branch->elephant * n + number + depth * n) % micro_flows->n];
}

static uint16_t choose_by_policy(const struct chooser *chooser, unsigned int stage, bool *second)
{
	const struct steering *steering = chooser->steering;
	uint32_t hash = hash_of(chooser->plan, chooser->group, stage);
	uint16_t choice = steering->policy->choose(
		hash, chooser->loads, steering->n, steering->threshold, second);

	assert(choice < steering->n);
	return steering->lcores[choice];
}

static uint16_t choose_merge(const struct chooser *chooser, uint16_t depth)
{
	if (chooser->branch->consumer != LCORE_INLINE)
		return chooser->branch->consumer;
	return branch_lcore(chooser, 0, depth);
}

/* `where` has the lcores of the hops further up. */
static uint16_t choose(const struct chooser *chooser, const struct hop *hop, const uint16_t *where,
	struct path *path)
{
	bool second = false;
	uint16_t lcore;

	switch (hop->kind) {
	case HOP_GROUP:
		return choose_by_flow(chooser->plan, chooser->steering, chooser->group);
	case HOP_GROUP_STAGE:
		lcore = choose_by_policy(chooser, hop->stage, &second);
		path->second |= second << hop->stage;
		return lcore;
	case HOP_WITH:
		return where[hop->with];
	case HOP_BRANCH:
		return branch_lcore(chooser, chooser->branch->number, hop->depth);
	case HOP_MERGE:
		return choose_merge(chooser, hop->depth);
	default:
		return hop->lcore;
	}
}

static void mark_branch(struct path *path, const struct hop *hop)
{
	if (hop->on_branch && path->split == STAGE_COUNT)
		path->split = hop->stage;
	if (hop->kind == HOP_MERGE)
		path->merge = hop->stage;
}

static struct path choose_all(
	const struct chooser *chooser, const struct transition *row, uint16_t first)
{
	const struct hops hops = hops_of(chooser->plan, row);
	struct path path = {.split = STAGE_COUNT, .merge = STAGE_COUNT};
	uint16_t where[STAGE_COUNT], here = first;

	memcpy(path.lcore, chooser->plan->lcore, sizeof(path.lcore));
	for (unsigned int i = 0; i < hops.n; i++) {
		const struct hop *hop = &hops.list[i];
		uint16_t lcore = choose(chooser, hop, where, &path);

		if (lcore != LCORE_INLINE)
			here = lcore;
		where[i] = here;
		path.lcore[hop->stage] = lcore;
		mark_branch(&path, hop);
	}
	return path;
}

struct path path_choose(const struct plan *plan, bool open, const struct steering *steering,
	const uint32_t *loads, uint16_t first, uint16_t group)
{
	const struct chooser chooser = {
		.plan = plan, .steering = steering, .loads = loads, .group = group};
	struct path path = choose_all(&chooser, open ? plan->open : plan->closed, first);

	assert(group < FLOW_GROUPS && path.merge == STAGE_COUNT);
	return path;
}

struct path path_choose_branch(const struct plan *plan, const struct steering *steering,
	const struct micro_flows *micro_flows, const uint32_t *loads, uint16_t first,
	const struct branch *branch)
{
	const struct chooser chooser = {.plan = plan,
		.steering = steering,
		.loads = loads,
		.group = branch->elephant,
		.micro_flows = micro_flows,
		.branch = branch};
	struct path path = choose_all(&chooser, plan->elephant, first);

	assert(plan->splits && path.split < path.merge && path.merge < STAGE_COUNT);
	return path;
}
