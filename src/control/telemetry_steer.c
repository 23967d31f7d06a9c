/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/telemetry_steer.h"

#include <stdio.h>
#include <string.h>

#include "control/answer.h"
#include "control/mode.h"
#include "engine/door.h"
#include "engine/lcore.h"
#include "stages/rx.h"
#include "steer/hops.h"
#include "steer/smooth.h"

/* An answer holds 16 KB of JSON; these many rows fit. */
#define GROUPS_PAGE 80

/* ---- doors ---- */

uint64_t steer_doors(const struct control *control)
{
	uint64_t doors = 0;

	for (uint32_t i = 0; i < control->config->n_uplinks; i++)
		for (uint16_t queue = 0; queue < control->ports.list[i]->n_queues; queue++)
			doors |= 1ULL << control->ports.list[i]->queues[queue].owner;
	return doors;
}

/* ---- where stages run ---- */

bool steer_is_steered(const struct plan *plan, int stage)
{
	return stage < STAGE_COUNT &&
	       (plan->open[stage].kind != TRANSITION_INLINE ||
		       (plan->splits && plan->elephant[stage].kind != TRANSITION_INLINE));
}

static uint64_t set_of(const uint16_t *indices, uint16_t n)
{
	uint64_t lcores = 0;

	for (uint16_t i = 0; i < n; i++)
		lcores |= 1ULL << indices[i];
	return lcores;
}

uint64_t steer_lcores(const struct steering *steering)
{
	return set_of(steering->lcores, steering->n);
}

static uint64_t branch_lcores(const struct dataplane *dataplane)
{
	return set_of(dataplane->micro_flows.lcores, dataplane->micro_flows.n);
}

/* An elephant is merged on one of the branches' lcores until it is known who consumes it. */
static uint64_t merge_lcores(const struct control *control)
{
	uint64_t lcores = branch_lcores(control->dataplane);

	for (uint16_t i = 0; i < PORTS_MAX; i++)
		if (control->ports.list[i] != NULL && !control->ports.list[i]->uplink)
			lcores |= 1ULL << control->ports.list[i]->queues[0].owner;
	return lcores;
}

/* `lcores` has those of the hops further up. */
static uint64_t lcores_of(const struct control *control, const struct hops *hops, unsigned int i,
	const uint64_t *lcores)
{
	const struct dataplane *dataplane = control->dataplane;
	const struct hop *hop = &hops->list[i];

	switch (hop->kind) {
	case HOP_GROUP:
	case HOP_GROUP_STAGE:
		return steer_lcores(&dataplane->steering);
	case HOP_WITH:
		return lcores[hop->with];
	case HOP_BRANCH:
		return branch_lcores(dataplane);
	case HOP_MERGE:
		return merge_lcores(control);
	case HOP_PLACED:
		return 1ULL << hop->lcore;
	default:
		return i > 0 ? lcores[i - 1] : steer_doors(control);
	}
}

static uint64_t stage_lcores(const struct control *control, const struct transition *row, int stage)
{
	const struct hops hops = hops_of(control->dataplane->plan, row);
	uint64_t lcores[STAGE_COUNT];

	for (unsigned int i = 0; i < hops.n; i++) {
		lcores[i] = lcores_of(control, &hops, i, lcores);
		if ((int)hops.list[i].stage == stage)
			return lcores[i];
	}
	return 0;
}

uint64_t steer_stage_lcores(const struct control *control, int stage)
{
	const struct plan *plan = control->dataplane->plan;
	uint64_t lcores = stage_lcores(control, plan->open, stage);

	return plan->splits ? lcores | stage_lcores(control, plan->elephant, stage) : lcores;
}

/* ---- moves and gates ---- */

/* It has not noticed the mode, or does not yet tell packets apart as that wants. */
static bool is_behind(const struct door *door, const struct plan *plan)
{
	return number_read32(&door->plan) != plan->number ||
	       __atomic_load_n(&door->sorting, __ATOMIC_RELAXED) !=
		       __atomic_load_n(&door->next_sorting, __ATOMIC_RELAXED);
}

