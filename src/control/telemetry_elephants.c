/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/telemetry_elephants.h"

#include <stdio.h>
#include <string.h>

#include "control/answer.h"
#include "control/telemetry_steer.h"
#include "engine/door.h"

/* An answer holds 16 KB of JSON; these many rows fit. */
#define ELEPHANTS_PAGE 32

/* Room for one elephant at one door. */
struct slot {
	const struct dataplane *dataplane;
	const struct door *door;
	uint16_t door_index;
	uint16_t number;
};

static const struct elephant *elephant_of(const struct slot *slot)
{
	return &slot->door->elephants.list[slot->number];
}

static const struct merge *merge_of(const struct slot *slot)
{
	return &slot->door->merges[slot->number];
}

static uint8_t state_of(const struct slot *slot)
{
	return __atomic_load_n(&elephant_of(slot)->state, __ATOMIC_RELAXED);
}

/* ---- where it is ---- */

/* The lcores of a branch, in the order of the way: "2", or "2+4" where it is pipelined. */
static void write_branch(const struct slot *slot, const struct path *path, char *text, size_t size)
{
	const struct dataplane *dataplane = slot->dataplane;
	const struct plan_way *way = &dataplane->plan->way;
	uint8_t split = __atomic_load_n(&path->split, __ATOMIC_RELAXED);
	uint8_t merge = __atomic_load_n(&path->merge, __ATOMIC_RELAXED);
	uint16_t here = LCORE_INLINE;

	text[0] = '\0';
	for (unsigned int i = 0; i < way->n; i++) {
		enum step stage = way->stages[i];
		uint16_t lcore = number_read16(&path->lcore[stage]);

		if (stage < split || stage >= merge || lcore == LCORE_INLINE || lcore == here)
			continue;
		snprintf(text + strlen(text), size - strlen(text), "%s%u", text[0] ? "+" : "",
			dataplane->lcore_ids[lcore]);
		here = lcore;
	}
}

static void add_branches(struct rte_tel_data *row, const struct slot *slot)
{
	const struct moves *moves = &slot->door->moves;
	const struct path *paths =
		&moves->paths[moves_account(moves, group_of_elephant(slot->number)).number];
	char text[RTE_TEL_MAX_STRING_LEN] = "", branch[32];

	for (uint16_t i = 0; i < moves->n_branches; i++) {
		write_branch(slot, &paths[i], branch, sizeof(branch));
		if (strlen(text) + 1 + strlen(branch) < sizeof(text))
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
				text[0] ? " " : "", branch);
	}
	answer_add_text(row, "branches", text);
	rte_tel_data_add_dict_u64(row, "merge",
		slot->dataplane->lcore_ids[number_read16(&elephant_of(slot)->merge_lcore)]);
}

/* ---- what is on its way ---- */

/* The merge may be on to the micro-flow after the one under way, which is not yet. Each has a
 * packet in flight at least: more are seen only where the elephant begins anew just now. */
static uint32_t micro_flows_in_flight(const struct slot *slot, uint32_t in_flight)
{
	uint32_t current = number_read32(&merge_of(slot)->current);
	uint32_t under_way = number_read32(&elephant_of(slot)->split.micro_flow);

	return RTE_MIN((under_way + 1 - current) & MICRO_FLOW_MASK, in_flight);
}

static void add_in_flight(struct rte_tel_data *row, const struct slot *slot)
{
	const struct moves *moves = &slot->door->moves;
	struct group group = group_of_elephant(slot->number);
	uint32_t sent = number_read32(&moves->groups[group.number].sent);
	/* Below zero if more has ended since `sent` was read. */
	uint32_t in_flight = RTE_MAX((int32_t)moves_in_flight(moves, group, sent), 0);

	rte_tel_data_add_dict_u64(row, "micro_flows", micro_flows_in_flight(slot, in_flight));
	rte_tel_data_add_dict_u64(row, "in_flight", in_flight);
	rte_tel_data_add_dict_u64(
		row, "waiting", number_read16(&moves->groups[group.number].n_held));
}

static void add_merged(struct rte_tel_data *row, const struct slot *slot)
{
	const struct merge_counters *counters = &merge_of(slot)->counters;

	rte_tel_data_add_dict_u64(row, "held", number_read32(&counters->held));
	rte_tel_data_add_dict_u64(row, "most_held", number_read32(&counters->most_held));
	rte_tel_data_add_dict_u64(row, "packets", counter_read(&counters->packets));
	rte_tel_data_add_dict_u64(row, "out_of_order", counter_read(&counters->out_of_order));
	rte_tel_data_add_dict_u64(row, "marks", counter_read(&counters->marks));
	rte_tel_data_add_dict_u64(row, "cycles", counter_read(&counters->cycles));
}

/* ---- the answers ---- */

static void add_elephant(struct answer_list *list, const struct slot *slot, uint8_t state)
{
	static const char *const states[] = {[ELEPHANT_FOUND] = "found",
		[ELEPHANT_SPLIT] = "split",
		[ELEPHANT_LEAVING] = "leaving"};
	const struct elephant *elephant = elephant_of(slot);
	struct rte_tel_data *row = answer_add_row(list);
	char flow[16];

	snprintf(flow, sizeof(flow), "%08x", number_read32(&elephant->hash));
	rte_tel_data_add_dict_u64(row, "door", slot->dataplane->lcore_ids[slot->door_index]);
	rte_tel_data_add_dict_u64(row, "number", slot->number);
	answer_add_text(row, "flow", flow);
	answer_add_text(row, "state", states[state]);
	rte_tel_data_add_dict_u64(row, "rate", number_read32(&elephant->rate));
	if (state != ELEPHANT_FOUND)
		add_branches(row, slot);
	add_in_flight(row, slot);
	add_merged(row, slot);
}

/* Page by page; rows are the elephants of all lcores that there may be. */
void elephants_show(struct control *control, struct request *request)
{
	const struct dataplane *dataplane = control->dataplane;
	uint32_t end = dataplane->n_lcores * ELEPHANTS_MAX;
	struct answer_list list = answer_start_list(request);

	for (uint32_t i = answer_first_row(request->parameters, end); i < end; i++) {
		struct slot slot = {.dataplane = dataplane,
			.door = dataplane->lcores[i / ELEPHANTS_MAX]->door,
			.door_index = i / ELEPHANTS_MAX,
			.number = i % ELEPHANTS_MAX};
		uint8_t state = state_of(&slot);

		if (state == ELEPHANT_NONE)
			continue;
		if (answer_is_full(&list, ELEPHANTS_PAGE, request, i))
			return;
		add_elephant(&list, &slot, state);
	}
}

void elephants_show_doors(struct control *control, struct request *request)
{
	struct answer_list list = answer_start_list(request);
	uint64_t doors = steer_doors(control);

	for (uint16_t i = 0; i < control->dataplane->n_lcores; i++) {
		const struct elephants *elephants = &control->dataplane->lcores[i]->door->elephants;
		struct rte_tel_data *row;

		if (!(doors >> i & 1))
			continue;
		row = answer_add_row(&list);
		rte_tel_data_add_dict_u64(row, "lcore", control->dataplane->lcore_ids[i]);
		rte_tel_data_add_dict_u64(row, "elephants", number_read16(&elephants->n));
		rte_tel_data_add_dict_u64(row, "at_most", elephants->n_elephants);
		rte_tel_data_add_dict_u64(row, "promoted", counter_read(&elephants->promoted));
		rte_tel_data_add_dict_u64(row, "demoted", counter_read(&elephants->demoted));
	}
}
