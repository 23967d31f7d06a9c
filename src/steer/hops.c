/* SPDX-License-Identifier: BSD-3-Clause */
#include "steer/hops.h"

#include <assert.h>

/* Goes along the way, and knows where on it branches are. */
struct walk {
	bool on_branch;
	uint8_t depth; /* lcores of a branch so far */
};

static uint8_t index_of(const struct hops *hops, enum step stage)
{
	unsigned int i = 0;

	while (i < hops->n && hops->list[i].stage != stage)
		i++;
	assert(i < hops->n); /* a stage is with one further up the way */
	return i;
}

static struct hop stay(const struct plan *plan, enum step stage)
{
	uint16_t lcore = plan->lcore[stage];

	return (struct hop){.kind = lcore == LCORE_INLINE ? HOP_STAY : HOP_PLACED, .lcore = lcore};
}

static struct hop split(struct walk *walk)
{
	assert(!walk->on_branch && walk->depth == 0); /* there is one split */
	walk->on_branch = true;
	return (struct hop){.kind = HOP_BRANCH, .lcore = LCORE_INLINE, .depth = walk->depth++};
}

static struct hop merge(struct walk *walk)
{
	assert(walk->on_branch);
	walk->on_branch = false;
	return (struct hop){.kind = HOP_MERGE, .lcore = LCORE_INLINE, .depth = walk->depth++};
}

static struct hop steer_stage(struct walk *walk)
{
	if (!walk->on_branch)
		return (struct hop){.kind = HOP_GROUP_STAGE, .lcore = LCORE_INLINE};
	return (struct hop){.kind = HOP_BRANCH, .lcore = LCORE_INLINE, .depth = walk->depth++};
}

static struct hop hop_to(struct walk *walk, const struct hops *hops, const struct plan *plan,
	const struct transition *transition, enum step stage)
{
	switch (transition->kind) {
	case TRANSITION_FLOW:
		return (struct hop){.kind = HOP_GROUP, .lcore = LCORE_INLINE};
	case TRANSITION_FLOW_STAGE:
		return steer_stage(walk);
	case TRANSITION_WITH:
		return (struct hop){.kind = HOP_WITH,
			.lcore = LCORE_INLINE,
			.with = index_of(hops, transition->with)};
	case TRANSITION_SPLIT:
		return split(walk);
	case TRANSITION_MERGE:
		return merge(walk);
	default:
		assert(transition->kind == TRANSITION_INLINE);
		return stay(plan, stage);
	}
}

struct hops hops_of(const struct plan *plan, const struct transition row[STAGE_COUNT])
{
	struct hops hops = {.n = 0};
	struct walk walk = {.on_branch = false};

	for (unsigned int i = 0; i < plan->way.n; i++) {
		enum step stage = plan->way.stages[i];
		struct hop hop = hop_to(&walk, &hops, plan, &row[stage], stage);

		hop.stage = stage;
		hop.on_branch = walk.on_branch;
		hops.list[hops.n++] = hop;
	}
	assert(!walk.on_branch); /* what is split is merged */
	return hops;
}