static void add_moves(struct rte_tel_data *data, const struct dataplane *dataplane)
{
	struct rte_tel_data *row = rte_tel_data_alloc();
	uint64_t ended = 0, moving = 0, held = 0, most_held = 0;

	for (uint16_t i = 0; i < dataplane->n_lcores; i++) {
		const struct door *door = dataplane->lcores[i]->door;
		const struct moves *moves = &door->moves;

		ended += counter_read(&moves->ended);
		moving += number_read16(&moves->n_moving) +
			  is_behind(door, dataplane_last_plan(dataplane));
		held += number_read32(&moves->n_held);
		most_held = RTE_MAX(most_held, number_read32(&moves->most_held));
	}
	rte_tel_data_start_dict(row);
	rte_tel_data_add_dict_u64(row, "ended", ended);
	rte_tel_data_add_dict_u64(row, "moving", moving);
	rte_tel_data_add_dict_u64(row, "held", held);
	rte_tel_data_add_dict_u64(row, "most_held", most_held);
	rte_tel_data_add_dict_u64(
		row, "refused", dataplane_drops(dataplane, drop_slot(STAGE_RX, RX_PATH_FULL)));
	rte_tel_data_add_dict_container(data, "moves", row, 0);
}

void steer_show(struct control *control, struct request *request)
{
	const struct dataplane *dataplane = control->dataplane;
	const struct steering *steering = &dataplane->steering;

	rte_tel_data_start_dict(request->data);
	answer_add_text(request->data, "mode", dataplane->plan->mode->name);
	answer_add_text(request->data, "receive", mode_receive(dataplane->plan->mode));
	answer_add_text(request->data, "deliver", mode_deliver(dataplane->plan->mode));
	rte_tel_data_add_dict_u64(request->data, "gated", dataplane->plan->gated);
	answer_add_text(request->data, "policy", steering->policy->name);
	rte_tel_data_add_dict_u64(
		request->data, "threshold", steering->threshold * 100 / LOAD_FULL);
	add_moves(request->data, dataplane);
}

void steer_show_gates(struct control *control, struct request *request)
{
	struct answer_list list = answer_start_list(request);
	uint64_t doors = steer_doors(control);

	for (uint16_t i = 0; i < control->dataplane->n_lcores; i++) {
		const struct door *door = control->dataplane->lcores[i]->door;
		struct rte_tel_data *row;

		if (!(doors >> i & 1))
			continue;
		row = answer_add_row(&list);
		rte_tel_data_add_dict_u64(row, "lcore", control->dataplane->lcore_ids[i]);
		rte_tel_data_add_dict_u64(
			row, "open", __atomic_load_n(&door->gate.open, __ATOMIC_RELAXED));
		rte_tel_data_add_dict_u64(row, "changes", counter_read(&door->gate.changes));
		rte_tel_data_add_dict_u64(row, "arrived", counter_read(&door->arrived));
		rte_tel_data_add_dict_u64(row, "average",
			smooth_read(__atomic_load_n(&door->gate.average, __ATOMIC_RELAXED)));
	}
}

/* ---- stages ---- */

struct choices {
	uint64_t first, second;
};

/* By the paths that flow groups with packets have now. */
static void count_choices(const struct moves *moves, int stage, struct choices *choices)
{
	for (uint16_t group = 0; group < FLOW_GROUPS; group++) {
		const struct path *path = &moves->paths[group];
		bool second = number_read16(&path->second) >> stage & 1;

		if (number_read32(&moves->groups[group].sent) == 0 ||
			number_read16(&path->lcore[stage]) == LCORE_INLINE)
			continue;
		choices->first += !second;
		choices->second += second;
	}
}

