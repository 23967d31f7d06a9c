/* SPDX-License-Identifier: BSD-3-Clause */
#include "steer/plan.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The row of `rps`; and of what other rows do not treat in their own way. */
#define BY_FLOW                                                                                    \
	{                                                                                          \
		[STAGE_VXLAN] = {.kind = TRANSITION_FLOW }                                         \
	}

/* Every way on from a stage that is not named goes inline, and so on: see the enums' first. */
static const struct mode modes[] = {
	{.name = "vanilla"},
	{.name = "linux-overlay", .overlay = OVERLAY_POINT_TO_POINT},
	{.name = "native", .overlay = OVERLAY_NONE},
	{.name = "rps", .row = BY_FLOW},
	{.name = "falcon-dev",
		.gated = true,
		.row = {[STAGE_VXLAN] = {.kind = TRANSITION_FLOW_STAGE},
			[STAGE_BRIDGE] = {.kind = TRANSITION_FLOW_STAGE}}},
	{.name = "falcon-func",
		.gated = true,
		.row = {[STAGE_GRO] = {.kind = TRANSITION_FLOW_STAGE},
			[STAGE_VXLAN] = {.kind = TRANSITION_FLOW_STAGE},
			[STAGE_BRIDGE] = {.kind = TRANSITION_FLOW_STAGE}}},
	{.name = "mflow-device",
		.row = {[STAGE_VXLAN] = {.kind = TRANSITION_SPLIT},
			[STAGE_BRIDGE] = {.kind = TRANSITION_MERGE}}},
	{.name = "mflow-full",
		.row = {[STAGE_RX] = {.kind = TRANSITION_SPLIT},
			[STAGE_VETH] = {.kind = TRANSITION_MERGE}}},
	{.name = "turns", .receive = RECEIVE_BY_RIGHT, .deliver = DELIVER_BY_TICKET},
	{.name = "auto", .receive = RECEIVE_BY_RIGHT, .deliver = DELIVER_BY_TICKET, .adapts = true},
};

static struct plan_way set_next(graph_next_t next)
{
	struct plan_way way = {.n = 0};
	struct error error;

	/* Only who has changed the table can have brought this about. */
	if (graph_resolve(&graph, next, &error) != 0) {
		fprintf(stderr, "weft: %s\n", error.text);
		abort();
	}
	for (unsigned int step = STAGE_RX; step < STAGE_COUNT; step = next[step][EXIT_MAIN])
		way.stages[way.n++] = step;
	return way;
}

struct plan_way plan_way(void)
{
	graph_next_t next;

	return set_next(next);
}

const struct mode *plan_mode(unsigned int i)
{
	return i < RTE_DIM(modes) ? &modes[i] : NULL;
}

const struct mode *plan_mode_find(const char *name)
{
	for (unsigned int i = 0; i < RTE_DIM(modes); i++)
		if (strcmp(modes[i].name, name) == 0)
			return &modes[i];
	return NULL;
}

int mode_find_transition(const struct mode *mode, enum transition_kind kind)
{
	for (int stage = 0; stage < STAGE_COUNT; stage++)
		if (mode->row[stage].kind == kind)
			return stage;
	return -1;
}

static enum sorting sorting_of(const struct mode *mode)
{
	if (mode->row[STAGE_RX].kind == TRANSITION_SPLIT)
		return SORTING_OUTER;
	for (int stage = 0; stage < STAGE_COUNT; stage++)
		if (mode->row[stage].kind != TRANSITION_INLINE)
			return SORTING_INNER;
	return SORTING_NONE;
}

/* Flows that are no elephants go by flow, as all do while the gate is closed. */
static void set_rows(struct plan *plan, const struct mode *mode)
{
	static const struct transition by_flow[STAGE_COUNT] = BY_FLOW;
	const struct transition *open = plan->splits ? by_flow : mode->row;
	const struct transition *closed = mode->gated ? by_flow : open;

	assert(!(plan->splits && mode->gated)); /* elephants know no gate */
	memcpy(plan->open, open, sizeof(plan->open));
	memcpy(plan->closed, closed, sizeof(plan->closed));
	memcpy(plan->elephant, mode->row, sizeof(plan->elephant));
}

static void replace_stages(struct plan *plan, enum overlay overlay)
{
	plan->instead[STAGE_BRIDGE] = overlay == OVERLAY_BRIDGED ? STAGE_BRIDGE : STAGE_WIRE;
	if (overlay == OVERLAY_NONE) {
		plan->instead[STAGE_GRO] = STAGE_WIRE;
		plan->instead[STAGE_ENCAP] = STAGE_TX;
	}
}

void plan_set(struct plan *plan, const struct mode *mode)
{
	*plan = (struct plan){.mode = mode,
		.gated = mode->gated,
		.sorting = sorting_of(mode),
		.splits = mode_find_transition(mode, TRANSITION_SPLIT) >= 0};
	plan->way = set_next(plan->next);
	set_rows(plan, mode);
	for (unsigned int stage = 0; stage < STAGE_COUNT; stage++) {
		plan->instead[stage] = stage;
		plan->lcore[stage] = LCORE_INLINE;
		assert(mode->row[stage].kind == TRANSITION_INLINE ||
			plan_way_has(&plan->way, stage));
		plan->balances |= plan->open[stage].kind == TRANSITION_FLOW_STAGE;
	}
	replace_stages(plan, mode->overlay);
}
