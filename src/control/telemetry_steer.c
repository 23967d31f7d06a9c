/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/telemetry_steer.h"

#include <stdio.h>
#include <string.h>

#include "control/answer.h"
#include "core/door.h"
#include "core/lcore.h"
#include "steer/smooth.h"

/* An answer holds 16 KB of JSON; these many rows fit. */
#define GROUPS_PAGE 80

static uint32_t read_u32(const uint32_t *number)
{
	return __atomic_load_n(number, __ATOMIC_RELAXED);
}

static uint16_t read_u16(const uint16_t *number)
{
	return __atomic_load_n(number, __ATOMIC_RELAXED);
}

/* ---- doors ---- */

/* Only what comes from uplinks is steered: bit i is set if the lcore of index i polls one. */
static uint64_t find_doors(const struct control *control)
{
	uint64_t doors = 0;

	for (uint32_t i = 0; i < control->config->n_uplinks; i++)
		for (uint16_t queue = 0; queue < control->ports[i]->n_queues; queue++)
			doors |= 1ULL << control->ports[i]->queues[queue].owner;
	return doors;
}

/* ---- where stages run ---- */

bool steer_is_steered(const struct plan *plan, int stage)
{
	return stage < STAGE_COUNT && plan->open[stage].kind != TRANSITION_INLINE;
}

uint64_t steer_lcores(const struct steering *steering)
{
	uint64_t lcores = 0;

	for (uint16_t i = 0; i < steering->n; i++)
		lcores |= 1ULL << steering->lcores[i];
	return lcores;
}

/* From where the stage before it runs, and those above. */
static uint64_t lcores_of(
	const struct control *control, int stage, uint64_t before, const uint64_t *above)
{
	const struct plan *plan = control->dataplane->plan;

	switch (plan->open[stage].kind) {
	case TRANSITION_FLOW:
	case TRANSITION_FLOW_STAGE:
		return steer_lcores(&control->dataplane->steering);
	case TRANSITION_WITH:
		return above[plan->open[stage].with];
	default:
		return plan->lcore[stage] == LCORE_INLINE ? before : 1ULL << plan->lcore[stage];
	}
}

uint64_t steer_stage_lcores(const struct control *control, int stage)
{
	uint64_t lcores[STAGE_COUNT] = {0}, here = find_doors(control);

	for (unsigned int i = 0; i < PLAN_WAY_STAGES; i++)
		here = lcores[plan_way[i]] = lcores_of(control, plan_way[i], here, lcores);
	return lcores[stage];
}

/* ---- moves and gates ---- */

static void add_moves(struct rte_tel_data *data, const struct dataplane *dataplane)
{
	struct rte_tel_data *row = rte_tel_data_alloc();
	uint64_t ended = 0, moving = 0, held = 0, most_held = 0;

	for (uint16_t i = 0; i < dataplane->n_lcores; i++) {
		const struct moves *moves = &dataplane->lcores[i]->door->moves;

		ended += counter_read(&moves->ended);
		moving += read_u16(&moves->n_moving);
		held += read_u32(&moves->n_held);
		most_held = RTE_MAX(most_held, read_u32(&moves->most_held));
	}
	rte_tel_data_start_dict(row);
	rte_tel_data_add_dict_u64(row, "ended", ended);
	rte_tel_data_add_dict_u64(row, "moving", moving);
	rte_tel_data_add_dict_u64(row, "held", held);
	rte_tel_data_add_dict_u64(row, "most_held", most_held);
	rte_tel_data_add_dict_u64(row, "refused", dataplane_drops(dataplane, DROP_PATH_FULL));
	rte_tel_data_add_dict_container(data, "moves", row, 0);
}

void steer_show(struct control *control, struct request *request)
{
	const struct dataplane *dataplane = control->dataplane;
	const struct steering *steering = &dataplane->steering;

	rte_tel_data_start_dict(request->data);
	rte_tel_data_add_dict_string(request->data, "mode", dataplane->plan->mode);
	rte_tel_data_add_dict_u64(request->data, "gated", dataplane->plan->gated);
	rte_tel_data_add_dict_string(request->data, "policy", steering->policy->name);
	rte_tel_data_add_dict_u64(
		request->data, "threshold", steering->threshold * 100 / LOAD_FULL);
	add_moves(request->data, dataplane);
}