static void add_choices(struct rte_tel_data *row, const struct dataplane *dataplane, int stage)
{
	struct choices choices = {0};

	for (uint16_t i = 0; i < dataplane->n_lcores; i++)
		count_choices(&dataplane->lcores[i]->door->moves, stage, &choices);
	rte_tel_data_add_dict_u64(row, "first", choices.first);
	rte_tel_data_add_dict_u64(row, "second", choices.second);
}

static struct rte_tel_data *add_stage(const struct control *control, struct answer_list *list,
	const struct transition *transitions, const char *of, int stage)
{
	struct rte_tel_data *row = answer_add_row(list);
	char way[MODE_WAY_SIZE];

	mode_way(&transitions[stage], way);
	answer_add_text(row, "stage", stage_table[stage]->name);
	answer_add_text(row, "of", of);
	answer_add_text(row, "way", way);
	answer_add_lcores(
		row, "lcores", control->dataplane, stage_lcores(control, transitions, stage));
	return row;
}

void steer_show_stages(struct control *control, struct request *request)
{
	const struct plan *plan = control->dataplane->plan;
	struct answer_list list = answer_start_list(request);

	for (int stage = 0; stage < STAGE_COUNT; stage++)
		if (plan->open[stage].kind != TRANSITION_INLINE)
			add_choices(add_stage(control, &list, plan->open, "groups", stage),
				control->dataplane, stage);
	for (int stage = 0; stage < STAGE_COUNT && plan->splits; stage++)
		if (plan->elephant[stage].kind != TRANSITION_INLINE)
			add_stage(control, &list, plan->elephant, "elephants", stage);
}

/* ---- flow groups ---- */

/* The stages that are not inline, and where: "gro 1, vxlan 2". */
static void add_path(
	const struct dataplane *dataplane, struct rte_tel_data *row, const struct path *path)
{
	char text[RTE_TEL_MAX_STRING_LEN] = "";

	for (int stage = 0; stage < STAGE_COUNT; stage++) {
		uint16_t lcore = number_read16(&path->lcore[stage]);

		if (lcore != LCORE_INLINE && stage != STAGE_WIRE)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s %u",
				text[0] ? ", " : "", stage_table[stage]->name,
				dataplane->lcore_ids[lcore]);
	}
	answer_add_text(row, "path", text);
}

static void add_group(const struct dataplane *dataplane, struct answer_list *list, uint16_t door,
	struct group group, uint32_t sent)
{
	const struct moves *moves = &dataplane->lcores[door]->door->moves;
	struct rte_tel_data *row = answer_add_row(list);

	rte_tel_data_add_dict_u64(row, "door", dataplane->lcore_ids[door]);
	rte_tel_data_add_dict_u64(row, "group", group.number);
	rte_tel_data_add_dict_u64(row, "packets", sent);
	/* Below zero if more has ended since `sent` was read. */
	rte_tel_data_add_dict_u64(
		row, "in_flight", RTE_MAX((int32_t)moves_in_flight(moves, group, sent), 0));
	rte_tel_data_add_dict_u64(row, "held", number_read16(&moves->groups[group.number].n_held));
	add_path(dataplane, row, moves_path(moves, group));
}

/* Page by page; rows are the groups of all lcores, and those without packets are left out. */
void steer_show_groups(struct control *control, struct request *request)
{
	const struct dataplane *dataplane = control->dataplane;
	uint32_t end = dataplane->n_lcores * FLOW_GROUPS;
	struct answer_list list = answer_start_list(request);

	for (uint32_t i = answer_first_row(request->parameters, end); i < end; i++) {
		uint16_t door = i / FLOW_GROUPS, group = i % FLOW_GROUPS;
		uint32_t sent =
			number_read32(&dataplane->lcores[door]->door->moves.groups[group].sent);

		if (sent == 0)
			continue;
		if (answer_is_full(&list, GROUPS_PAGE, request, i))
			return;
		add_group(dataplane, &list, door, (struct group){group}, sent);
	}
}