void steer_show_gates(struct control *control, struct request *request)
{
	struct answer_list list = answer_start_list(request);
	uint64_t doors = find_doors(control);

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
		bool second = read_u16(&path->second) >> stage & 1;

		if (read_u32(&moves->groups[group].sent) == 0 ||
			read_u16(&path->lcore[stage]) == LCORE_INLINE)
			continue;
		choices->first += !second;
		choices->second += second;
	}
}

static void add_way(struct rte_tel_data *row, const struct transition *transition)
{
	char text[32] = "with ";

	if (transition->kind == TRANSITION_WITH)
		strcat(text, stage_table[transition->with].name);
	rte_tel_data_add_dict_string(row, "way",
		transition->kind == TRANSITION_FLOW	    ? "flow"
		: transition->kind == TRANSITION_FLOW_STAGE ? "flow+stage"
							    : text);
}

void steer_show_stages(struct control *control, struct request *request)
{
	const struct dataplane *dataplane = control->dataplane;
	struct answer_list list = answer_start_list(request);

	for (int stage = 0; stage < STAGE_COUNT; stage++) {
		struct choices choices = {0};
		struct rte_tel_data *row;

		if (!steer_is_steered(dataplane->plan, stage))
			continue;
		for (uint16_t i = 0; i < dataplane->n_lcores; i++)
			count_choices(&dataplane->lcores[i]->door->moves, stage, &choices);
		row = answer_add_row(&list);
		rte_tel_data_add_dict_string(row, "stage", stage_table[stage].name);
		add_way(row, &dataplane->plan->open[stage]);
		answer_add_lcores(row, "lcores", dataplane, steer_stage_lcores(control, stage));
		rte_tel_data_add_dict_u64(row, "first", choices.first);
		rte_tel_data_add_dict_u64(row, "second", choices.second);
	}
}

/* ---- flow groups ---- */

/* The stages that are not inline, and where: "gro 1, vxlan 2". */
static void add_path(
	const struct dataplane *dataplane, struct rte_tel_data *row, const struct path *path)
{
	char text[RTE_TEL_MAX_STRING_LEN] = "";

	for (int stage = 0; stage < STAGE_COUNT; stage++) {
		uint16_t lcore = read_u16(&path->lcore[stage]);

		if (lcore != LCORE_INLINE && stage != STAGE_WIRE)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s %u",
				text[0] ? ", " : "", stage_table[stage].name,
				dataplane->lcore_ids[lcore]);
	}
	rte_tel_data_add_dict_string(row, "path", text);
}

static void add_group(const struct dataplane *dataplane, struct answer_list *list, uint16_t door,
	uint16_t group, uint32_t sent)
{
	const struct moves *moves = &dataplane->lcores[door]->door->moves;
	struct rte_tel_data *row = answer_add_row(list);

	rte_tel_data_add_dict_u64(row, "door", dataplane->lcore_ids[door]);
	rte_tel_data_add_dict_u64(row, "group", group);
	rte_tel_data_add_dict_u64(row, "packets", sent);
	/* Below zero if more has ended since `sent` was read. */
	rte_tel_data_add_dict_u64(
		row, "in_flight", RTE_MAX((int32_t)moves_in_flight(moves, group, sent), 0));
	rte_tel_data_add_dict_u64(row, "held", read_u16(&moves->groups[group].n_held));
	add_path(dataplane, row, &moves->paths[group]);
}

/* Page by page; rows are the groups of all lcores, and those without packets are left out. */
void steer_show_groups(struct control *control, struct request *request)
{
	const struct dataplane *dataplane = control->dataplane;
	uint32_t end = dataplane->n_lcores * FLOW_GROUPS;
	struct answer_list list = answer_start_list(request);

	for (uint32_t i = answer_first_row(request->parameters, end); i < end; i++) {
		uint16_t door = i / FLOW_GROUPS, group = i % FLOW_GROUPS;
		uint32_t sent = read_u32(&dataplane->lcores[door]->door->moves.groups[group].sent);

		if (sent == 0)
			continue;
		if (list.n == GROUPS_PAGE) {
			rte_tel_data_add_dict_u64(request->data, "next", i);
			return;
		}
		add_group(dataplane, &list, door, group, sent);
	}
}
